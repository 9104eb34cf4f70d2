"""The follow-up ledger as each side reads it. One text makes the rows; figures are sums over it."""

from typing import Any

import msgspec

from market.db.session import fetch, fetch_into
from market.followup.rules import Entry, Filters, Group, Sum
from market.meetings.after.intents import LATER_SQL

#: Rows of the ledger, for the organisation $1: its own, or those of its sellers where it is a town.
#:
#: A talk's intent is one only as long as it is open (``meetings.after.intents`` has the rule). A contract
#: that was cancelled before it bound is nothing.
_ENTRIES = f"""
  contract AS (
    SELECT deal.*, standing.price AS price_now, standing.grams AS stands, standing.fen, standing.ended_grams,
           standing.ended_fen, greatest(deal.seller_signed_at, deal.buyer_signed_at) AS signed_at
    FROM deal JOIN deal_standing standing ON standing.deal = deal.id
    JOIN organisation seller ON seller.id = deal.seller
    WHERE $1 IN (deal.seller, deal.buyer, seller.town)),
  -- whatever was said before is not open: the rule is asked of few
  newest AS (
    SELECT DISTINCT ON (listing.lot, appointment.buyer) topic.id
    FROM topic JOIN appointment ON appointment.id = topic.appointment
    JOIN meeting ON meeting.id = appointment.meeting JOIN listing ON listing.id = topic.listing
    JOIN organisation seller ON seller.id = appointment.seller
    WHERE appointment.state = 'held' AND appointment.outcome IN ('intent', 'signed')
      AND topic.intent_quantity IS NOT NULL AND topic.intent_price IS NOT NULL
      AND $1 IN (appointment.seller, appointment.buyer, seller.town)
    ORDER BY listing.lot, appointment.buyer, meeting.held_on DESC, topic.id DESC),
  talk AS (
    SELECT topic.id, topic.listing, appointment.seller, appointment.buyer, topic.intent_quantity,
           topic.intent_price, meeting.held_on
    FROM newest JOIN topic ON topic.id = newest.id JOIN appointment ON appointment.id = topic.appointment
    JOIN meeting ON meeting.id = appointment.meeting JOIN listing ON listing.id = topic.listing
    WHERE topic.deal IS NULL AND {LATER_SQL} IS NULL),
  line AS (
    SELECT 'intent' AS kind, held_on AS "on", NULL::bigint AS deal, 'appointment' AS source, id AS source_id,
           listing, seller, buyer, intent_price AS price, intent_quantity AS grams,
           (intent_quantity * intent_price + 500) / 1000 AS fen
    FROM talk
    UNION ALL
    SELECT 'intent', (created_at AT TIME ZONE 'Asia/Shanghai')::date, id, source, source_id, listing, seller,
           buyer, price_now, stands, fen
    FROM contract WHERE state IN ('pending', 'partly_signed')
    UNION ALL
    SELECT 'contract', (signed_at AT TIME ZONE 'Asia/Shanghai')::date, id, source, source_id, listing, seller,
           buyer, price_now, stands, fen
    FROM contract WHERE state IN ('active', 'completed') OR state = 'terminated' AND stands > 0
    UNION ALL
    SELECT 'ended', (terminated_at AT TIME ZONE 'Asia/Shanghai')::date, id, source, source_id, listing,
           seller, buyer, price_now, ended_grams, ended_fen
    FROM contract WHERE state = 'terminated'
    UNION ALL
    SELECT 'delivery', (delivery.arrived_at AT TIME ZONE 'Asia/Shanghai')::date, contract.id, source,
           source_id, listing, seller, buyer, price_now, delivery.accepted,
           (delivery.credit + coalesce((SELECT sum(amount) FROM payment WHERE payment.delivery = delivery.id
                                          AND payment.kind = 'goods'), 0))::bigint
    FROM contract JOIN delivery ON delivery.deal = contract.id
    WHERE delivery.state IN ('accepted', 'partially_accepted')
    UNION ALL
    SELECT 'payment', receipt."on", contract.id, source, source_id, listing, seller, buyer, price_now, 0,
           receipt.amount
    FROM contract JOIN payment ON payment.deal = contract.id JOIN receipt ON receipt.payment = payment.id
    -- what the payee says did not come, or the payer took back, has not come
    WHERE receipt.state IN ('claimed', 'confirmed')),
  entry AS (
    SELECT line.kind, line."on", line.deal, deal.number, deal.state, line.source, line.source_id,
           meeting.id AS meeting, meeting.title AS meeting_title, meeting.title_en AS meeting_title_en,
           line.listing, listing.title, listing.title_en, produce.code AS produce, produce.zh AS produce_name,
           produce.en AS produce_name_en, line.seller, seller.name AS seller_name,
           seller.name_en AS seller_name_en, town.id AS town, town.name AS town_name,
           town.name_en AS town_name_en, line.buyer, buyer.name AS buyer_name, buyer.name_en AS buyer_name_en,
           line.price, line.grams, line.fen, to_char(line."on", 'YYYY-MM') AS month,
           -- once, with the contract itself
           CASE WHEN line.kind = 'contract'
                THEN coalesce((SELECT fen FROM invoice_standing WHERE invoice_standing.deal = line.deal), 0)
           END AS billed
    FROM line JOIN listing ON listing.id = line.listing JOIN lot ON lot.id = listing.lot
    JOIN produce ON produce.code = lot.produce
    JOIN organisation seller ON seller.id = line.seller JOIN organisation buyer ON buyer.id = line.buyer
    LEFT JOIN organisation town ON town.id = seller.town
    LEFT JOIN deal ON deal.id = line.deal
    LEFT JOIN topic ON line.source = 'appointment' AND topic.id = line.source_id
    LEFT JOIN appointment ON appointment.id = topic.appointment
    LEFT JOIN meeting ON meeting.id = appointment.meeting)"""  # noqa: S608  our own text

