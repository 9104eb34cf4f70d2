"""A scanned contract: uploaded, presented as one's own signature, confirmed or refused by the other side.

Everybody locks the contract first. A scan is presented in a step of its own, so that what waits for a
purchasing manager, or was only looked at, is there already and is not sent twice.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import msgspec
from asyncpg import Record

from market.accounts.rules import Actor
from market.audit.operations import record
from market.catalogue.rules import words_fault
from market.db.session import execute, fetch, fetch_value, transaction
from market.deals.scans import rules
from market.deals.scans.outdating import unsign
from market.deals.scans.queries import mark_in_force, marks_of
from market.deals.signing import binding_of, locked_to_sign, sign_side
from market.deals.terms import LONGEST_NOTE, terms_in_force
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg
from market.notices.operations import notify
from market.organisations.approving import approvable, asks
from market.sent_papers import Paper


async def upload_scan(
    *,
    deal_id: int,
    mark: str,
    files: Sequence[Paper],
    organisation_id: int,
    actor: Actor,
    at: datetime,
) -> int:
    """Keep a scan of the contract; return its number.

    Before both sides have signed it lies there for :func:`present_scan`, and ``mark`` must be that of the
    terms in force, as it stands on the paper. Afterwards it is filed at once, and changes nothing.

    Raises:
        NotFound: no such contract of this organisation.
        Conflict: the contract was cancelled, or has scans enough.
        Invalid: with ``mark``: not on the paper's pages, or printed from other terms.
    """
    async with transaction():
        deal = await locked_to_sign(deal_id=deal_id, organisation_id=organisation_id)
        check_open(deal["state"])
        is_filed = deal["state"] in rules.TO_FILE
        version = await _version_on_paper(deal_id, mark, is_filed=is_filed)
        count = await fetch_value(
            "SELECT count(*) FROM contract_scan WHERE deal = $1 AND organisation = $2",
            deal_id,
            organisation_id,
        )
        if count >= rules.MOST_SCANS:
            raise Conflict(msg("这份合同您已传了 {most} 次扫描件，不能再传。", most=rules.MOST_SCANS))
        scan_id = int(
            await fetch_value(
                """INSERT INTO contract_scan (deal, organisation, person, version, mark, state, created_at)
                   VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id""",
                deal_id,
                organisation_id,
                actor.person_id,
                version,
                rules.plain_mark(mark) if mark else "",
                rules.SCAN.apply("file", state=rules.SCAN.start, by="uploader")
                if is_filed
                else rules.SCAN.start,
                at,
            )
        )
        for file in files:
            await execute(
                """INSERT INTO contract_scan_file (scan, name, media_type, content, size, content_hash,
                                                   sent_hash)
                   VALUES ($1, $2, $3, $4, $5, $6, $7)""",
                scan_id,
                file.name,
                file.media_type,
                file.content,
                len(file.content),
                file.content_hash,
                file.sent_hash,
            )
        await record(
            subject=f"deal:{deal_id}",
            action="file_scan" if is_filed else "upload_scan",
            actor=actor,
            at=at,
            details={
                "scan": scan_id,
                "version": version,
                "files": [each.content_hash for each in files],
                "sent": [each.sent_hash for each in files],
            },
        )
        if is_filed:
            told = msg(
                "合同 {number} 对方存了一份纸质合同的扫描件，请看一看；不对可以提出异议。",
                number=deal["number"],
            )
            await _tell(deal, organisation_id, "scan_filed", told, at)
    return scan_id


def check_open(state: str) -> None:
    """Raise Conflict where a contract takes no scan any more."""
    if state not in rules.TO_SIGN | rules.TO_FILE:
        raise Conflict(msg("合同已经取消，不用再传扫描件。"))


async def _version_on_paper(deal_id: int, mark: str, *, is_filed: bool) -> int:
    """Return the version of the terms that the paper was printed from. Raises: Invalid, with ``mark``."""
    version, _ = await terms_in_force(deal_id=deal_id)
    if is_filed and not mark:
        return version
    known, now = await marks_of(deal_id=deal_id), await mark_in_force(deal_id=deal_id)
    typed = rules.plain_mark(mark)
    if typed == now or (is_filed and typed in known):
        return known[typed]
    if typed in known:
        problem = msg(
            "这份纸是按第 {old} 版条款打印的，条款后来改了：请重新打印，签字盖章后再传。",
            old=max(known[typed], 1),
        )
    else:
        problem = msg("核对码不对：它印在合同每一页的页脚，像 {sample} 这样的 8 位。", sample="7C1E-90AB")
    raise Invalid(problem, {"mark": problem})


@asks
async def present_scan(
    *, deal_id: int, scan_id: int, organisation_id: int, actor: Actor, at: datetime
) -> str:
    """Declare that one's own side has signed the paper, and ask the other to confirm it; its new state.

    It is this side's signature, where it had not signed yet. Where the other has, the contract is in force.

    Raises:
        NotFound: no such scan of this organisation.
        WrongState: it was presented or withdrawn already, or the contract is signed or over.
        Conflict: the terms have changed since it was printed.
        NotAllowed, NeedsApproval: as ``approving.bind``.
    """
    async with transaction():
        deal, side = await _deal_and_side(deal_id, organisation_id)
        scan = await _locked_scan(deal_id, scan_id, organisation_id)
        rules.SCAN.apply("present", state=scan["state"], by=_by(scan, organisation_id))
        check_open(deal["state"])
        await _check_terms(deal, scan)
        replaced = await _replace(deal_id, organisation_id)
        other = "buyer" if side == "seller" else "seller"
        is_second = deal[f"{other}_signed_at"] is not None
        signs = deal[f"{side}_signed_at"] is None or replaced
        state = rules.SCAN.apply("file" if is_second else "present", state=scan["state"], by="uploader")
        await execute(
            "UPDATE contract_scan SET state = $2, signs = $3, presented_at = $4 WHERE id = $1",
            scan_id,
            state,
            signs,
            at,
        )
        # what was done before what it leads to: the contract may be in force by it
        await record(
            subject=f"deal:{deal_id}",
            action="present_scan",
            actor=actor,
            at=at,
            details={"scan": scan_id, "side": side, "version": scan["version"]},
        )
        if deal[f"{side}_signed_at"] is None:
            await sign_side(
                deal=deal,
                side=side,
                what=await binding_of(deal, "present_scan", OneScan(deal_id, scan_id))
                if side == "buyer"
                else None,
                actor=actor,
                at=at,
                scan=await _kept_of(scan_id),
            )
        told = msg(
            "合同 {number} 对方传了签好盖好章的扫描件，请核对：点“这就是我们签的”才算您签字，不答复不算数。",
            number=deal["number"],
        )
        if not is_second:
            await _tell(deal, organisation_id, "scan_presented", told, at)
    return state


@asks
async def confirm_scan(
    *, deal_id: int, scan_id: int, organisation_id: int, actor: Actor, at: datetime
) -> str:
    """Say that this is what one's own side has signed: its signature, by which the contract is in force.

    Raises: as :func:`present_scan`; WrongState also where it is one's own scan.
    """
    async with transaction():
        deal, side = await _deal_and_side(deal_id, organisation_id)
        scan = await _locked_scan(deal_id, scan_id, organisation_id)
        state = rules.SCAN.apply("confirm", state=scan["state"], by=_by(scan, organisation_id))
        await _check_terms(deal, scan)
        await _answered(scan_id, state, actor, at)
        # what was done before what it leads to: the contract is in force by it
        await record(
            subject=f"deal:{deal_id}",
            action="confirm_scan",
            actor=actor,
            at=at,
            details={"scan": scan_id, "side": side},
        )
        await sign_side(
            deal=deal,
            side=side,
            what=await binding_of(deal, "confirm_scan", OneScan(deal_id, scan_id))
            if side == "buyer"
            else None,
            actor=actor,
            at=at,
            scan=await _kept_of(scan_id),
        )
    return state


async def refuse_scan(
    *,
    deal_id: int,
    scan_id: int,
    reason: str,
    note: str = "",
    organisation_id: int,
    actor: Actor,
    at: datetime,
) -> str:
    """Say with a coded reason that this is not what was signed; the scan's new state.

    A signature that rested on it falls with it, as long as the contract is not in force. Of a filed copy the
    objection stands beside it, and nothing else changes.

    Raises:
        NotFound, WrongState: as :func:`present_scan`.
        Invalid: with ``reason`` or ``note``.
    """
    faults: dict[str, Message] = {}
    if reason not in rules.REFUSALS:
        faults["reason"] = msg("请选一项。")
    if len(note) > LONGEST_NOTE:
        faults["note"] = msg("太长了：最多 {most} 个字。", most=LONGEST_NOTE)
    elif fault := words_fault(reason, note):
        faults["note"] = fault
    if faults:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(faults)), faults)
    async with transaction():
        deal, side = await _deal_and_side(deal_id, organisation_id)
        scan = await _locked_scan(deal_id, scan_id, organisation_id)
        move = "dispute" if scan["state"] == rules.FILED else "refuse"
        state = rules.SCAN.apply(move, state=scan["state"], by=_by(scan, organisation_id))
        await _answered(scan_id, state, actor, at, reason=reason, note=note)
        if move == "refuse" and scan["signs"]:
            await unsign(deal_id=deal_id, organisation_id=scan["organisation"])
        await record(
            subject=f"deal:{deal_id}",
            action=f"{move}_scan",
            actor=actor,
            at=at,
            details={"scan": scan_id, "side": side, "reason": reason, "note": note},
        )
        told = msg(
            "合同 {number} 的扫描件，对方不认可：{reason}。",
            number=deal["number"],
            reason=rules.REFUSALS[reason],
        )
        await _tell(deal, organisation_id, "scan_refused", told, at)
    return state


async def withdraw_scan(
    *, deal_id: int, scan_id: int, organisation_id: int, actor: Actor, at: datetime
) -> str:
    """Take back one's own scan that nobody has confirmed, and the signature with it; the scan's new state.

    Raises: NotFound, WrongState: as :func:`present_scan`.
    """
    async with transaction():
        deal, side = await _deal_and_side(deal_id, organisation_id)
        scan = await _locked_scan(deal_id, scan_id, organisation_id)
        state = rules.SCAN.apply("withdraw", state=scan["state"], by=_by(scan, organisation_id))
        await execute("UPDATE contract_scan SET state = $2 WHERE id = $1", scan_id, state)
        if scan["signs"]:
            await unsign(deal_id=deal_id, organisation_id=organisation_id)
        await record(
            subject=f"deal:{deal_id}",
            action="withdraw_scan",
            actor=actor,
            at=at,
            details={"scan": scan_id, "side": side},
        )
        if scan["state"] == rules.WAITING:
            told = msg("合同 {number} 对方撤回了扫描件。", number=deal["number"])
            await _tell(deal, organisation_id, "scan_withdrawn", told, at)
    return state


class OneScan(msgspec.Struct, frozen=True):
    deal_id: int
    scan_id: int


@approvable("present_scan", OneScan)
async def _present_approved(wish: OneScan, buyer_id: int, actor: Actor, at: datetime) -> str:
    await present_scan(
        deal_id=wish.deal_id, scan_id=wish.scan_id, organisation_id=buyer_id, actor=actor, at=at
    )
    return f"/deals/{wish.deal_id}"


@approvable("confirm_scan", OneScan)
async def _confirm_approved(wish: OneScan, buyer_id: int, actor: Actor, at: datetime) -> str:
    await confirm_scan(
        deal_id=wish.deal_id, scan_id=wish.scan_id, organisation_id=buyer_id, actor=actor, at=at
    )
    return f"/deals/{wish.deal_id}"


async def forget_scans(*, ended_before: date) -> int:
    """Drop the pages of scans whose contracts ended before; their hashes stay. Return how many."""
    told = await execute(
        """UPDATE contract_scan_file SET content = NULL
           FROM contract_scan scan JOIN deal ON deal.id = scan.deal
           WHERE scan.id = contract_scan_file.scan AND contract_scan_file.content IS NOT NULL
             AND deal.state IN ('completed', 'terminated', 'cancelled')
             AND greatest(scan.created_at, deal.created_at, deal.dropped_at, deal.terminated_at,
                          (SELECT max(paid_on) FROM payment WHERE payment.deal = deal.id)::timestamptz)
                 AT TIME ZONE 'Asia/Shanghai' < $1""",
        ended_before,
    )
    return int(told.rpartition(" ")[2])


async def _deal_and_side(deal_id: int, organisation_id: int) -> tuple[Record, str]:
    deal = await locked_to_sign(deal_id=deal_id, organisation_id=organisation_id)
    return deal, "seller" if deal["seller"] == organisation_id else "buyer"


async def _locked_scan(deal_id: int, scan_id: int, organisation_id: int) -> Record:
    rows = await fetch(
        """SELECT id, organisation, state, version, mark, signs FROM contract_scan
           WHERE id = $1 AND deal = $2 AND (organisation = $3 OR presented_at IS NOT NULL OR state = $4)
           FOR UPDATE""",
        scan_id,
        deal_id,
        organisation_id,
        rules.FILED,
    )
    if not rows:
        raise NotFound(msg("没有找到这份扫描件。"))
    return rows[0]


def _by(scan: Record, organisation_id: int) -> str:
    return "uploader" if scan["organisation"] == organisation_id else "other"


async def _check_terms(deal: Record, scan: Record) -> None:
    """Raise Conflict where the paper says other terms than those in force."""
    if scan["mark"] != await mark_in_force(deal_id=deal["id"]):
        raise Conflict(msg("条款在打印以后改了，这份扫描件不再作数：请重新打印签字。"))


async def _replace(deal_id: int, organisation_id: int) -> bool:
    """Put this side's scan that waits aside for a newer one; tell whether the signature rested on it."""
    rows = await fetch(
        """UPDATE contract_scan SET state = $4 WHERE deal = $1 AND organisation = $2 AND state = $3
           RETURNING signs""",
        deal_id,
        organisation_id,
        rules.WAITING,
        rules.SCAN.apply("outdate", state=rules.WAITING, by="system"),
    )
    return any(row["signs"] for row in rows)


async def _answered(
    scan_id: int, state: str, actor: Actor, at: datetime, *, reason: str | None = None, note: str = ""
) -> None:
    await execute(
        """UPDATE contract_scan SET state = $2, answered_at = $3, answered_by = $4, reason = $5, note = $6
           WHERE id = $1""",
        scan_id,
        state,
        at,
        actor.person_id,
        reason,
        note,
    )


async def _kept_of(scan_id: int) -> dict[str, Any]:
    """Return what the record of a signature keeps of the paper that it rests on."""
    rows = await fetch("SELECT content_hash FROM contract_scan_file WHERE scan = $1 ORDER BY id", scan_id)
    return {"scan": scan_id, "files": [row["content_hash"] for row in rows]}


async def _tell(deal: Record, organisation_id: int, kind: str, message: Message, at: datetime) -> None:
    await notify(
        organisation_id=deal["buyer"] if organisation_id == deal["seller"] else deal["seller"],
        kind=kind,
        message=message,
        link=f"/deals/{deal['id']}#scans",
        at=at,
    )
