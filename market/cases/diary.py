"""What every deed of the worry book does with it: a line in the diary, a record, and a word to both sides."""

from datetime import date, datetime
from typing import Any

import msgspec
from asyncpg import Record

from market.accounts.rules import Actor
from market.audit.operations import record
from market.cases import rules
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
        """SELECT book.*, listing.owner AS seller, listing.title, listing.title_en, lot.remaining, town.county
           FROM stuck_case book JOIN listing ON listing.id = book.listing JOIN lot ON lot.id = listing.lot
           JOIN organisation town ON town.id = book.town
           WHERE book.id = $1 AND ($2::bigint IS NULL OR $2 IN (listing.owner, book.town, town.county))
           FOR UPDATE OF book""",
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


async def begin(
    *,
    listing_id: int,
    cause: str,
    stuck_since: date,
    actor: Actor,
    at: datetime,
    note: str = "",
) -> tuple[int, bool]:
    """Open the case of a listing, or open it again; return its number and whether that changed anything.

    It starts at the village, in the seller's charge. One that was closed goes on at the level where it was.
    Goods that were put on sale again under another listing have one open case, the one that there is.
    """
    today = at.astimezone(CHINA).date()
    same_goods = await fetch(
        """SELECT book.id FROM listing
           JOIN listing other ON other.lot = listing.lot AND other.id <> listing.id
           JOIN stuck_case book ON book.listing = other.id AND book.state = $2
           WHERE listing.id = $1 ORDER BY book.id LIMIT 1""",
        listing_id,
        rules.OPEN,
    )
    if same_goods:
        return int(same_goods[0]["id"]), False
    made = await fetch(
        """INSERT INTO stuck_case (listing, town, state, cause, level, owner, due_on, stuck_since, opened_at,
                                   level_since)
           SELECT listing.id, owner.town, $2, $3, $4, owner.id, $5, $6, $7, $7
           FROM listing JOIN organisation owner ON owner.id = listing.owner
           WHERE listing.id = $1 AND owner.town IS NOT NULL
           ON CONFLICT (listing) DO NOTHING RETURNING id""",
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
        known = await fetch("SELECT id FROM stuck_case WHERE listing = $1", listing_id)
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
        details={"listing": listing_id, "cause": cause},
    )
    # the town gets one word about all that a round opens
    but = (case["town"],) if actor.side == "system" else ()
    await tell(case, kind="case_opened", message=told, actor=actor, at=at, but=but)
    return int(case["id"]), True
