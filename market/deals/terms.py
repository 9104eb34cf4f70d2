"""The terms of a contract, version by version: read, proposed by one side, agreed by the other."""

from collections.abc import Sequence
from datetime import date, datetime

import msgspec
from asyncpg import Record

from market.accounts.rules import SIGN, Actor
from market.audit.operations import record
from market.catalogue.queries import check_reason
from market.db.session import execute, fetch, fetch_into, fetch_one_into, fetch_value, transaction
from market.deals import rules
from market.deals.beforehand import follow_terms
from market.deals.clauses import Terms, check, price_of, usual_terms
from market.deals.open_terms import check_seen
from market.deals.scans.outdating import outdate
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg
from market.meanwhile import marks_of, settled
from market.notices.operations import notify
from market.organisations.approving import Binding, approvable, asks, bind
from market.organisations.delegating import tell_principal
from market.units import FenPerKg, Gram, amount

#: Changes of one contract's terms: more than this is no negotiation any more.
MOST_VERSIONS = 200
LONGEST_NOTE = 300


class Version(msgspec.Struct, frozen=True):
    """One set of terms; ``version`` 0 is what the contract says before anybody has signed anything."""

    id: int
    version: int
    terms: Terms
    state: str
    proposer: int | None
    proposer_name: str | None
    proposer_name_en: str | None
    note: str
    #: Why it was refused, and the words beside it.
    reason_zh: str | None
    reason_en: str | None
    reply: str
    seller_signed_at: datetime | None
    seller_signer: str | None
    buyer_signed_at: datetime | None
    buyer_signer: str | None
    created_at: datetime


_VERSION = """SELECT contract_terms.id, version, terms, state, proposer, organisation.name AS proposer_name,
    organisation.name_en AS proposer_name_en, note, reply,
    reason.zh AS reason_zh, reason.en AS reason_en, contract_terms.seller_signed_at,
    seller_person.name AS seller_signer, contract_terms.buyer_signed_at, buyer_person.name AS buyer_signer,
    contract_terms.created_at
FROM contract_terms LEFT JOIN organisation ON organisation.id = contract_terms.proposer
LEFT JOIN person seller_person ON seller_person.id = contract_terms.seller_signed_by
LEFT JOIN person buyer_person ON buyer_person.id = contract_terms.buyer_signed_by
LEFT JOIN reason ON reason.code = contract_terms.reason
"""


async def terms_in_force(*, deal_id: int) -> tuple[int, Terms]:
    """Return the version in force and its terms; before the first signature version 0, the usual terms.

    Who may see them is for the caller to know.

    Raises:
        NotFound: no such contract.
    """
    found = await fetch_one_into(
        _InForce,
        """SELECT version, terms FROM contract_terms WHERE deal = $1 AND state = 'agreed'
           ORDER BY version DESC LIMIT 1""",
        deal_id,
    )
    if found:
        return found.version, found.terms
    return 0, await _usual(deal_id)


