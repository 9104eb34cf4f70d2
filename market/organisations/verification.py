"""An organisation files evidence, its county decides; what it decided runs out, and may be suspended."""

from datetime import date, datetime

import msgspec
from asyncpg import Record

from market.accounts.rules import CAPABILITIES, REFUSED, VERIFIED, Actor
from market.audit.operations import record
from market.clock import CHINA
from market.db.session import execute, fetch, transaction
from market.errors import Conflict, Invalid
from market.i18n import msg, named, on_day
from market.meanwhile import settled
from market.notices.operations import notify
from market.organisations import rules
from market.organisations.expiring import schedule_end
from market.organisations.moving import locked, move_to, of_county, tell


class NewPaper(msgspec.Struct, frozen=True):
    """A scan: a picture that was drawn anew, or a PDF as it came. ``content_hash``: SHA-256."""

    name: str
    media_type: str
    content: bytes
    content_hash: str


async def file_evidence(
    *, words: str, papers: tuple[NewPaper, ...], organisation_id: int, actor: Actor, at: datetime
) -> int:
    """Hand evidence to the county and return the filing's number. A verified organisation renews by it.

    Raises:
        Invalid: nothing to look at, or too much.
        WrongState: it is suspended.
        Conflict: a filing waits already.
    """
    if problems := rules.filing_problems(words, len(papers)):
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
    async with transaction():
        row = await locked(organisation_id)
        move = "renew" if row["standing"] == VERIFIED else "file"
        if await _open_filing(organisation_id):
            raise Conflict(msg("上次交的材料还在等县里核验，不用再交。"))
        state = rules.VERIFICATION.apply(move, state=row["standing"], by="member")
        rows = await fetch(
            """INSERT INTO verification (organisation, words, filed_by, filed_at)
               VALUES ($1, $2, $3, $4) RETURNING id""",
            organisation_id,
            words,
            actor.person_id,
            at,
        )
        filing_id = int(rows[0]["id"])
        for paper in papers:
            await execute(
                """INSERT INTO verification_paper (filing, name, media_type, content, content_hash)
                   VALUES ($1, $2, $3, $4, $5)""",
                filing_id,
                paper.name,
                paper.media_type,
                paper.content,
                paper.content_hash,
            )
        await move_to(organisation_id, state, at=at, is_new=state != row["standing"])
        await record(
            subject=f"organisation:{organisation_id}",
            action=move,
            actor=actor,
            at=at,
            details={"filing": filing_id, "papers": [each.content_hash for each in papers]},
        )
        for county in await _counties_of(row):
            await notify(
                organisation_id=county,
                kind="verification_filed",
                message=msg("{name}交来核验材料，请核验。", name=named(row, "name")),
                link=f"/county/organisations/{organisation_id}",
                at=at,
            )
    return filing_id


async def verify(
    *,
    organisation_id: int,
    checked: tuple[str, ...],
    until: date,
    note: str,
    county_id: int,
    actor: Actor,
    at: datetime,
) -> None:
    """Write down that the county has checked the organisation, what it checked, and until when that holds.

    Raises:
        NotFound: the county does not look after it.
        WrongState: it is suspended.
        Invalid: nothing was checked, or the day does not fit.
    """
    problems = rules.verdict_problems(checked, until, note, today=at.astimezone(CHINA).date())
    if problems:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
    async with transaction():
        row = await of_county(organisation_id, county_id)
        state = rules.VERIFICATION.apply("verify", state=row["standing"], by="verifier")
        filing_id = await _open_filing(organisation_id) or await _own_filing(organisation_id, actor, at)
        await execute(
            """UPDATE verification SET outcome = $2, checked = $3, valid_until = $4, note = $5,
                 decided_by = $6, verifier = $7, decided_at = $8 WHERE id = $1""",
            filing_id,
            state,
            list(checked),
            until,
            note,
            actor.person_id,
            county_id,
            at,
        )
        await move_to(organisation_id, state, at=at, checked=checked, until=until)
        await schedule_end(organisation_id, until, at=at)
        await record(
            subject=f"organisation:{organisation_id}",
            action="verify",
            actor=actor,
            at=at,
            details={"filing": filing_id, "checked": list(checked), "until": until.isoformat()},
        )
        await tell(
            organisation_id,
            "verified",
            msg("县里已核验贵单位，有效期至 {day}。", day=on_day(until)),
            at=at,
        )


