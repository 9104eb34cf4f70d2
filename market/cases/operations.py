"""What people do with a case: open, write, put somebody in charge, send it up, close, open again."""

from datetime import date, datetime

from asyncpg import Record

from market.accounts.rules import Actor
from market.cases import rules
from market.cases.diary import begin, hold_book_of, locked, tell, write
from market.catalogue.persons import english_person
from market.clock import CHINA
from market.db.session import execute, fetch, fetch_value, transaction
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, in_both, msg, named, on_day
from market.meanwhile import settled


def _check(problems: dict[str, Message]) -> None:
    if problems:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)


#: Goods that a case can be opened for: those of a listing ($1), or a lot ($2) by the newest listing that it
#: was on sale by, if there was one.
_GOODS = """SELECT lot.id AS lot, listing.id AS listing, greatest(listing.published_at,
         CASE WHEN listing.id IS NULL THEN (
           SELECT max(at) FROM stock_entry WHERE stock_entry.lot = lot.id AND stock_entry.change <> 0) END, (
           -- all was under contract once: unsold since a contract set goods free again
           SELECT min(at) FROM stock_entry WHERE stock_entry.lot = lot.id AND stock_entry.id > (
             SELECT max(id) FROM stock_entry
             WHERE stock_entry.lot = lot.id AND stock_entry.remaining = 0))) AS since
       FROM lot JOIN organisation owner ON owner.id = lot.owner
       LEFT JOIN LATERAL (
         SELECT id, published_at FROM listing
         WHERE listing.lot = lot.id AND listing.state NOT IN ('draft', 'pending')
           AND ($1::bigint IS NULL OR listing.id = $1)
         ORDER BY id DESC LIMIT 1) listing ON true
       WHERE lot.id = coalesce($2, (SELECT lot FROM listing WHERE id = $1)) AND $3 IN (lot.owner, owner.town)
         AND lot.remaining > 0 AND ($1::bigint IS NULL OR listing.id IS NOT NULL)"""


async def open_case(
    *,
    listing_id: int | None = None,
    lot_id: int | None = None,
    note: str,
    organisation_id: int,
    actor: Actor,
    at: datetime,
) -> int:
    """Open the case of goods of the seller's or the town's by hand; return its number.

    They are named by a listing, or by their lot, which may never have been on sale.

    Raises:
        NotFound: no such goods of theirs with something left.
        Conflict: their case is open already.
        Invalid: the note is missing or too long.
    """
    _check(rules.note_problems("other", note))
    async with transaction():
        rows = await fetch(_GOODS, listing_id, lot_id, organisation_id)
        if not rows:
            raise NotFound(msg("没有找到这批货，或它已经卖完。"))
        goods = rows[0]
        case_id, is_new = await begin(
            lot_id=goods["lot"],
            listing_id=goods["listing"],
            cause=rules.BY_HAND,
            stuck_since=(goods["since"] or at).astimezone(CHINA).date(),
            actor=actor,
            at=at,
            note=note,
        )
        if not is_new:
            raise _in_the_book()
    return case_id


async def add_entry(
    *, case_id: int, kind: str, note: str, organisation_id: int, actor: Actor, at: datetime
) -> None:
    """Write a line into the diary of an open case.

    Raises:
        NotFound: no such case of theirs.
        Conflict: it is closed.
        Invalid: the kind or the note.
    """
    _check(rules.note_problems(kind, note))
    async with transaction():
        case = await locked(case_id=case_id, organisation_id=organisation_id)
        if case["state"] != rules.OPEN:
            raise Conflict(msg("这件心病已销号；要接着记，请先重新立案。"))
        await write(case_id=case_id, kind=kind, level=case["level"], actor=actor, at=at, note=note)


