"""Putting goods up for sale."""

from datetime import datetime

import msgspec

from market.accounts.rules import LIST, SYSTEM, Actor
from market.accounts.standing import permit
from market.audit.operations import MOST_AT_ONCE, Entry, record, record_all
from market.clock import CHINA
from market.db.jobs import enqueue
from market.db.replay import once
from market.db.session import execute, fetch, transaction
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg
from market.meanwhile import settled
from market.supply import rules
from market.supply.commands import Bonus, NewListing, NewTerms, NewWay, in_utc
from market.supply.search import search_text
from market.units import FenPerKg, Gram


class Published(msgspec.Struct, frozen=True):
    listing_id: int


async def publish_listing(
    *, listing: NewListing, owner_id: int, actor: Actor, at: datetime, key: str | None = None
) -> int:
    """Take the lot into stock, put it on sale and return the listing's number.

    The place defaults to the owner's own. The same ``key`` again gives the same number.

    Raises:
        Invalid: with every field that is wrong.
    """

    async def deed() -> Published:
        return Published(await _publish(listing=listing, owner_id=owner_id, actor=actor, at=at))

    published = await once(
        key=key, person_id=actor.person_id, request=listing, reply_type=Published, deed=deed, at=at
    )
    return published.listing_id


async def _publish(*, listing: NewListing, owner_id: int, actor: Actor, at: datetime) -> int:
    await permit(actor=actor, organisation_id=owner_id, side="seller", deed=LIST)
    owner = (await fetch("SELECT division, lat, lon FROM organisation WHERE id = $1", owner_id))[0]
    lat, lon = (owner["lat"], owner["lon"]) if listing.lat is None else (listing.lat, listing.lon)
    problems = rules.listing_problems(listing, has_place=lat is not None and lon is not None)
    if listing.available_to < at.astimezone(CHINA).date():
        problems["available_to"] = msg("供应截止日期已过，请改为今天或以后。")
    problems |= rules.day_problems(listing, today=at.astimezone(CHINA).date())
    closes_on = listing.closes_at.astimezone(CHINA).date() if listing.closes_at else None
    problems |= rules.way_problems(
        listing, ask=listing.ask, available_to=listing.available_to, at=at, closes_on=closes_on
    )
    problems |= await _unknown_names(listing)
    if problems:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
    lot = await fetch(
        """INSERT INTO lot (owner, produce, variety, grade, quantity, remaining, division, lat, lon,
                            credentials, harvested_on, story, story_en, invented, created_at)
           VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8, $9, $10, $11, $12, $13, $14) RETURNING id""",
        owner_id,
        listing.produce,
        listing.variety,
        listing.grade,
        listing.quantity,
        listing.division or owner["division"],
        lat,
        lon,
        list(listing.credentials),
        listing.harvested_on,
        listing.story,
        listing.story_en,
        listing.invented,
        at,
    )
    lot_id = int(lot[0]["id"])
    await fetch("SELECT put_in_stock($1, $2, $3)", lot_id, listing.quantity, at)
    rows = await fetch(
        """INSERT INTO listing (lot, owner, title, title_en, ask, min_order, available_from, available_to,
                                priority, state, search, published_at, created_by, created_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '', $11, $12, $11) RETURNING id""",
        lot_id,
        owner_id,
        listing.title,
        listing.title_en,
        listing.ask,
        listing.min_order,
        listing.available_from,
        listing.available_to,
        listing.priority,
        rules.LISTING.apply("publish", state=rules.LISTING.start, by="seller"),
        at,
        actor.person_id,
    )
    listing_id = int(rows[0]["id"])
    await _set_way(listing_id, listing)
    await index_listing(listing_id)
    await record(
        subject=f"listing:{listing_id}",
        action="publish",
        actor=actor,
        at=at,
        details={"lot": lot_id, "grams": listing.quantity, "fen_per_kg": listing.ask},
    )
    return listing_id


