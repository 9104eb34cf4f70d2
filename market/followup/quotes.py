"""Quotes that the two sides of a breach write down: kept for the damages, only ever added to."""

from datetime import date, datetime

import msgspec

from market.accounts.rules import Actor
from market.audit.operations import record
from market.clock import CHINA
from market.db.session import fetch, fetch_into, fetch_value, transaction
from market.deals.breach_queries import BreachRow
from market.deals.breach_rules import Figures
from market.deals.queries import DealRow
from market.errors import Conflict, Invalid, NotFound
from market.followup.quote_rules import MOST_QUOTES, Difference, counts, difference_of, quote_problems
from market.i18n import msg
from market.units import FenPerKg, Gram


class QuoteRow(msgspec.Struct, frozen=True):
    """Fen per kg."""

    id: int
    on: date
    price: int
    source: str
    organisation: int
    organisation_name: str
    organisation_name_en: str
    created_at: datetime


async def add_quote(
    *,
    breach_id: int,
    on: date,
    price: FenPerKg,
    source: str,
    organisation_id: int,
    actor: Actor,
    at: datetime,
) -> int:
    """Write down a price of the market's, as either side; return its number. It cannot be taken back.

    Raises:
        NotFound: no such case of this organisation.
        Conflict: no notice of termination was given, or the log is full.
        Invalid: a day far from the notice, no price, no source.
    """
    async with transaction():
        rows = await fetch(
            """SELECT terminated_at FROM breach WHERE id = $1 AND $2 IN (claimant, respondent)
                 AND (state <> 'draft' OR claimant = $2) FOR UPDATE""",
            breach_id,
            organisation_id,
        )
        if not rows:
            raise NotFound(msg("没有找到这件违约。"))
        if rows[0]["terminated_at"] is None:
            raise Conflict(msg("通知解除以后才记行情。"))
        problems = quote_problems(
            on=on,
            price=price,
            source=source,
            notice=rows[0]["terminated_at"].astimezone(CHINA).date(),
            today=at.astimezone(CHINA).date(),
        )
        if problems:
            raise Invalid(msg("有 {n} 处要改，改好后再提交；填过的内容都还在。", n=len(problems)), problems)
        if await fetch_value("SELECT count(*) FROM price_quote WHERE breach = $1", breach_id) >= MOST_QUOTES:
            raise Conflict(msg("一件违约最多记 {most} 条行情。", most=MOST_QUOTES))
        number = await fetch_value(
            """INSERT INTO price_quote (breach, "on", price, source, organisation, person, created_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id""",
            breach_id,
            on,
            price,
            source.strip(),
            organisation_id,
            actor.person_id,
            at,
        )
        await record(
            subject=f"breach:{breach_id}",
            action="quote",
            actor=actor,
            at=at,
            details={"quote": number, "on": on.isoformat(), "fen_per_kg": price, "source": source.strip()},
        )
    return int(number)


async def quotes_of(*, breach_id: int) -> list[QuoteRow]:
    """Return what was written down, by day. Who may see the case is for the caller to know."""
    return await fetch_into(
        QuoteRow,
        """SELECT price_quote.id, "on", price, source, organisation.id AS organisation,
                  organisation.name AS organisation_name, organisation.name_en AS organisation_name_en,
                  price_quote.created_at
           FROM price_quote JOIN organisation ON organisation.id = price_quote.organisation
           WHERE breach = $1 ORDER BY "on", price_quote.id""",
        breach_id,
    )


def loss_of(case: BreachRow, deal: DealRow, sums: Figures, quotes: list[QuoteRow]) -> Difference | None:
    """Return what the quotes around the notice make of the part that no other deal has taken."""
    if case.terminated_at is None:
        return None
    notice = case.terminated_at.astimezone(CHINA).date()
    return difference_of(
        [each.price for each in quotes if counts(each.on, notice=notice)],
        against=case.against,
        contract=FenPerKg(deal.price_now),
        uncovered=Gram(max(0, deal.ended - sums.covered)),
    )
