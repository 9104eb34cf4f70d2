"""Taking up a suggestion of the engine, or declining it."""

from collections import Counter
from datetime import datetime

import msgspec
from asyncpg import Record

from market.accounts.rules import ANSWER, SYSTEM, Actor
from market.amounts import masses
from market.audit.operations import Entry, record, record_all
from market.catalogue.queries import check_reason
from market.clock import CHINA
from market.db.replay import once
from market.db.session import execute, fetch, transaction
from market.deals.operations import NewDeal, make_deal
from market.errors import Conflict, NotFound
from market.i18n import msg, named
from market.matching import lifecycle
from market.notices.operations import notify
from market.organisations.approving import Binding, approvable, asks, bind
from market.organisations.dead_approvals import end_dead_approvals
from market.units import HAO_PER_FEN, FenPerKg, Gram, amount


class Agree(msgspec.Struct, frozen=True):
    match_id: int
    organisation_id: int


class Agreement(msgspec.Struct, frozen=True):
    """The match's new state, and the deal where both sides have agreed."""

    state: str
    deal_id: int | None


@asks
async def agree(
    *, match_id: int, organisation_id: int, actor: Actor, at: datetime, key: str | None = None
) -> Agreement:
    """Agree for one side. The second agreement makes the deal, in the same transaction.

    Raises:
        NotFound: no such match of this organisation.
        WrongState: it is no longer open.
        Conflict: this side has agreed already, the match has lapsed, or stock or demand have gone.
        NotAllowed: as ``approving.bind``.
    """

    async def deed() -> Agreement:
        match, side = await _locked(match_id=match_id, organisation_id=organisation_id)
        move = "agree" if match["state"] == lifecycle.PROPOSED else "complete"
        state = lifecycle.MATCH.apply(move, state=match["state"], by=side)
        if match["expires_at"] <= at:
            raise Conflict(msg("这条建议已过期，请等下一次撮合。"))
        if match["deliver_to"] < at.astimezone(CHINA).date():
            raise Conflict(msg("采购需求的交货期已经过了，这条建议不能再答复。"))
        if match[f"{side}_agreed_at"] is not None:
            raise Conflict(msg("您这一方已经同意，等对方答复即可。"))
        await bind(
            actor=actor,
            organisation_id=organisation_id,
            side=side,
            deed=ANSWER,
            other=match["buyer" if side == "seller" else "seller"],
            what=_binding(match, organisation_id),
        )
        await execute(
            f"UPDATE match SET state = $2, {side}_agreed_at = $3 WHERE id = $1",  # noqa: S608  one of two words
            match_id,
            state,
            at,
        )
        deal_id = None
        if state == lifecycle.AGREED:
            state = lifecycle.MATCH.apply("convert", state=state, by="system")
            deal_id = await make_deal(
                deal=_deal(
                    match,
                    quantity=Gram(match["quantity"]),
                    # down to a whole fen: the ask is whole, so it stays between ask and the buyer's most
                    price=FenPerKg(match["offered"] // HAO_PER_FEN),
                    source="match",
                    source_id=match_id,
                ),
                actor=actor,
                at=at,
            )
            await execute("UPDATE match SET state = $2, deal = $3 WHERE id = $1", match_id, state, deal_id)
        else:
            await notify(
                organisation_id=match["buyer"] if side == "seller" else match["seller"],
                kind="match_agreed",
                message=msg(
                    "对方已同意“{title}”{mass}的撮合建议，请您答复。",
                    title=named(match, "title"),
                    mass=masses(Gram(match["quantity"])),
                ),
                link=f"/matches/{match_id}",
                at=at,
                due_at=match["expires_at"],
            )
        await record(
            subject=f"match:{match_id}",
            action="agree",
            actor=actor,
            at=at,
            details={"side": side, "deal": deal_id},
        )
        return Agreement(state, deal_id)

    return await once(
        key=key,
        person_id=actor.person_id,
        request=Agree(match_id, organisation_id),
        reply_type=Agreement,
        deed=deed,
        at=at,
    )


def _binding(match: Record, buyer_id: int) -> Binding:
    """Return what agreeing binds the buyer to."""
    quantity, price = Gram(match["quantity"]), FenPerKg(match["price"] // HAO_PER_FEN)
    return Binding(
        "agree",
        Agree(match["id"], buyer_id),
        amount(quantity, price),
        msg("同意“{title}”{mass}的撮合建议", title=named(match, "title"), mass=masses(quantity)),
        f"match:{match['id']}",
        f"/matches/{match['id']}",
        match["seller"],
    )


@approvable("agree", Agree)
async def _agree_approved(wish: Agree, buyer_id: int, actor: Actor, at: datetime) -> str:
    made = await agree(match_id=wish.match_id, organisation_id=buyer_id, actor=actor, at=at)
    return f"/deals/{made.deal_id}" if made.deal_id else f"/matches/{wish.match_id}"


async def decline(
    *, match_id: int, organisation_id: int, reason: str, note: str, actor: Actor, at: datetime
) -> None:
    """Decline for one side with a coded reason; the next run does not propose the pair again.

    Raises:
        NotFound: no such match of this organisation.
        WrongState: it is no longer open.
        Invalid: no such reason.
    """
    async with transaction():
        match, side = await _locked(match_id=match_id, organisation_id=organisation_id)
        await check_reason(reason, side, words=note)
        state = lifecycle.MATCH.apply("decline", state=match["state"], by=side)
        await execute(
            """UPDATE match SET state = $2, declined_by = $3, decline_reason = $4, decline_note = $5
               WHERE id = $1""",
            match_id,
            state,
            organisation_id,
            reason,
            note,
        )
        await record(
            subject=f"match:{match_id}", action="decline", actor=actor, at=at, details={"reason": reason}
        )
        await notify(
            organisation_id=match["buyer"] if side == "seller" else match["seller"],
            kind="match_declined",
            message=msg("对方谢绝了“{title}”的撮合建议，原因已写明。", title=named(match, "title")),
            link=f"/matches/{match_id}",
            at=at,
        )
        await end_dead_approvals(at=at, subject=f"match:{match_id}")


_MATCH = """SELECT match.*, offered_price(match.price, listing.way, listing.ask) AS offered,
       listing.title, listing.title_en, listing.available_from, listing.available_to,
       demand.deliver_from, demand.deliver_to
FROM match JOIN listing ON listing.id = match.listing JOIN demand ON demand.id = match.demand
"""


async def _locked(*, match_id: int, organisation_id: int) -> tuple[Record, str]:
    rows = await fetch(
        _MATCH + "WHERE match.id = $1 AND $2 IN (match.seller, match.buyer) FOR UPDATE OF match",
        match_id,
        organisation_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这条撮合建议。"))
    return rows[0], "seller" if rows[0]["seller"] == organisation_id else "buyer"


def _deal(match: Record, *, quantity: Gram, price: FenPerKg, source: str, source_id: int) -> NewDeal:
    return NewDeal(
        listing_id=match["listing"],
        demand_id=match["demand"],
        buyer_id=match["buyer"],
        quantity=quantity,
        price=price,
        source=source,
        source_id=source_id,
        deliver_from=max(match["available_from"], match["deliver_from"]),
        deliver_to=min(match["available_to"], match["deliver_to"]),
    )


async def conclude(
    *, match_id: int, quantity: Gram, price: FenPerKg, topic_id: int, actor: Actor, at: datetime
) -> int:
    """Turn a match into the deal that both sides struck at the table, on their own terms.

    ``topic_id`` names the talk; it makes one deal at most. Return the deal's number.

    Raises:
        WrongState: the match is no longer open.
        Conflict: stock or demand have gone.
    """
    async with transaction():
        rows = await fetch(_MATCH + "WHERE match.id = $1 FOR UPDATE OF match", match_id)
        if not rows:
            raise NotFound(msg("没有找到这条撮合建议。"))
        match = rows[0]
        state = match["state"]
        for move, side in (("agree", "seller"), ("complete", "buyer"), ("convert", "system")):
            if lifecycle.MATCH.find(move, state=state, by=side):
                state = lifecycle.MATCH.apply(move, state=state, by=side)
        if state != lifecycle.CONVERTED or match["state"] == lifecycle.CONVERTED:
            raise Conflict(msg("这条撮合建议已经结束，不能再据此成交。"))
        deal_id = await make_deal(
            deal=_deal(match, quantity=quantity, price=price, source="appointment", source_id=topic_id),
            actor=actor,
            at=at,
        )
        await execute(
            """UPDATE match SET state = $2, deal = $3, seller_agreed_at = coalesce(seller_agreed_at, $4),
                 buyer_agreed_at = coalesce(buyer_agreed_at, $4) WHERE id = $1""",
            match_id,
            state,
            deal_id,
            at,
        )
        await record(
            subject=f"match:{match_id}", action="conclude", actor=actor, at=at, details={"deal": deal_id}
        )
    return deal_id


async def expire_matches(*, at: datetime) -> int:
    """Let matches lapse that were not agreed to in time; their quantity is free for the next run.

    Those that nobody took up are recorded as they were proposed: by number, in the chain of their run.
    """
    async with transaction():
        rows = await fetch(
            """UPDATE match SET state = $1 WHERE state = ANY($2::text[]) AND (expires_at <= $3
                 OR (SELECT deliver_to FROM demand WHERE demand.id = match.demand) < $4)
               RETURNING id, run, seller_agreed_at IS NOT NULL OR buyer_agreed_at IS NOT NULL AS taken_up""",
            lifecycle.EXPIRED,
            sorted(lifecycle.MATCH.sources("expire")),
            at,
            at.astimezone(CHINA).date(),
        )
        counts = Counter(row["run"] for row in rows if not row["taken_up"])
        await record_all(
            [Entry(f"match:{row['id']}", "expire", SYSTEM, at, {}) for row in rows if row["taken_up"]]
            + [Entry(f"run:{run}", "expire", SYSTEM, at, {"matches": n}) for run, n in counts.items()]
        )
    return len(rows)