#: Group -> what its rows have in common, and the names of that.
_KEYS = {
    "seller": ("seller::text", "seller_name", "seller_name_en"),
    "town": ("coalesce(town, 0)::text", "coalesce(town_name, '')", "coalesce(town_name_en, '')"),
    "buyer": ("buyer::text", "buyer_name", "buyer_name_en"),
    "produce": ("produce", "produce_name", "produce_name_en"),
    "source": ("source", "source", "source"),
    "month": ("month", "month", "month"),
}
_FILTERED = ("kind", "seller", "town", "buyer", "produce", "source", "meeting", "month")


def _kept(filters: Filters) -> tuple[str, list[Any]]:
    """Return the condition that the filters make, numbered from $2, and its values."""
    kept, values = [], []
    for name in _FILTERED:
        value = getattr(filters, name)
        if value is not None:
            values.append(value)
            # 0: sellers that no town looks after
            column = "coalesce(town, 0)" if name == "town" else name
            kept.append(f"{column} = ${len(values) + 1}")
    for sign, day in ((">=", filters.first), ("<=", filters.last)):
        if day is not None:
            values.append(day)
            kept.append(f'"on" {sign} ${len(values) + 1}')
    return " AND ".join(kept) or "true", values


async def groups_of(*, organisation_id: int, filters: Filters) -> list[Group]:
    """Return the figures by what ``filters.by`` says, the one with the most under contract first."""
    key, name, name_en = _KEYS[filters.by]
    kept, values = _kept(filters)
    rows = await fetch(
        f"""WITH {_ENTRIES}
        SELECT {key} AS key, {name} AS name, {name_en} AS name_en, kind, count(*) AS number,
               sum(grams)::bigint AS grams, sum(fen)::bigint AS fen
        FROM entry WHERE {kept} GROUP BY 1, 2, 3, 4""",  # noqa: S608  our own text
        organisation_id,
        *values,
    )
    found: dict[str, Group] = {}
    for row in rows:
        group = found.setdefault(row["key"], Group(row["key"], row["name"], row["name_en"], {}))
        group.sums[row["kind"]] = Sum(row["number"], row["grams"], row["fen"])
    if filters.by == "month":
        return sorted(found.values(), key=lambda each: each.key, reverse=True)
    return sorted(
        found.values(), key=lambda each: (-each.of("contract").fen, -each.of("intent").fen, each.key)
    )


async def entries_of(
    *, organisation_id: int, filters: Filters, limit: int = 100_000, offset: int = 0
) -> list[Entry]:
    """Return the rows behind the figures, the newest first."""
    kept, values = _kept(filters)
    columns = ", ".join(f'"{name}"' for name in Entry.__struct_fields__)
    place = len(values) + 2
    return await fetch_into(
        Entry,
        f"""WITH {_ENTRIES}
        SELECT {columns} FROM entry WHERE {kept}
        ORDER BY "on" DESC, deal DESC NULLS LAST, kind, source_id, fen DESC
        LIMIT ${place} OFFSET ${place + 1}""",  # noqa: S608  our own text
        organisation_id,
        *values,
        limit,
        offset,
    )


class Choice(msgspec.Struct, frozen=True):
    """Something that the ledger can be narrowed to."""

    key: str
    name: str
    name_en: str


async def choices_of(*, organisation_id: int) -> dict[str, list[Choice]]:
    """Return what stands in the whole ledger: villages, towns, buyers, products, sources, months."""
    rows = await fetch(
        f"WITH {_ENTRIES} "  # noqa: S608  our own text
        + " UNION ALL ".join(
            f"(SELECT DISTINCT '{by}' AS what, {key} AS key, {name} AS name, {name_en} AS name_en FROM entry)"  # noqa: S608  words of ours; values are parameters
            for by, (key, name, name_en) in _KEYS.items()
        )
        + " ORDER BY what, key",
        organisation_id,
    )
    found: dict[str, list[Choice]] = {by: [] for by in _KEYS}
    for row in rows:
        if row["key"]:
            found[row["what"]].append(Choice(row["key"], row["name"], row["name_en"]))
    return found