async def put_in_charge(
    *,
    case_id: int,
    owner_id: int,
    in_charge: str,
    due_on: date,
    note: str,
    decided: bool,
    town_id: int,
    actor: Actor,
    at: datetime,
    seen: str | None = None,
) -> None:
    """Say who has to solve a case and until when; ``decided``: the joint meeting of its level has said so.

    ``seen`` are the marks of the charge as it was read, where that is known: it is a decision as a whole, so
    that every change of others is asked back.

    Raises:
        ChangedMeanwhile: others have put somebody else in charge, or set another day, since.
        NotFound: no such case of this town; or of this county, while the case is at its level.
        Conflict: it is closed.
        Invalid: the owner is neither the seller nor the town; or the day, the name, the note.
    """
    today = at.astimezone(CHINA).date()
    problems = rules.charge_problems(in_charge, due_on, note, today=today)
    if decided and not note.strip():
        problems["note"] = msg("请写联席会议定了什么。")
    _check(problems)
    async with transaction():
        case = await locked(case_id=case_id, organisation_id=town_id)
        if not rules.decides(town_id, town=case["town"], county=case["county"], level=case["level"]):
            raise NotFound(msg("没有找到这件心病。"))
        if case["state"] != rules.OPEN:
            raise Conflict(msg("这件心病已销号；要接着记，请先重新立案。"))
        if owner_id not in (case["seller"], case["town"]):
            problem = msg("责任单位请选卖方或镇里。")
            raise Invalid(problem, {"owner": problem})
        now = rules.Charge(case["owner"], case["in_charge"], case["due_on"])
        settled(rules.Charge(owner_id, in_charge.strip(), due_on), now=now, seen=seen, exact=True)
        await execute(
            "UPDATE stuck_case SET owner = $2, in_charge = $3, due_on = $4 WHERE id = $1",
            case_id,
            owner_id,
            in_charge.strip(),
            due_on,
        )
        owner = (await fetch("SELECT name, name_en FROM organisation WHERE id = $1", owner_id))[0]
        who = in_both(
            *(
                " ".join(part for part in (name, person) if part)
                for name, person in (
                    (owner["name"], in_charge.strip()),
                    (owner["name_en"] or owner["name"], english_person(in_charge.strip())),
                )
            )
        )
        await write(
            case_id=case_id,
            kind=rules.DECIDED if decided else rules.ASSIGNED,
            level=case["level"],
            actor=actor,
            at=at,
            message=msg("由{who}负责，{day} 前解决。", who=who, day=on_day(due_on)),
            note=note,
            details={"owner": owner_id, "due_on": str(due_on)},
        )
        told = msg(
            "“{title}”由{who}负责，{day} 前解决。", title=named(case, "title"), who=who, day=on_day(due_on)
        )
        await tell(case, kind="case_assigned", message=told, actor=actor, at=at, further=(owner_id,))


async def climb(*, case_id: int, note: str, town_id: int, actor: Actor, at: datetime) -> str:
    """Send a case one level up before its time; return the level.

    Raises:
        NotFound: no such case of this town; or of this county, while the case is at its level.
        WrongState: it is closed.
        Conflict: there is no level above.
        Invalid: the note is missing or too long.
    """
    _check(rules.note_problems("other", note))
    async with transaction():
        case = await locked(case_id=case_id, organisation_id=town_id)
        if not rules.decides(town_id, town=case["town"], county=case["county"], level=case["level"]):
            raise NotFound(msg("没有找到这件心病。"))
        rules.CASE.apply("climb", state=case["state"], by=actor.side)
        if rules.above(case["level"]) is None:
            raise Conflict(msg("已经是最高一级，不能再升。"))
        return await lift(case_id=case_id, actor=actor, at=at, note=note)