async def refuse(
    *, organisation_id: int, reason: str, note: str, county_id: int, actor: Actor, at: datetime
) -> None:
    """Refuse what was filed with a coded reason; a verification that still holds goes on.

    Raises:
        NotFound: the county does not look after it.
        Conflict: nothing was filed.
        Invalid: no such reason.
    """
    if problems := rules.reason_problems(reason, note, rules.REFUSALS):
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
    async with transaction():
        row = await of_county(organisation_id, county_id)
        filing_id = await _open_filing(organisation_id)
        if filing_id is None:
            raise Conflict(msg("没有等待核验的材料，请刷新后再看。"))
        move = "refuse_renewal" if row["standing"] == VERIFIED else "refuse"
        state = rules.VERIFICATION.apply(move, state=row["standing"], by="verifier")
        await execute(
            """UPDATE verification SET outcome = $2, reason = $3, note = $4, decided_by = $5, verifier = $6,
                 decided_at = $7 WHERE id = $1""",
            filing_id,
            REFUSED,
            reason,
            note,
            actor.person_id,
            county_id,
            at,
        )
        if state == REFUSED:
            await move_to(organisation_id, state, at=at, reason=reason, note=note)
        await record(
            subject=f"organisation:{organisation_id}",
            action=move,
            actor=actor,
            at=at,
            details={"filing": filing_id, "reason": reason},
        )
        await tell(
            organisation_id,
            "verification_refused",
            msg("县里没有通过贵单位的核验：{reason}。请补齐后再交。", reason=rules.REFUSALS[reason]),
            at=at,
        )


async def suspend(
    *, organisation_id: int, reason: str, note: str, county_id: int, actor: Actor, at: datetime
) -> None:
    """Let an organisation bind itself to nothing new from now on. What it owes stays, and is fulfilled.

    Raises:
        NotFound: the county does not look after it.
        WrongState: it is suspended already.
        Invalid: no such reason.
    """
    if problems := rules.reason_problems(reason, note, rules.SUSPENSIONS):
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
    async with transaction():
        row = await of_county(organisation_id, county_id)
        state = rules.VERIFICATION.apply("suspend", state=row["standing"], by="verifier")
        await move_to(organisation_id, state, at=at, reason=reason, note=note, keep_until=True)
        await record(
            subject=f"organisation:{organisation_id}",
            action="suspend",
            actor=actor,
            at=at,
            details={"reason": reason},
        )
        await tell(
            organisation_id,
            "suspended",
            msg(
                "县里暂停了贵单位：{reason}。恢复之前不能发布、出价、签合同；已经签的合同照常履行。",
                reason=rules.SUSPENSIONS[reason],
            ),
            at=at,
        )


async def reinstate(*, organisation_id: int, note: str, county_id: int, actor: Actor, at: datetime) -> str:
    """End a suspension; return the state after it: verified, where a verification still holds.

    Raises:
        NotFound: the county does not look after it.
        WrongState: it is not suspended.
        Invalid: the note is too long.
    """
    if len(note) > rules.LONGEST_WORDS:
        problem = msg("最多 {most} 个字。", most=rules.LONGEST_WORDS)
        raise Invalid(problem, {"note": problem})
    async with transaction():
        row = await of_county(organisation_id, county_id)
        holds = row["verified_until"] is not None and row["verified_until"] >= at.astimezone(CHINA).date()
        move = "reinstate_verified" if holds else "reinstate"
        state = rules.VERIFICATION.apply(move, state=row["standing"], by="verifier")
        await move_to(organisation_id, state, at=at, note=note, keep_until=holds)
        await record(subject=f"organisation:{organisation_id}", action=move, actor=actor, at=at, details={})
        await tell(
            organisation_id, "reinstated", msg("县里恢复了贵单位，可以照常发布、出价、签合同。"), at=at
        )
    return state


