"""The whole way of a broken contract: 172 households, breach, notice, re-match, new deals, the ledger."""

from datetime import timedelta

import msgspec

from fixtures.factories import Factory
from market import clock
from market.db.session import execute, fetch, fetch_value
from market.deals.breach_queries import case_of, evidence_of, figures
from market.deals.invoices.queries import invoices_of
from market.deals.queries import deal_of, deals_of
from market.deals.receipts import receipts_under
from market.deals.scans.queries import mark_in_force, scans_of
from market.followup.queries import entries_of, groups_of
from market.followup.quotes import loss_of, quotes_of
from market.followup.rules import Filters, Sum, total_of
from market.supply.households import pool_of
from market.units import FenPerKg, Gram, amount
from seeds.broken import Sides, breach, contract, sell_again, shares_of, told

KG = 1_000


def test_shares_of_the_households_are_uneven_and_sum_to_the_lot() -> None:
    tale = told()
    shares = shares_of(tale)
    assert (len(shares), sum(each.grams for each in shares)) == (172, 500_000 * KG)
    assert len({each.household for each in shares}) == 172
    assert min(each.grams for each in shares) < max(each.grams for each in shares)


async def papers_lie_with(deal_id: int, seller: int) -> None:
    """Check the village's signature on paper, its invoice for the load that was taken, and the money."""
    (scan,) = await scans_of(deal_id=deal_id, organisation_id=seller)
    assert (scan.organisation, scan.state, scan.signs, scan.version) == (seller, "filed", True, 2)
    assert scan.mark == await mark_in_force(deal_id=deal_id)
    assert [each.media_type for each in scan.files] == ["image/webp"]
    (bill,) = await invoices_of(deal_id=deal_id)
    load = await fetch_value("SELECT id FROM delivery WHERE deal = $1", deal_id)
    assert (bill.kind, bill.state, bill.tax, bill.deliveries) == ("own_produce", "recorded", None, (load,))
    assert bill.amount == amount(Gram(10_000 * KG), FenPerKg(720))
    assert {each.state for each in await receipts_under([deal_id])} == {"confirmed"}


async def test_broken_contract_is_replayed_from_the_households_to_the_ledger(factory: Factory) -> None:
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    walker = await factory.member(role="buyer")
    others = [await factory.member(role="buyer") for _ in range(5)]
    for buyer, tonnes in zip(others, (30, 25, 20, 10, 5), strict=True):
        await factory.demand(buyer, kg=tonnes * 1_000, ceiling=1_200)
    today = clock.today()
    await execute("UPDATE demand SET deliver_from = $1, deliver_to = $2", today, today + timedelta(days=40))
    tale, sides = told(), Sides(seller.actor, walker.actor, town.actor)

    began = clock.now() - timedelta(days=20)
    deal_id = await contract(tale, sides, at=began)
    made = await deal_of(deal_id=deal_id, organisation_id=seller.organisation_id)
    assert (made.state, made.quantity, made.delivered) == ("active", 500_000 * KG, 10_000 * KG)
    lot = await fetch_value("SELECT lot FROM listing")
    pool = await pool_of(lot, seller.organisation_id)
    assert pool is not None
    assert len(pool.shares) == 172
    assert await fetch_value("SELECT remaining FROM lot") == 0
    await papers_lie_with(deal_id, seller.organisation_id)

    breach_id = await breach(tale, sides, deal_id=deal_id, at=began)
    case = await case_of(breach_id=breach_id, organisation_id=town.organisation_id)
    assert (case.state, case.claim, len(await evidence_of(breach_id=breach_id))) == ("confirmed", None, 2)

    came = await sell_again(
        tale, sides, {each.organisation_id: each.actor for each in others}, breach_id=breach_id
    )
    # 490 t were free at the notice; the market of now takes 90 of them at once
    assert (came.freed, len(came.deals)) == (490_000 * KG, 5)
    assert await fetch_value("SELECT remaining FROM lot") == 400_000 * KG
    # of what was paid for them, the money of one has yet to be confirmed: nothing is by itself
    told_paid = [each.state for each in await receipts_under(came.deals)]
    assert sorted(told_paid) == ["claimed", *["confirmed"] * 4]
    after = {each.id: each for each in await deals_of(organisation_id=town.organisation_id)}
    broken = after[deal_id]
    assert (broken.state, broken.standing, broken.ended) == ("terminated", 10_000 * KG, 490_000 * KG)
    assert broken.worth == amount(Gram(10_000 * KG), FenPerKg(720)) == broken.invoiced
    # the ledger: what was terminated is counted as such, and stands in no other figure
    rows = await entries_of(organisation_id=town.organisation_id, filters=Filters())
    sums: dict[str, Sum] = {}
    for row in rows:
        sums[row.kind] = sums.get(row.kind, Sum()) + Sum(1, row.grams, row.fen)
    assert sums == total_of(
        await groups_of(organisation_id=town.organisation_id, filters=Filters(by="buyer"))
    )
    new = [after[each] for each in came.deals]
    assert sums["ended"].grams == 490_000 * KG
    assert sums["contract"].grams == 10_000 * KG + sum(each.quantity for each in new) == 100_000 * KG
    assert sums["delivery"].grams == 10_000 * KG + sum(each.delivered for each in new)
    assert sums["contract"].fen == broken.worth + sum(each.worth for each in new)
    assert {(row.source, row.kind) for row in rows if row.deal in came.deals} >= {("match", "contract")}
    # every new deal is a substitute: the damages' figures count them
    sale, later = await figures(
        case=await case_of(breach_id=breach_id, organisation_id=seller.organisation_id), deal=broken
    )
    assert {each.number for each in later} == {each.number for each in new}
    assert sale.covered == 90_000 * KG
    # and what nobody has taken yet is valued at the quotes of the day of the notice
    quotes = await quotes_of(breach_id=breach_id)
    loss = loss_of(
        await case_of(breach_id=breach_id, organisation_id=seller.organisation_id), broken, sale, quotes
    )
    assert loss is not None
    assert (len(quotes), loss.price, loss.per_kg, loss.grams) == (2, 630, 90, 400_000 * KG)
    assert loss.fen == 400_000 * 90
    # nothing was sold twice, and no gram is lost
    (stock,) = await fetch("SELECT quantity, remaining FROM lot")
    assert stock["quantity"] == stock["remaining"] + sum(each.standing for each in after.values())
    assert msgspec.structs.asdict(came)["breach"] == breach_id
