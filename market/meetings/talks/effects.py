"""What follows from the result of a talk that counts: figures, contracts, samples. And how it is undone."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from asyncpg import Record

from market.accounts.rules import Actor
from market.amounts import masses, prices
from market.db.session import execute, fetch
from market.deals import rules as deals
from market.deals.taking_back import take_back
from market.i18n import Message, msg, named
from market.matching.refusals import take_back_refusals
from market.meetings import rules
from market.meetings.after.samples import move_sample, request_sample
from market.meetings.commands import Outcome
from market.meetings.day.seated import count_as_absent, count_as_come
from market.meetings.talks.figures import WITH_FIGURES
from market.meetings.talks.striking import strike
from market.notices.operations import notify
from market.units import FenPerKg, Gram


async def take_effect(
    row: Record, outcome: Outcome, topics: Mapping[int, Record], *, actor: Actor, at: datetime
) -> tuple[int, ...]:
    """Let a result count for its talk, in the caller's transaction; return the contracts that it made.

    Both sides count as having come, unless it says that one did not.

    Raises:
        Conflict: stock or demand have gone.
    """
    number = row["id"]
    # before stock is held: others hold who comes first, and wait for stock then
    await count_as_come(
        appointment_id=number,
        outcome=outcome.outcome,
        reason=outcome.reason,
        town_id=row["town"],
        actor=actor,
        at=at,
    )
    await execute(
        """UPDATE appointment SET state = 'held', outcome = $2, reason = $3, note = $4,
             ended_at = coalesce(ended_at, CASE WHEN started_at IS NOT NULL THEN $5::timestamptz END)
           WHERE id = $1""",
        number,
        outcome.outcome,
        outcome.reason,
        outcome.note,
        at,
    )
    if rules.is_absence(outcome.outcome, outcome.reason):
        await count_as_absent(appointment_id=number, town_id=row["town"], actor=actor, at=at)
        # nobody is asked what has become of it; set right once more, the hourly round puts them down again
        await execute("DELETE FROM follow_up WHERE appointment = $1 AND level IS NULL", number)
    await execute(
        "UPDATE topic SET intent_quantity = NULL, intent_price = NULL WHERE appointment = $1", number
    )
    made = []
    for result in outcome.topics if outcome.outcome in WITH_FIGURES else ():
        deal_id = None
        if outcome.outcome == "signed":
            deal_id = await strike(
                topic_id=result.topic_id,
                quantity=Gram(result.quantity),
                price=FenPerKg(result.price),
                actor=actor,
                at=at,
            )
            made.append(deal_id)
        await execute(
            "UPDATE topic SET intent_quantity = $2, intent_price = $3, deal = $4 WHERE id = $1",
            result.topic_id,
            result.quantity,
            result.price,
            deal_id,
        )
    for listing in _wanted(outcome, topics):
        await request_sample(appointment_id=number, listing_id=listing, actor=actor, at=at)
    if outcome.outcome == "quote" and actor.organisation_id != row["seller"]:
        await _ask_for_quote(row, outcome, at=at)
    return tuple(made)


async def _ask_for_quote(row: Record, outcome: Outcome, *, at: datetime) -> None:
    """Tell the seller of whom the buyer wants a quote, and for what."""
    about = await fetch(
        """SELECT listing.title, listing.title_en, buyer.name, buyer.name_en FROM topic
           JOIN listing ON listing.id = topic.listing JOIN organisation buyer ON buyer.id = $2
           WHERE topic.id = ANY($1::bigint[]) ORDER BY topic.id LIMIT 1""",
        [each.topic_id for each in outcome.topics],
        row["buyer"],
    )
    values: dict[str, str | int | Message] = {
        "other": named(about[0], "name"),
        "title": named(about[0], "title"),
        "mass": masses(Gram(outcome.topics[0].quantity)),
        "price": prices(FenPerKg(outcome.topics[0].price)),
    }
    if (more := len(outcome.topics) - 1) > 0:
        message = msg(
            "{other}请您报价：“{title}”{mass}，会上说到 {price}，另有 {more} 项。", **values, more=more
        )
    else:
        message = msg("{other}请您报价：“{title}”{mass}，会上说到 {price}。", **values)
    await notify(
        organisation_id=row["seller"],
        kind="quote_asked",
        message=message,
        link=f"/meetings/{row['meeting']}/after#talk-{row['id']}",
        at=at,
    )


def _wanted(outcome: Outcome, topics: Mapping[int, Record]) -> list[int]:
    """Return the listings of which this result wants a sample; none named: all."""
    if outcome.outcome != "sample":
        return []
    return list(dict.fromkeys(topics[each]["listing"] for each in outcome.samples or topics))


class Undone(msgspec.Struct, frozen=True):
    """What went with a result that no longer counts: numbers of contracts, and how many samples."""

    contracts: tuple[str, ...] = ()
    samples: int = 0


async def undo(
    row: Record,
    topics: Mapping[int, Record],
    *,
    instead: Outcome,
    why: str,
    organisation_id: int,
    actor: Actor,
    at: datetime,
) -> Undone:
    """Take back what followed from a talk's result, in the caller's transaction, before another counts.

    Contracts that nobody has signed go, and samples that nobody has sent and that ``instead`` does not ask
    for. What is sent is on its way, whatever was meant.

    Raises:
        Conflict: a contract is signed.
    """
    contracts = [
        await take_back(deal_id=topic["deal"], actor=actor, at=at)
        for topic in topics.values()
        if topic["deal"] is not None
    ]
    await execute("UPDATE topic SET deal = NULL WHERE appointment = $1", row["id"])
    unsent = await fetch(
        """SELECT id FROM sample WHERE appointment = $1 AND state = 'requested'
             AND NOT listing = ANY($2::bigint[]) ORDER BY id""",
        row["id"],
        _wanted(instead, topics),
    )
    for sample in unsent:
        await move_sample(
            sample_id=sample["id"],
            move="call_off",
            organisation_id=organisation_id,
            actor=actor,
            at=at,
            note=why,
        )
    # what was refused by mistake may be proposed again; the hourly round bars what is refused now
    await take_back_refusals(source="appointment", source_ids=[row["id"]])
    return Undone(tuple(contracts), len(unsent))


async def bound_by(*, appointment_id: int) -> str | None:
    """Return the number of a contract of this talk that somebody has signed; None where nothing binds."""
    rows = await fetch(
        """SELECT deal.number FROM topic JOIN deal ON deal.id = topic.deal
           WHERE topic.appointment = $1 AND NOT deal.state = ANY($2::text[]) ORDER BY deal.id LIMIT 1""",
        appointment_id,
        [deals.PENDING, deals.CANCELLED],
    )
    return str(rows[0]["number"]) if rows else None
