"""What every deed of the worry book does with it: a line in the diary, a record, and a word to both sides."""

from datetime import date, datetime
from typing import Any

import msgspec
from asyncpg import Record

from market.accounts.rules import SYSTEM, Actor
from market.audit.operations import record
from market.cases import rules
from market.cases.queries import LISTING, TITLES
from market.clock import CHINA
from market.db.session import execute, fetch
from market.errors import NotFound
from market.i18n import Message, msg, named, on_day
from market.notices.operations import notify

LINK = "/cases/{id}"


async def locked(*, case_id: int, organisation_id: int | None = None) -> Record:
    """Lock a case of the seller's, the town's or its county's; without an organisation it is anybody's.

    Raises:
        NotFound: no such case of theirs.
    """
    rows = await fetch(
        f"""SELECT book.*, lot.owner AS seller, {TITLES}, lot.remaining, town.county
           FROM stuck_case book JOIN lot ON lot.id = book.lot JOIN produce ON produce.code = lot.produce
           LEFT JOIN listing ON listing.id = {LISTING} JOIN organisation town ON town.id = book.town
           WHERE book.id = $1 AND ($2::bigint IS NULL OR $2 IN (lot.owner, book.town, town.county))
           FOR UPDATE OF book""",  # noqa: S608  words of ours; values are parameters
        case_id,
        organisation_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这件心病。"))
    return rows[0]


async def write(
    *,
    case_id: int,
    kind: str,
    level: str,
    actor: Actor,
    at: datetime,
    message: Message | None = None,
    note: str = "",
    details: dict[str, Any] | None = None,
) -> None:
    """Append a line to the diary, and its deed to the record."""
    await execute(
        """INSERT INTO case_entry (about, kind, level, message, note, person, organisation, at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
        case_id,
        kind,
        level,
        None if message is None else msgspec.json.encode(message).decode(),
        note.strip(),
        actor.person_id,
        actor.organisation_id,
        at,
    )
    await record(
        subject=f"case:{case_id}",
        action=f"case_{kind}",
        actor=actor,
        at=at,
        details={"level": level, **(details or {})},
    )


async def tell(
    case: Record,
    *,
    kind: str,
    message: Message,
    actor: Actor,
    at: datetime,
    further: tuple[int, ...] = (),
    but: tuple[int, ...] = (),
) -> None:
    """Tell the seller, the town and whoever is in charge; neither who did it nor ``but``."""
    concerned = {case["seller"], case["town"], case["owner"], *further}
    for party in sorted(concerned - {actor.organisation_id, *but}):
        await notify(
            organisation_id=party, kind=kind, message=message, link=LINK.format(id=case["id"]), at=at
        )


async def hold_book_of(lot_id: int) -> None:
    """Let nobody else open a case of a lot until the transaction ends. Held before any case of it is.

    The lot itself is not held: its goods may be sold meanwhile.
    """
    await execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"case:{lot_id}")


async def begin(
    *,
    lot_id: int,
    listing_id: int | None,
    cause: str,
    stuck_since: date,
    actor: Actor,
    at: datetime,
    note: str = "",
) -> tuple[int, bool]:
    """Open the case of a lot by its listing, or open it again; return its number and whether it was not open.

    Without a listing it is of goods that were never on sale. It starts at the village, in the seller's
    charge; one that was closed goes on at the level where it was. A lot has one open case at most, also where
    several open one for it at once.
    """
    await hold_book_of(lot_id)
    today = at.astimezone(CHINA).date()
    open_now = await fetch(
        "SELECT id FROM stuck_case WHERE lot = $1 AND state = $2 ORDER BY id LIMIT 1", lot_id, rules.OPEN
    )
    if open_now:
        return int(open_now[0]["id"]), False
    made = await fetch(
        """INSERT INTO stuck_case (lot, listing, town, state, cause, level, owner, due_on, stuck_since,
                                   opened_at, level_since)
           SELECT lot.id, $2, owner.town, $3, $4, $5, owner.id, $6, $7, $8, $8
           FROM lot JOIN organisation owner ON owner.id = lot.owner
           WHERE lot.id = $1 AND owner.town IS NOT NULL
           ON CONFLICT DO NOTHING RETURNING id""",
        lot_id,
        listing_id,
        rules.CASE.start,
        cause,
        "village",
        rules.due_on("village", since=today),
        stuck_since,
        at,
    )
    if made:
        case = await locked(case_id=made[0]["id"])
    else:
        known = await fetch(
            "SELECT id FROM stuck_case WHERE lot = $1 AND listing IS NOT DISTINCT FROM $2", lot_id, listing_id
        )
        if not known:
            raise NotFound(msg("这批货的卖方还没有挂靠乡镇，不能立案。"))
        case = await locked(case_id=known[0]["id"])
        if case["state"] == rules.OPEN:
            return int(case["id"]), False
        await execute(
            """UPDATE stuck_case SET state = $2, cause = $3, due_on = $4, stuck_since = $5, opened_at = $6,
                 level_since = $6, closed_at = NULL, reason = NULL, reason_note = '' WHERE id = $1""",
            case["id"],
            rules.CASE.apply("reopen", state=case["state"], by=actor.side),
            cause,
            rules.due_on(case["level"], since=today),
            stuck_since,
            at,
        )
    values: dict[str, Any] = {"title": named(case, "title"), "cause": rules.CAUSES[cause]}
    due = on_day(rules.due_on(case["level"], since=today))
    told = msg("“{title}”记入心病台账：{cause}，请在 {day} 前解决。", **values, day=due)
    await write(
        case_id=case["id"],
        kind=rules.OPENED if made else rules.REOPENED,
        level=case["level"],
        actor=actor,
        at=at,
        message=msg("{cause}；{day} 前解决。", cause=rules.CAUSES[cause], day=due),
        note=note,
        details={**_goods(lot_id, listing_id), "cause": cause},
    )
    # the town gets one word about all that a round opens
    but = (case["town"],) if actor.side == "system" else ()
    await tell(case, kind="case_opened", message=told, actor=actor, at=at, but=but)
    return int(case["id"]), True


async def recause(*, case_id: int, cause: str, listing_id: int | None, at: datetime) -> None:
    """Say that an open case goes on for another cause, by the listing that its goods are on sale by now.

    Call it in a transaction.
    """
    case = await locked(case_id=case_id)
    await execute(
        """UPDATE stuck_case SET cause = $2, listing = CASE
             WHEN $3::bigint IS NULL
               OR EXISTS (SELECT FROM stuck_case other WHERE other.listing = $3 AND other.id <> $1)
             THEN listing ELSE $3 END WHERE id = $1""",
        case_id,
        cause,
        listing_id,
    )
    await write(
        case_id=case_id,
        kind=rules.RECAUSED,
        level=case["level"],
        actor=SYSTEM,
        at=at,
        message=msg(
            "原来：{before}；现在：{cause}。", before=rules.CAUSES[case["cause"]], cause=rules.CAUSES[cause]
        ),
        details={**_goods(case["lot"], listing_id), "cause": cause},
    )


def _goods(lot_id: int, listing_id: int | None) -> dict[str, int]:
    return {"lot": lot_id} if listing_id is None else {"lot": lot_id, "listing": listing_id}