async def lift(*, case_id: int, actor: Actor, at: datetime, note: str = "") -> str:
    """Take a case one level up, or at the top give it another term there; call it in a transaction.

    The town carries it from its own level on. Returns the level.
    """
    case = await locked(case_id=case_id)
    state = rules.CASE.apply("climb", state=case["state"], by=actor.side)
    higher = rules.above(case["level"])
    level = higher or case["level"]
    today = at.astimezone(CHINA).date()
    due = rules.due_on(level, since=today)
    await execute(
        """UPDATE stuck_case SET state = $2, level = $3, due_on = $4, level_since = $5, owner = town,
             in_charge = CASE WHEN owner = town AND $6 THEN in_charge ELSE '' END WHERE id = $1""",
        case_id,
        state,
        level,
        due,
        at,
        higher is None,
    )
    meeting = rules.JOINT_MEETINGS[level]
    await write(
        case_id=case_id,
        kind=rules.CLIMBED if higher else rules.HELD_OVER,
        level=level,
        actor=actor,
        at=at,
        message=msg("列入{meeting}议程，{day} 前解决。", meeting=meeting, day=on_day(due)),
        note=note,
        details={"from": case["level"], "due_on": str(due)},
    )
    told = (
        msg("“{title}”到期没有解决，已列入{meeting}议程，新期限 {day}。")
        if actor.side == "system"
        else msg("“{title}”提前上报，已列入{meeting}议程，新期限 {day}。")
    )
    message = Message(told.text, {"title": named(case, "title"), "meeting": meeting, "day": on_day(due)})
    reached = (case["county"],) if case["county"] and level in rules.COUNTY_LEVELS else ()
    await tell(case, kind="case_climbed", message=message, actor=actor, at=at, further=reached)
    return level


async def close(
    *, case_id: int, reason: str, note: str, organisation_id: int, actor: Actor, at: datetime
) -> None:
    """Close a case though something is left, saying why.

    Raises:
        NotFound: no such case of theirs.
        WrongState: it is closed.
        Invalid: the reason, or the word that it needs.
    """
    _check(rules.closing_problems(reason, note))
    async with transaction():
        await shut(
            case_id=case_id, reason=reason, note=note, organisation_id=organisation_id, actor=actor, at=at
        )


async def shut(
    *, case_id: int, reason: str, note: str, organisation_id: int | None, actor: Actor, at: datetime
) -> None:
    """Close a case; call it in a transaction, with a reason that has been checked."""
    case = await locked(case_id=case_id, organisation_id=organisation_id)
    _check_county(case, organisation_id)
    state = rules.CASE.apply("close", state=case["state"], by=actor.side)
    await execute(
        "UPDATE stuck_case SET state = $2, closed_at = $3, reason = $4, reason_note = $5 WHERE id = $1",
        case_id,
        state,
        at,
        reason,
        note.strip(),
    )
    await write(
        case_id=case_id,
        kind=rules.SHUT,
        level=case["level"],
        actor=actor,
        at=at,
        message=msg("销号原因：{reason}。", reason=rules.REASONS[reason]),
        note=note,
        details={"reason": reason, "remaining": case["remaining"]},
    )
    told = msg("“{title}”已销号：{reason}。", title=named(case, "title"), reason=rules.REASONS[reason])
    await tell(case, kind="case_closed", message=told, actor=actor, at=at)


async def reopen(*, case_id: int, note: str, organisation_id: int, actor: Actor, at: datetime) -> None:
    """Open a closed case again, at the level where it was.

    Raises:
        NotFound: no such case of theirs.
        WrongState: it is open.
        Conflict: nothing is left of the lot, or it has an open case under another listing.
        Invalid: the note is missing or too long.
    """
    _check(rules.note_problems("other", note))
    async with transaction():
        lot = await fetch_value("SELECT lot FROM stuck_case WHERE id = $1", case_id)
        if lot is not None:
            await hold_book_of(lot)
        case = await locked(case_id=case_id, organisation_id=organisation_id)
        _check_county(case, organisation_id)
        rules.CASE.apply("reopen", state=case["state"], by=actor.side)
        if not case["remaining"]:
            raise Conflict(msg("这批货已经卖完，不用再立案。"))
        _, is_new = await begin(
            lot_id=case["lot"],
            listing_id=case["listing"],
            cause=rules.BY_HAND,
            stuck_since=case["stuck_since"],
            actor=actor,
            at=at,
            note=note,
        )
        if not is_new:
            raise _in_the_book()


def _in_the_book() -> Conflict:
    return Conflict(msg("这批货已经在心病台账里，请到那里记录。"))


def _check_county(case: Record, organisation_id: int | None) -> None:
    """A county ends and reopens what has climbed to it; below, it reads and writes into the diary."""
    is_county = organisation_id is not None and organisation_id == case["county"]
    if is_county and case["level"] not in rules.COUNTY_LEVELS:
        raise NotFound(msg("没有找到这件心病。"))
