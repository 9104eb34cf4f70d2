"""How a side has kept its contracts so far: counts and quantities, with its own word on them. No score."""

from datetime import date, datetime

import msgspec

from market.accounts.rules import Actor
from market.audit.operations import record as keep
from market.db.session import execute, fetch_one_into, transaction
from market.deals.punctual import HANDED_OVER
from market.errors import Invalid
from market.i18n import msg

LONGEST_REPLY = 1_000


class Facts(msgspec.Struct, frozen=True):
    """What the installation knows of one organisation's contracts: grams and fen, each thing counted once."""

    organisation: int
    name: str
    name_en: str
    #: Contracts in force or over, signed by both.
    contracts: int
    completed: int
    #: As a seller: loads handed over (``punctual``) by the contract's last day, and later ones.
    on_time: int
    on_time_grams: int
    late: int
    late_grams: int
    #: Loads that were refused whole.
    refused: int
    refused_grams: int
    #: Contracts in force of which goods are missing after the last day, and what neither came nor is on its
    #: way; what the tolerance lets be short is not missing.
    undelivered: int
    undelivered_grams: int
    #: As a buyer: payments made by their day, later, and open beyond it.
    paid_on_time: int
    paid_on_time_fen: int
    paid_late: int
    paid_late_fen: int
    overdue: int
    overdue_fen: int
    #: Cases against it that the town confirmed, and those that it did not.
    confirmed: int
    not_confirmed: int
    #: Its own newest word on all this.
    reply: str
    replied_at: datetime | None


async def facts_of(*, organisation_id: int, today: date) -> Facts | None:
    """Return what is known of an organisation; who may see it is for the caller to know."""
    return await fetch_one_into(
        Facts,
        f"""SELECT organisation.id AS organisation, organisation.name, organisation.name_en,
                  made.contracts, made.completed, sent.on_time, sent.on_time_grams, sent.late,
                  sent.late_grams, sent.refused, sent.refused_grams, missing.undelivered,
                  missing.undelivered_grams, money.paid_on_time,
                  money.paid_on_time_fen, money.paid_late, money.paid_late_fen, money.overdue,
                  money.overdue_fen, cases.confirmed, cases.not_confirmed,
                  coalesce(said.words, '') AS reply, said.created_at AS replied_at
           FROM organisation
           CROSS JOIN LATERAL (
             SELECT count(*) AS contracts, count(*) FILTER (WHERE state = 'completed') AS completed
             FROM deal WHERE organisation.id IN (seller, buyer)
               AND state IN ('active', 'completed', 'terminated')) made
           CROSS JOIN LATERAL (
             SELECT count(*) FILTER (WHERE good AND punctual) AS on_time,
                    coalesce(sum(taken) FILTER (WHERE good AND punctual), 0) AS on_time_grams,
                    count(*) FILTER (WHERE good AND NOT punctual) AS late,
                    coalesce(sum(taken) FILTER (WHERE good AND NOT punctual), 0) AS late_grams,
                    count(*) FILTER (WHERE NOT good) AS refused,
                    coalesce(sum(quantity) FILTER (WHERE NOT good), 0) AS refused_grams
             FROM (SELECT delivery.quantity, delivery.accepted AS taken, delivery.state <> 'rejected' AS good,
                          {HANDED_OVER} <= deal.deliver_to AS punctual
                   FROM delivery JOIN deal ON deal.id = delivery.deal
                   WHERE deal.seller = organisation.id
                     AND delivery.state IN ('accepted', 'partially_accepted', 'rejected')) load) sent
           CROSS JOIN LATERAL (
             SELECT count(*) AS undelivered, coalesce(sum(quantity - came), 0) AS undelivered_grams
             FROM (SELECT deal.quantity,
                          (SELECT coalesce(sum(CASE WHEN state IN ('dispatched', 'arrived') THEN quantity
                                                    ELSE accepted + loss END), 0)
                           FROM delivery WHERE delivery.deal = deal.id AND state IN
                             ('dispatched', 'arrived', 'accepted', 'partially_accepted')) AS came,
                          coalesce((SELECT (terms ->> 'tolerance')::bigint FROM contract_terms
                                    WHERE contract_terms.deal = deal.id AND state = 'agreed'
                                    ORDER BY version DESC LIMIT 1), 0) AS tolerance
                   FROM deal WHERE deal.seller = organisation.id AND deal.state = 'active'
                     AND deal.deliver_to < $2) late
             WHERE came < quantity - quantity * tolerance / 10000) missing
           CROSS JOIN LATERAL (
             SELECT count(*) FILTER (WHERE payment.paid_on <= due_on) AS paid_on_time,
                    coalesce(sum(amount) FILTER (WHERE payment.paid_on <= due_on), 0) AS paid_on_time_fen,
                    count(*) FILTER (WHERE payment.paid_on > due_on) AS paid_late,
                    coalesce(sum(amount) FILTER (WHERE payment.paid_on > due_on), 0) AS paid_late_fen,
                    -- what is disputed is one side's word against the other's, and counts for neither
                    count(*) FILTER (WHERE amount > paid + disputed AND due_on < $2) AS overdue,
                    coalesce(sum(amount - paid - disputed) FILTER (WHERE due_on < $2), 0) AS overdue_fen
             FROM payment JOIN deal ON deal.id = payment.deal WHERE deal.buyer = organisation.id) money
           CROSS JOIN LATERAL (
             SELECT count(*) FILTER (WHERE state = 'confirmed') AS confirmed,
                    count(*) FILTER (WHERE state = 'not_confirmed') AS not_confirmed
             FROM breach WHERE respondent = organisation.id) cases
           LEFT JOIN LATERAL (
             SELECT words, created_at FROM fulfilment_reply
             WHERE fulfilment_reply.organisation = organisation.id ORDER BY id DESC LIMIT 1) said ON true
           WHERE organisation.id = $1""",  # noqa: S608  words of ours; values are parameters
        organisation_id,
        today,
    )


async def reply_to_facts(*, words: str, organisation_id: int, actor: Actor, at: datetime) -> None:
    """Say something to one's own facts; it stands beside them until one says something else.

    Raises:
        Invalid: too many words.
    """
    said = words.strip()
    if len(said) > LONGEST_REPLY:
        problem = msg("太长了：最多 {most} 个字。", most=LONGEST_REPLY)
        raise Invalid(problem, {"words": problem})
    async with transaction():
        await execute(
            "INSERT INTO fulfilment_reply (organisation, person, words, created_at) VALUES ($1, $2, $3, $4)",
            organisation_id,
            actor.person_id,
            said,
            at,
        )
        await keep(
            subject=f"organisation:{organisation_id}",
            action="reply_to_facts",
            actor=actor,
            at=at,
            details={"characters": len(said)},
        )