async def adopt(*, organisation_id: int, county_id: int, actor: Actor, at: datetime) -> None:
    """Let a county look after an organisation that belongs to none.

    Raises:
        NotFound: it belongs to another county.
        Conflict: the county looks after it already.
    """
    async with transaction():
        await of_county(organisation_id, county_id)
        taken = await fetch(
            "UPDATE organisation SET county = $2 WHERE id = $1 AND county IS NULL RETURNING id",
            organisation_id,
            county_id,
        )
        if not taken:
            raise Conflict(msg("这个单位已经归本县管。"))
        await record(
            subject=f"organisation:{organisation_id}",
            action="adopt",
            actor=actor,
            at=at,
            details={"county": county_id},
        )


class Capable(msgspec.Struct, frozen=True):
    """What the county has granted an organisation, and withheld from it, by hand."""

    granted: tuple[str, ...]
    withheld: tuple[str, ...]


async def set_capabilities(
    *,
    organisation_id: int,
    granted: tuple[str, ...],
    withheld: tuple[str, ...],
    county_id: int,
    actor: Actor,
    at: datetime,
    seen: str | None = None,
) -> None:
    """Grant an organisation what its kind does not bring, or withhold what it does.

    ``seen`` are the marks of :class:`Capable` as it was read, where that is known: rights are given as a
    whole, so that every change of others is asked back.

    Raises:
        ChangedMeanwhile: others have granted or withheld something since.
        NotFound: the county does not look after it.
        Invalid: no such capability, or one that is granted and withheld.
    """
    if {*granted, *withheld} - CAPABILITIES.keys() or set(granted) & set(withheld):
        problem = msg("同一项资格不能既授予又收回。")
        raise Invalid(problem, {"withheld": problem})
    async with transaction():
        row = await of_county(organisation_id, county_id)
        now = Capable(tuple(row["granted"]), tuple(row["withheld"]))
        settled(Capable(granted, withheld), now=now, seen=seen, exact=True)
        await execute(
            "UPDATE organisation SET granted = $2, withheld = $3 WHERE id = $1",
            organisation_id,
            list(granted),
            list(withheld),
        )
        await record(
            subject=f"organisation:{organisation_id}",
            action="set_capabilities",
            actor=actor,
            at=at,
            details={"granted": sorted(granted), "withheld": sorted(withheld)},
        )
        await tell(organisation_id, "capabilities", msg("县里调整了贵单位的资格，请查看。"), at=at)


async def _counties_of(row: Record) -> list[int]:
    """Return who looks after an organisation; where it names nobody, every county does."""
    rows = await fetch(
        """SELECT id FROM organisation WHERE kind = 'county' AND id <> $3
             AND id = coalesce($1, (SELECT county FROM organisation WHERE id = $2), id) ORDER BY id""",
        row["county"],
        row["town"],
        row["id"],
    )
    return [each["id"] for each in rows]


async def _open_filing(organisation_id: int) -> int | None:
    rows = await fetch(
        "SELECT id FROM verification WHERE organisation = $1 AND outcome IS NULL", organisation_id
    )
    return int(rows[0]["id"]) if rows else None


async def _own_filing(organisation_id: int, actor: Actor, at: datetime) -> int:
    """Where the county checked of its own accord, it filed itself what it saw."""
    rows = await fetch(
        "INSERT INTO verification (organisation, filed_by, filed_at) VALUES ($1, $2, $3) RETURNING id",
        organisation_id,
        actor.person_id,
        at,
    )
    return int(rows[0]["id"])
