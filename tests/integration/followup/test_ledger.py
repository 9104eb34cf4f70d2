"""The follow-up ledger: each thing once, at the terms of now, and every figure the sum of its rows."""

import random
from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from fixtures.factories import STORY, TODAY, Factory, Member
from market.dashboard.queries import money
from market.dashboard.received import received_by
from market.db.session import execute, fetch_value
from market.deals.breach import NewCase, file_case, open_case
from market.deals.breach_termination import terminate
from market.deals.clauses import price_of
from market.deals.operations import cancel
from market.deals.paying import pay
from market.deals.queries import DealRow, deal_of, deals_of, page_of_deals, payments_of, tallies_of
from market.deals.terms import answer_terms, propose_terms, terms_in_force
from market.followup.queries import choices_of, entries_of, groups_of
from market.followup.rules import GROUPS, KINDS, Entry, Filters, Sum, total_of
from market.meetings.after.report import Count
from market.meetings.after.report_queries import report_of
from market.units import FenPerKg, Gram, amount
from market.web.followup.reports import sums_of as ledger_sums
from tests.integration.deals.scene import Contracted, contract

WHOLE = 100_000


class Model:
    """What the ledger should say, kept by hand beside it: grams and fen of each kind."""

    def __init__(self) -> None:
        self.grams: Counter[str] = Counter()
        self.fen: Counter[str] = Counter()
        self.number: Counter[str] = Counter()

    def add(self, kind: str, grams: int, fen: int) -> None:
        self.number[kind] += 1
        self.grams[kind] += grams
        self.fen[kind] += fen

    def sums(self) -> dict[str, Sum]:
        return {kind: Sum(self.number[kind], self.grams[kind], self.fen[kind]) for kind in self.number}


async def dearer(deal: Contracted, price: int) -> None:
    """Both sides agree on a floor price that lies above the price at which they had signed."""
    version, terms = await terms_in_force(deal_id=deal.deal_id)
    changed = msgspec.structs.replace(terms, pricing="floor", floor=price)
    made = await propose_terms(
        deal_id=deal.deal_id, base=version, terms=changed, note="", **deal.by(deal.seller)
    )
    await answer_terms(move="agree", deal_id=deal.deal_id, version=made, **deal.by(deal.buyer))


async def ended(deal: Contracted) -> None:
    case = NewCase(deal_id=deal.deal_id, ground="not_taken", statement="不收货。")
    breach_id = await open_case(case=case, **deal.by(deal.seller))
    await file_case(breach_id=breach_id, **deal.by(deal.seller))
    await terminate(breach_id=breach_id, **deal.by(deal.seller))