async def _set_way(listing_id: int, way: NewListing | NewWay) -> None:
    """Write how a listing is sold; a round begins where the way has one."""
    await execute(
        """UPDATE listing SET way = $2, closes_at = $3, closes_latest = $4, min_step = $5, reserve = $6,
             opened_at = NULL, round = round + $7 WHERE id = $1""",
        listing_id,
        way.way,
        way.closes_at,
        rules.latest_closing(way),
        way.min_step,
        way.reserve,
        int(way.way in rules.ROUNDS),
    )
    if way.closes_at is not None:
        await close_at(listing_id, way.closes_at)


async def close_at(listing_id: int, at: datetime) -> None:
    """Have the round of a listing closed at its time, or looked at again then."""
    await enqueue(rules.CLOSING, {"listing_id": listing_id}, key=f"{listing_id}:{at.timestamp()}", run_at=at)


async def choose_way(
    *, listing_id: int, way: NewWay, owner_id: int, actor: Actor, at: datetime, seen: str | None = None
) -> None:
    """Sell what is on sale in another way from now on.

    ``seen`` are the marks of the way as it was read (``queries.way_of``), where that is known. A way is
    chosen as a whole: nothing of what others chose meanwhile is mixed into it.

    Raises:
        NotFound: no such listing of this owner.
        Conflict: it is off sale, a round lasts, or somebody waits for an answer to a bid.
        ChangedMeanwhile: others chose another way meanwhile.
        Invalid: with every field that is wrong.
    """
    async with transaction():
        rows = await fetch(
            """SELECT state, way, closes_at, min_step, reserve, opened_at, ask, available_to FROM listing
               WHERE id = $1 AND owner = $2 FOR NO KEY UPDATE""",
            listing_id,
            owner_id,
        )
        if not rows:
            raise NotFound(msg("没有找到这批货源。"))
        listing = rows[0]
        if listing["state"] not in (rules.PUBLISHED, rules.SUSPENDED):
            raise Conflict(msg("这批货源现在不在售，请刷新后再看。"))
        if rules.in_round(way=listing["way"], opened=listing["opened_at"] is not None):
            raise Conflict(msg("这一轮报价还没结束，截止后再换卖法；或撤回这批货源重新发布。"))
        # nobody bids meanwhile: whoever does holds the listing
        if await fetch(
            """SELECT FROM bid WHERE listing = $1 AND answers = 'listing'
               AND state IN ('submitted', 'needs_reconfirm') LIMIT 1""",
            listing_id,
        ):
            raise Conflict(msg("还有出价没有答复，请先接受或谢绝，再换卖法。"))
        now = NewWay(listing["way"], listing["closes_at"], listing["min_step"], listing["reserve"])
        settled(in_utc(way), now=in_utc(now), seen=seen, exact=True)
        closes_on = way.closes_at.astimezone(CHINA).date() if way.closes_at else None
        problems = rules.way_problems(
            way, ask=listing["ask"], available_to=listing["available_to"], at=at, closes_on=closes_on
        )
        if problems:
            raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
        await _set_way(listing_id, way)
        await record(
            subject=f"listing:{listing_id}",
            action="choose_way",
            actor=actor,
            at=at,
            details={"way": way.way, "closes_at": way.closes_at.isoformat() if way.closes_at else None},
        )