async def _usual(deal_id: int) -> Terms:
    rows = await fetch_into(
        _Dates,
        """SELECT deal.deliver_from, deal.deliver_to, coalesce(site.name, '') AS place FROM deal
           LEFT JOIN demand ON demand.id = deal.demand LEFT JOIN site ON site.id = demand.site
           WHERE deal.id = $1""",
        deal_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这份合同。"))
    return usual_terms(deliver_from=rows[0].deliver_from, deliver_to=rows[0].deliver_to, place=rows[0].place)


async def _terms_then(*, deal_id: int, version: int) -> Terms | None:
    """Return the terms of a version; None where there is no such one."""
    if version == 0:
        return await _usual(deal_id)
    found = await fetch_one_into(
        _InForce,
        "SELECT version, terms FROM contract_terms WHERE deal = $1 AND version = $2",
        deal_id,
        version,
    )
    return found.terms if found else None


async def agreed_terms(deal_ids: Sequence[int]) -> dict[int, Terms]:
    """Return the terms in force of several contracts; whose are the usual ones is not in it."""
    rows = await fetch_into(
        _Agreed,
        """SELECT DISTINCT ON (deal) deal, terms FROM contract_terms
           WHERE deal = ANY($1::bigint[]) AND state = 'agreed' ORDER BY deal, version DESC""",
        list(deal_ids),
    )
    return {row.deal: row.terms for row in rows}


class _InForce(msgspec.Struct, frozen=True):
    version: int
    terms: Terms


class _Agreed(msgspec.Struct, frozen=True):
    deal: int
    terms: Terms


class _Dates(msgspec.Struct, frozen=True):
    deliver_from: date
    deliver_to: date
    place: str


async def versions_of(*, deal_id: int) -> list[Version]:
    """Return every version of a contract's terms, newest first."""
    return await fetch_into(Version, _VERSION + "WHERE deal = $1 ORDER BY version DESC", deal_id)


async def fix_terms(*, deal_id: int, at: datetime) -> None:
    """Write down what is signed, where nobody has proposed anything. The contract's row is locked."""
    version, terms = await terms_in_force(deal_id=deal_id)
    if version == 0:
        await _keep(deal_id=deal_id, terms=terms, state=rules.AGREED, proposer=None, note="", at=at)


@asks
async def propose_terms(
    *,
    deal_id: int,
    base: int,
    terms: Terms,
    note: str,
    organisation_id: int,
    actor: Actor,
    at: datetime,
    replaces: int = 0,
) -> int:
    """Propose other terms and sign them for one's own side; return the number of the version.

    A proposal that is open already is replaced, whosever it is, if it is the one that was seen (``replaces``;
    0: none was). Nothing changes until the other signs.

    Raises:
        NotFound: no such contract of this organisation.
        Conflict: the contract is over, or these terms are in force.
        ChangedMeanwhile: other terms are in force than ``base``, and clauses of them are wanted otherwise.
        ProposedMeanwhile: another proposal is open than ``replaces``.
        Invalid: terms that cannot be carried out, or a note that is too long.
    """
    check(terms)
    if len(note) > LONGEST_NOTE:
        problem = msg("太长了：最多 {most} 个字。", most=LONGEST_NOTE)
        raise Invalid(problem, {"note": problem})
    async with transaction():
        deal = await _locked(deal_id, organisation_id)
        side = _side(deal, organisation_id)
        now, in_force = await terms_in_force(deal_id=deal_id)
        if now != base:
            # nobody signs terms that they have not seen whole: what others changed is asked back too
            read = await _terms_then(deal_id=deal_id, version=base)
            settled(terms, now=in_force, seen=marks_of(read) if read else "", exact=True)
        if terms == in_force:
            raise Conflict(msg("和现在的条款一样，没有要改的。"))
        replaced = await check_seen(
            deal_id=deal_id, replaces=replaces, mine=terms, organisation_id=organisation_id
        )
        wish = ProposeTerms(deal_id, base, terms, note, replaces)
        await _bind(deal, side, terms, "propose_terms", wish, actor)
        await fix_terms(deal_id=deal_id, at=at)
        await execute(
            "UPDATE contract_terms SET state = $2 WHERE deal = $1 AND state = $3",
            deal_id,
            rules.SUPERSEDED,
            rules.PROPOSED,
        )
        version = await _keep(
            deal_id=deal_id, terms=terms, state=rules.TERMS.start, proposer=organisation_id, note=note, at=at
        )
        if version > MOST_VERSIONS:
            raise Conflict(msg("这份合同的条款改得太多次了，请双方当面商定。"))
        await _sign(deal, version, side, actor, at)
        await _tell(
            deal,
            organisation_id,
            "terms_proposed",
            _proposed(deal["number"], theirs=replaced is not None and replaced.proposer != organisation_id),
            at,
        )
        await record(
            subject=f"deal:{deal_id}",
            action="propose_terms",
            actor=actor,
            at=at,
            details={"version": version, "side": side, "note": note},
        )
    return version


@asks
async def answer_terms(
    *,
    deal_id: int,
    version: int,
    move: str,
    organisation_id: int,
    actor: Actor,
    at: datetime,
    reply: str = "",
    reason: str | None = None,
) -> str:
    """``agree`` to a proposal, ``refuse`` it, or ``withdraw`` one's own; return its new state.

    Who refuses says why, by a code that the other side sees.

    Raises:
        NotFound: no such proposal of a contract of this organisation.
        WrongState: it is not open any more, or not to this side.
        Conflict: the contract is over.
        Invalid: the reply is too long; with ``reason``, where it is refused without one.
    """
    if len(reply) > LONGEST_NOTE:
        problem = msg("太长了：最多 {most} 个字。", most=LONGEST_NOTE)
        raise Invalid(problem, {"reply": problem})
    from market.deals.paying import complete  # which itself reads the terms in force

    async with transaction():
        deal = await _locked(deal_id, organisation_id)
        side = _side(deal, organisation_id)
        # the contract's row is locked: of two answers the second finds the first one's state
        found = await fetch_one_into(
            _Proposed,
            "SELECT state, proposer, terms FROM contract_terms WHERE deal = $1 AND version = $2",
            deal_id,
            version,
        )
        if found is None or found.proposer is None:
            raise NotFound(msg("没有找到这次条款提议。"))
        by = "proposer" if found.proposer == organisation_id else "other"
        # before this one counts
        _, in_force = await terms_in_force(deal_id=deal_id)
        state = rules.TERMS.apply(move, state=found.state, by=by)
        said: dict[str, str | None] = {}
        why: Message | str = ""
        if state == rules.REFUSED:
            why = await check_reason(reason, side, words=reply, field="reply")
            said = {"reason": reason}
        await execute(
            "UPDATE contract_terms SET state = $3, reply = $4, reason = $5 WHERE deal = $1 AND version = $2",
            deal_id,
            version,
            state,
            reply,
            said.get("reason"),
        )
        if state == rules.AGREED:
            wish = AgreeToTerms(deal_id, version, reply)
            await _bind(deal, side, found.terms, "agree_terms", wish, actor)
            if deal["state"] == rules.ACTIVE:
                await follow_terms(deal=deal, was=in_force, terms=found.terms, at=at)
            await _sign(deal, version, side, actor, at)
            await execute(
                "UPDATE deal SET deliver_from = $2, deliver_to = $3 WHERE id = $1",
                deal_id,
                found.terms.deliver_from,
                found.terms.deliver_to,
            )
            await outdate(deal_id=deal_id, at=at, told=_paper_is_old(deal["number"]))
            # what was short may be within the tolerance now, and no load or payment would notice it
            await complete(deal_id=deal_id, at=at)
        await _tell(deal, organisation_id, f"terms_{state}", _told(move, deal["number"], why), at)
        await record(
            subject=f"deal:{deal_id}",
            action=f"{move}_terms",
            actor=actor,
            at=at,
            details={"version": version, "side": side, "note": reply, **said},
        )
    return state


def _proposed(number: str, *, theirs: bool) -> Message:
    """``theirs``: it takes the place of what the one who is told has proposed."""
    if theirs:
        return msg("合同 {number} 对方另提了条款，代替贵方的提议，双方都签字才生效。", number=number)
    return msg("合同 {number} 对方提议改条款，双方都签字才生效。", number=number)


def _paper_is_old(number: str) -> Message:
    return msg(
        "合同 {number} 的条款改了，按旧条款签的扫描件不再作数：请按新条款打印重签，或在线签字。",
        number=number,
    )


class _Proposed(msgspec.Struct, frozen=True):
    state: str
    proposer: int | None
    terms: Terms


def _told(move: str, number: str, why: Message | str) -> Message:
    return {
        "agree": msg("合同 {number} 的新条款双方已签，现已生效。", number=number),
        "refuse": msg("合同 {number} 对方不同意改条款，原因：{why}；仍按原条款。", number=number, why=why),
        "withdraw": msg("合同 {number} 对方撤回了条款提议。", number=number),
    }[move]


async def _keep(
    *, deal_id: int, terms: Terms, state: str, proposer: int | None, note: str, at: datetime
) -> int:
    version = await fetch_value(
        """INSERT INTO contract_terms (deal, version, terms, state, proposer, note, created_at)
           SELECT $1, coalesce(max(version), 0) + 1, $2, $3, $4, $5, $6 FROM contract_terms WHERE deal = $1
           RETURNING version""",
        deal_id,
        msgspec.json.encode(terms).decode(),
        state,
        proposer,
        note,
        at,
    )
    return int(version)


async def _bind(
    deal: Record, side: str, terms: Terms, name: str, request: msgspec.Struct, actor: Actor
) -> None:
    """Ask whether the actor may bind its side of the contract to the terms. Raises: as ``approving.bind``."""
    await bind(
        actor=actor,
        organisation_id=deal[side],
        side=side,
        deed=SIGN,
        what=Binding(
            name,
            request,
            amount(Gram(deal["quantity"]), price_of(terms, FenPerKg(deal["price"]))),
            msg("改合同 {number} 的条款", number=deal["number"]),
            f"deal:{deal['id']}",
            f"/deals/{deal['id']}/terms",
            deal["seller"],
        ),
    )


class ProposeTerms(msgspec.Struct, frozen=True):
    deal_id: int
    base: int
    terms: Terms
    note: str
    replaces: int = 0


@approvable("propose_terms", ProposeTerms)
async def _propose_approved(wish: ProposeTerms, buyer_id: int, actor: Actor, at: datetime) -> str:
    await propose_terms(
        deal_id=wish.deal_id,
        base=wish.base,
        terms=wish.terms,
        note=wish.note,
        replaces=wish.replaces,
        organisation_id=buyer_id,
        actor=actor,
        at=at,
    )
    return f"/deals/{wish.deal_id}/terms"


class AgreeToTerms(msgspec.Struct, frozen=True):
    deal_id: int
    version: int
    reply: str


@approvable("agree_terms", AgreeToTerms)
async def _agree_approved(wish: AgreeToTerms, buyer_id: int, actor: Actor, at: datetime) -> str:
    await answer_terms(
        deal_id=wish.deal_id,
        version=wish.version,
        move="agree",
        organisation_id=buyer_id,
        actor=actor,
        at=at,
        reply=wish.reply,
    )
    return f"/deals/{wish.deal_id}/terms"


async def _sign(deal: Record, version: int, side: str, actor: Actor, at: datetime) -> None:
    await execute(
        f"""UPDATE contract_terms SET {side}_signed_at = $3, {side}_signed_by = $4
            WHERE deal = $1 AND version = $2""",  # noqa: S608  side is one of two words
        *(deal["id"], version, at, actor.person_id),
    )
    did = msg("签了合同 {number} 的第 {n} 版条款", number=deal["number"], n=version)
    link = f"/deals/{deal['id']}/terms"
    await tell_principal(actor=actor, organisation_id=deal[side], did=did, link=link, at=at)


async def _locked(deal_id: int, organisation_id: int) -> Record:
    rows = await fetch(
        """SELECT id, number, seller, buyer, state, quantity, price, seller_signed_at, buyer_signed_at
           FROM deal WHERE id = $1 AND $2 IN (seller, buyer) FOR UPDATE""",
        deal_id,
        organisation_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这份合同。"))
    if rows[0]["state"] not in rules.CHANGEABLE:
        raise Conflict(msg("合同已经结束，条款不能再改。"))
    return rows[0]


def _side(deal: Record, organisation_id: int) -> str:
    return "seller" if deal["seller"] == organisation_id else "buyer"


async def _tell(deal: Record, organisation_id: int, kind: str, message: Message, at: datetime) -> None:
    await notify(
        organisation_id=deal["buyer"] if organisation_id == deal["seller"] else deal["seller"],
        kind=kind,
        message=message,
        link=f"/deals/{deal['id']}/terms",
        at=at,
    )