async def live(deal: Contracted, chance: random.Random, model: Model) -> None:
    """Lead a contract to some point of its life, and note what became of it."""
    made = await deal_of(deal_id=deal.deal_id, organisation_id=deal.seller.organisation_id)
    fate = chance.choice(["unsigned", "cancelled", "active", "active", "terminated", "terminated", "done"])
    if fate == "cancelled":
        await cancel(reason="other", note="不做了", deal_id=deal.deal_id, **deal.by(deal.buyer))
        return
    if fate == "unsigned":
        model.add("intent", made.quantity, amount(Gram(made.quantity), FenPerKg(made.price)))
        return
    await deal.sign()
    price = made.price
    if chance.random() < 0.5:
        price += chance.randrange(1, 90)
        await dearer(deal, price)
    loads = [WHOLE // 2, WHOLE // 2] if fate == "done" else [WHOLE // 4] * chance.randrange(3)
    taken = lost = paid = 0
    for load in loads:
        number = await deal.send(load, "dispatch", "arrive")
        loss = chance.randrange(load // 200)
        await deal.move(number, "accept", loss=Gram(loss))
        was = taken
        taken, lost = taken + load - loss, lost + loss
        worth = amount(Gram(taken), FenPerKg(price)) - amount(Gram(was), FenPerKg(price))
        model.add("delivery", load - loss, worth)
        if fate == "done" or chance.random() < 0.5:
            paid += worth
    for payment in await payments_of(deal_id=deal.deal_id):
        money = payment.amount if fate == "done" else chance.randrange(payment.amount) + 1
        await pay(payment_id=payment.id, money=money, **deal.by(deal.buyer))
        model.add("payment", 0, money)
    stands = WHOLE
    if fate == "terminated":
        await ended(deal)
        stands = taken + lost
        out = amount(Gram(WHOLE - lost), FenPerKg(price)) - amount(Gram(taken), FenPerKg(price))
        model.add("ended", WHOLE - stands, out)
    if stands:
        model.add("contract", stands, amount(Gram(stands - lost), FenPerKg(price)))


@pytest.mark.parametrize("seed", [1, 2])
async def test_figures_of_any_history_are_the_sums_of_their_rows(factory: Factory, seed: int) -> None:
    chance = random.Random(seed)
    towns = [await factory.member(role="official") for _ in range(2)]
    sellers = [
        await factory.member(role="secretary", town_id=chance.choice(towns).organisation_id) for _ in range(3)
    ]
    buyers = [await factory.member(role="buyer") for _ in range(3)]
    models = {each.organisation_id: Model() for each in (*towns, *sellers, *buyers)}
    for place in range(9):
        seller, buyer = chance.choice(sellers), chance.choice(buyers)
        listing_id = await factory.listing(
            seller, kg=WHOLE // 1_000, produce=chance.choice(["peanut", "peanut-oil"])
        )
        deal_id = await contract(
            seller,
            buyer,
            listing_id=listing_id,
            grams=WHOLE,
            price=701 + place,
            source_id=place + 1,
        )
        before = Model()
        await live(Contracted(seller, buyer, deal_id), chance, before)
        town = await fetch_value("SELECT town FROM organisation WHERE id = $1", seller.organisation_id)
        for organisation in (seller.organisation_id, buyer.organisation_id, town):
            for kind, each in before.sums().items():
                of = models[organisation]
                of.number[kind] += each.number
                of.grams[kind] += each.grams
                of.fen[kind] += each.fen
    for organisation, expected in models.items():
        await check_every_way(organisation, expected.sums())
    for town in towns:
        expected = models[town.organisation_id].sums()
        told = await money(town_id=town.organisation_id)
        rows = await deals_of(organisation_id=town.organisation_id)
        deals, paid = ledger_sums(rows), sum(each.paid for each in rows)
        figures = [expected.get(kind, Sum()).fen for kind in KINDS]
        assert figures == [told.intended, told.signed, told.ended, told.delivered, told.received.total]
        assert figures == [deals.intended, deals.signed, deals.ended, deals.delivered, paid]
        await check_tallies(town.organisation_id, rows)


async def check_tallies(organisation: int, rows: list[DealRow]) -> None:
    """What is summed and paged by the database is what the rows come to, in their order."""
    found = {each.state: each for each in await tallies_of(organisation_id=organisation)}
    assert found.keys() == {each.state for each in rows}
    for state, tally in found.items():
        mine = [each for each in rows if each.state == state]
        assert (tally.number, tally.grams) == (len(mine), sum(each.standing for each in mine))
        assert (tally.fen, tally.delivered) == (
            sum(each.worth for each in mine),
            sum(each.delivered for each in mine),
        )
    assert (await received_by(organisation_id=organisation)).total == sum(each.paid for each in rows)
    page = await page_of_deals(organisation_id=organisation, states=found.keys(), limit=2, offset=1)
    assert page == rows[1:3]


def sums_of(rows: Iterable[Entry]) -> dict[str, Sum]:
    found: dict[str, Sum] = {}
    for row in rows:
        found[row.kind] = found.get(row.kind, Sum()) + Sum(1, row.grams, row.fen)
    return found


async def check_every_way(organisation: int, expected: dict[str, Sum]) -> None:
    """Whatever the figures are grouped by, they come to ``expected``, and each is the sum of its rows."""
    assert sums_of(await entries_of(organisation_id=organisation, filters=Filters())) == expected
    for by in GROUPS:
        groups = await groups_of(organisation_id=organisation, filters=Filters(by=by))  # type: ignore[arg-type]
        assert total_of(groups) == expected
        for group in groups:
            key: Any = int(group.key) if by in ("seller", "town", "buyer") else group.key
            rows = await entries_of(organisation_id=organisation, filters=Filters(**{by: key}))
            assert sums_of(rows) == group.sums


async def test_price_of_the_ledger_is_the_one_the_terms_settle_at(factory: Factory) -> None:
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    listing_id = await factory.listing(seller, kg=100)
    deal = Contracted(
        seller, buyer, await contract(seller, buyer, listing_id=listing_id, grams=WHOLE, price=701)
    )
    await deal.sign()
    for pricing, floor, settled in (("floor", 650, None), ("floor", 800, 780), ("market", None, 640)):
        version, terms = await terms_in_force(deal_id=deal.deal_id)
        changed = msgspec.structs.replace(
            terms, pricing=pricing, floor=floor, settled=settled, market="沈阳批发市场"
        )
        made = await propose_terms(
            deal_id=deal.deal_id, base=version, terms=changed, note="", **deal.by(seller)
        )
        await answer_terms(move="agree", deal_id=deal.deal_id, version=made, **deal.by(buyer))
        told = await deal_of(deal_id=deal.deal_id, organisation_id=seller.organisation_id)
        assert told.price_now == price_of(changed, FenPerKg(701))
        assert told.worth == amount(Gram(WHOLE), FenPerKg(told.price_now))


async def talked(
    factory: Factory,
    seller: Member,
    buyer: Member,
    listing_id: int,
    *,
    days: int,
    grams: int | None = None,
    outcome: str = "intent",
    reason: str | None = None,
) -> int:
    """A talk at a meeting of that day; return the meeting."""
    meeting = await fetch_value(
        """INSERT INTO meeting (town, title, held_on, venue, starts_at, slot_minutes, slots, tables, state,
                                created_at)
           VALUES ((SELECT town FROM organisation WHERE id = $1), '对接会', $2, '村口', 540, 20, 4, 4,
                   'closed', $3)
           RETURNING id""",
        seller.organisation_id,
        TODAY + timedelta(days=days),
        STORY,
    )
    talk = await fetch_value(
        """INSERT INTO appointment (meeting, seller, buyer, state, outcome, reason, created_at)
           VALUES ($1, $2, $3, 'held', $5, $6, $4) RETURNING id""",
        meeting,
        seller.organisation_id,
        buyer.organisation_id,
        STORY,
        outcome,
        reason,
    )
    await execute(
        "INSERT INTO topic (appointment, listing, intent_quantity, intent_price) VALUES ($1, $2, $3, $4)",
        talk,
        listing_id,
        grams,
        None if grams is None else 700,
    )
    return int(meeting)


async def test_intent_counts_once_across_meetings_and_no_more_once_there_is_a_contract(
    factory: Factory,
) -> None:
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    buyer, other = await factory.member(role="buyer"), await factory.member(role="buyer")
    listing_id = await factory.listing(seller, kg=1_000)
    await talked(factory, seller, buyer, listing_id, days=-9, grams=50_000)
    await talked(factory, seller, buyer, listing_id, days=-3, grams=80_000)
    await talked(factory, seller, other, listing_id, days=-3, grams=10_000)
    mine: dict[str, Any] = {"organisation_id": town.organisation_id}

    async def now() -> dict[str, Sum]:
        return total_of(await groups_of(**mine, filters=Filters()))

    assert await now() == {"intent": Sum(2, 90_000, 63_000)}
    (first, *_) = await entries_of(**mine, filters=Filters(buyer=buyer.organisation_id))
    assert (first.meeting_title, first.on, first.deal) == ("对接会", TODAY - timedelta(days=3), None)
    await contract(seller, buyer, listing_id=listing_id, grams=60_000, price=700)
    # the talk's intent has become a contract to sign: it is that, and nothing beside it
    assert await now() == {"intent": Sum(2, 70_000, 49_000)}
    deal = Contracted(seller, buyer, await fetch_value("SELECT id FROM deal"))
    await deal.sign()
    assert await now() == {"intent": Sum(1, 10_000, 7_000), "contract": Sum(1, 60_000, 42_000)}
    by_day = Filters(first=TODAY, last=date(2026, 11, 23))
    assert set(total_of(await groups_of(**mine, filters=by_day))) == {"contract"}
    choices = await choices_of(**mine)
    assert [each.key for each in choices["source"]] == ["appointment", "bid"]
    assert (
        await groups_of(
            organisation_id=(await factory.member(role="buyer")).organisation_id, filters=Filters()
        )
        == []
    )


async def test_intent_that_a_later_talk_about_the_lot_gave_up_stays_its_meetings_and_is_open_no_more(
    factory: Factory,
) -> None:
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    buyer, other = await factory.member(role="buyer"), await factory.member(role="buyer")
    listing_id = await factory.listing(seller, kg=1_000)
    # the same lot, put on sale a second time
    again = await fetch_value(
        """INSERT INTO listing SELECT (jsonb_populate_record(listing,
             jsonb_build_object('id', nextval(pg_get_serial_sequence('listing', 'id')),
                                'state', 'withdrawn'))).*
           FROM listing WHERE id = $1 RETURNING id""",
        listing_id,
    )
    await execute("INSERT INTO reason (code, zh, en, position) VALUES ('absent', '没到', 'Absent', 9)")
    mine: dict[str, Any] = {"organisation_id": town.organisation_id}
    meeting = await talked(factory, seller, buyer, listing_id, days=-9, grams=50_000)
    # what others talk about, what nobody came to and what asks for a sample gives nothing up
    await talked(factory, seller, other, listing_id, days=-8, outcome="none", reason="price")
    await talked(factory, seller, buyer, listing_id, days=-8, outcome="none", reason="absent")
    await talked(factory, seller, buyer, listing_id, days=-8, outcome="sample")

    async def open_of(meeting: int) -> tuple[Sum, Count, Count, Count]:
        """The ledger's intents of a meeting; of its report all intents, the open ones, those that passed."""
        ledger = total_of(await groups_of(**mine, filters=Filters(meeting=meeting))).get("intent", Sum())
        rows = await entries_of(**mine, filters=Filters(meeting=meeting))
        assert sums_of(rows).get("intent", Sum()) == ledger
        found = (await report_of(meeting_id=meeting, town_id=town.organisation_id, at=STORY)).figures
        assert Sum(*msgspec.structs.astuple(found.intents_open)) == ledger
        return ledger, found.intents, found.intents_open, found.intents_passed

    spoken = Count(1, 50_000, 35_000)
    assert await open_of(meeting) == (Sum(1, 50_000, 35_000), spoken, spoken, Count())
    await talked(factory, seller, buyer, again, days=-7, outcome="none", reason="price")
    assert await open_of(meeting) == (Sum(), spoken, Count(), spoken)
    # and agreed on again: only that counts
    newest = await talked(factory, seller, buyer, again, days=-6, grams=20_000)
    assert await open_of(meeting) == (Sum(), spoken, Count(), spoken)
    assert (await open_of(newest))[0] == Sum(1, 20_000, 14_000)
    # a contract by whichever listing of the lot
    await contract(seller, buyer, listing_id=listing_id, grams=10_000, price=700)
    assert await open_of(newest) == (Sum(), Count(1, 20_000, 14_000), Count(), Count(1, 20_000, 14_000))