async def revise_listing(
    *, listing_id: int, terms: NewTerms, owner_id: int, actor: Actor, at: datetime
) -> None:
    """Change the terms of a listing that is on sale or suspended.

    Open bids are not touched here: ``bids.standing.revise_terms`` is the call that also asks their
    authors again.

    Raises:
        NotFound: no such listing of this owner.
        Conflict: it is no longer on sale.
        Invalid: with every field that is wrong.
    """
    async with transaction():
        rows = await fetch(
            """SELECT listing.state, listing.way, listing.opened_at, lot.id AS lot, lot.quantity FROM listing
               JOIN lot ON lot.id = listing.lot
               WHERE listing.id = $1 AND listing.owner = $2 FOR UPDATE OF listing""",
            listing_id,
            owner_id,
        )
        if not rows:
            raise NotFound(msg("没有找到这批货源。"))
        if rows[0]["state"] not in (rules.PUBLISHED, rules.SUSPENDED):
            raise Conflict(msg("这批货源现在不在售，请刷新后再看。"))
        if rules.in_round(way=rows[0]["way"], opened=rows[0]["opened_at"] is not None):
            raise Conflict(msg("竞价、密封报价期间条件不能改，这一轮结束后再改；或撤回货源重新发布。"))
        problems = rules.terms_problems(terms, quantity=Gram(rows[0]["quantity"]))
        if terms.available_to < at.astimezone(CHINA).date():
            problems["available_to"] = msg("供应截止日期已过，请改为今天或以后。")
        problems |= await unknown_credentials(terms.credentials)
        if problems:
            raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
        await execute(
            # the bonus stays between nought and the asking price
            """UPDATE listing SET ask = $2, priority = least(priority, $2), min_order = $3,
                 available_from = $4, available_to = $5 WHERE id = $1""",
            listing_id,
            terms.ask,
            terms.min_order,
            terms.available_from,
            terms.available_to,
        )
        await execute(
            "UPDATE lot SET credentials = $2 WHERE id = $1", rows[0]["lot"], list(terms.credentials)
        )
        await record(
            subject=f"listing:{listing_id}",
            action="revise",
            actor=actor,
            at=at,
            details={"fen_per_kg": terms.ask, "min_order": terms.min_order},
        )


async def move_listing(*, listing_id: int, move: str, owner_id: int, actor: Actor, at: datetime) -> str:
    """Suspend, resume or withdraw a listing; return its new state.

    Raises:
        NotFound: no such listing of this owner.
        WrongState: the move is not open now.
    """
    async with transaction():
        rows = await fetch(
            "SELECT state, way, opened_at FROM listing WHERE id = $1 AND owner = $2 FOR UPDATE",
            listing_id,
            owner_id,
        )
        if not rows:
            raise NotFound(msg("没有找到这批货源。"))
        state = rules.LISTING.apply(move, state=rows[0]["state"], by="seller")
        await execute("UPDATE listing SET state = $2 WHERE id = $1", listing_id, state)
        await record(subject=f"listing:{listing_id}", action=move, actor=actor, at=at, details={})
        if state == rules.WITHDRAWN and rows[0]["way"] == rules.OPEN and rows[0]["opened_at"] is None:
            # who has bid for all to see is told now, not at the closing
            await enqueue(rules.CLOSING, {"listing_id": listing_id}, key=f"{listing_id}:withdrawn")
    return state


async def set_priority(
    *, listing_id: int, bonus: Bonus, town_id: int, actor: Actor, at: datetime, seen: str | None = None
) -> None:
    """Grant a listing of the town's sellers a hardship bonus in matching.

    ``seen`` are the marks of the bonus as it was read, where that is known.

    Raises:
        NotFound: no such listing in this town.
        ChangedMeanwhile: others have granted it another one since.
        Invalid: negative, or more than the asking price.
    """
    async with transaction():
        rows = await fetch(
            """SELECT listing.ask, listing.priority FROM listing
               JOIN organisation ON organisation.id = listing.owner
               WHERE listing.id = $1 AND organisation.town = $2 FOR UPDATE OF listing""",
            listing_id,
            town_id,
        )
        if not rows:
            raise NotFound(msg("没有找到这批货源。"))
        settled(bonus, now=Bonus(FenPerKg(rows[0]["priority"])), seen=seen, exact=True)
        if not 0 <= bonus.priority <= rows[0]["ask"]:
            problem = msg("照顾加分须在零与要价之间。")
            raise Invalid(problem, {"priority": problem})
        await execute("UPDATE listing SET priority = $2 WHERE id = $1", listing_id, bonus.priority)
        await record(
            subject=f"listing:{listing_id}",
            action="prioritise",
            actor=actor,
            at=at,
            details={"fen_per_kg": bonus.priority},
        )


async def _unknown_names(listing: NewListing) -> dict[str, Message]:
    problems: dict[str, Message] = {}
    if not await fetch("SELECT code FROM produce WHERE code = $1", listing.produce):
        problems["produce"] = msg("品类表里没有“{name}”，请从提示中选一个。", name=listing.produce)
    if listing.division is not None and not await fetch(
        "SELECT code FROM division WHERE code = $1", listing.division
    ):
        problems["division"] = msg("没有这个行政区划代码，请从提示中选一个。")
    return problems | await unknown_credentials(listing.credentials)


async def unknown_credentials(codes: tuple[str, ...]) -> dict[str, Message]:
    known = {row["code"] for row in await fetch("SELECT code FROM credential_kind")}
    unknown = sorted(set(codes) - known)
    return {"credentials": msg("没有“{name}”这种资质。", name=unknown[0])} if unknown else {}


async def index_listing(listing_id: int) -> None:
    """Write what the search reads."""
    row = (
        await fetch(
            """SELECT listing.title, listing.title_en, lot.variety, produce.zh, produce.en, produce.aliases,
                      produce.pinyin, produce.initials, organisation.name, coalesce(division.path, '') AS path
               FROM listing JOIN lot ON lot.id = listing.lot
               JOIN produce ON produce.code = lot.produce
               JOIN organisation ON organisation.id = listing.owner
               LEFT JOIN division ON division.code = lot.division
               WHERE listing.id = $1""",
            listing_id,
        )
    )[0]
    await execute("UPDATE listing SET search = $2 WHERE id = $1", listing_id, search_text(**dict(row)))


class NewPicture(msgspec.Struct, frozen=True):
    """A picture that has been re-encoded: no metadata of the camera is left in it."""

    image: bytes
    thumb: bytes
    width: int
    height: int
    content_hash: str
    illustration: bool = False


async def add_picture(*, listing_id: int, picture: NewPicture, owner_id: int) -> None:
    """Append a picture to the lot of a listing.

    Raises:
        NotFound: no such listing of this owner.
    """
    rows = await fetch(
        """INSERT INTO picture (lot, position, illustration, content_hash, width, height, image, thumb)
           SELECT lot, 1 + (SELECT count(*) FROM picture WHERE picture.lot = listing.lot),
                  $3, $4, $5, $6, $7, $8
           FROM listing WHERE id = $1 AND owner = $2 RETURNING id""",
        listing_id,
        owner_id,
        picture.illustration,
        picture.content_hash,
        picture.width,
        picture.height,
        picture.image,
        picture.thumb,
    )
    if not rows:
        raise NotFound(msg("没有找到这批货源。"))


async def expire_listings(*, at: datetime) -> int:
    """Take off sale what is no longer available; return how many listings, at most ``MOST_AT_ONCE``.

    A round that late bids have moved past midnight is ended first.
    """
    async with transaction():
        rows = await fetch(
            """WITH due AS (SELECT id FROM listing WHERE state = ANY($2::text[]) AND available_to < $3
                              AND NOT (way = ANY($4::text[]) AND opened_at IS NULL)
                            ORDER BY id LIMIT $5 FOR UPDATE SKIP LOCKED)
               UPDATE listing SET state = $1 FROM due WHERE listing.id = due.id RETURNING listing.id""",
            rules.EXPIRED,
            sorted(rules.LISTING.sources("expire")),
            at.astimezone(CHINA).date(),
            sorted(rules.ROUNDS),
            MOST_AT_ONCE,
        )
        await record_all([Entry(f"listing:{row['id']}", "expire", SYSTEM, at, {}) for row in rows])
    return len(rows)
