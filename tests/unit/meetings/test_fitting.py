"""What those without a talk could talk about: all at once, and the same as pair by pair by the rule."""

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from market.matching.queries import Proposal, Snapshot
from market.matching.rules import Demand, Lot, Parameters, freight_per_kg, kilometres, why_not
from market.meetings.choosing.problem import PartySide
from market.meetings.planning.fitting import Fitting, worth_of
from market.units import Gram

_DAY = date(2026, 11, 23)


def drawn(seed: int, *, lots: int = 24, demands: int = 40) -> tuple[Snapshot, list[Proposal], set[int]]:
    """Draw a market of two products whose places, days, prices and reaches often just fit, or just do not."""
    draw = Random(seed)
    places = [(36.0 + draw.randrange(4) / 2, 117.0 + draw.randrange(4) / 2) for _ in range(6)]
    parameters = Parameters()

    def span() -> tuple[date, date]:
        begin = _DAY + timedelta(draw.randrange(6))
        return begin, begin + timedelta(draw.randrange(6))

    found, wanted = [], []
    for number in range(lots):
        begin, end = span()
        place = draw.choice(places)
        found.append(
            Lot(
                id=str(number + 1),
                seller=str(draw.randrange(1, 9)),
                product=draw.choice("ab"),
                quantity=Gram(draw.randrange(1, 9) * 100_000),
                ask=Decimal(draw.randrange(200, 260)) / 100,
                latitude=place[0],
                longitude=place[1],
                available_from=begin,
                available_to=end,
                grade=draw.randrange(3),
                credentials=frozenset(draw.sample(["organic", "green", "gap"], draw.randrange(4))),
                priority=Decimal(draw.choice([0, 0, 30])) / 100,
            )
        )
    for number in range(demands):
        begin, end = span()
        place, lot = draw.choice(places), draw.choice(found)
        demand = Demand(
            id=str(number + 1),
            buyer=str(draw.randrange(9, 21)),
            product=draw.choice("ab"),
            quantity=Gram(draw.randrange(1, 9) * 100_000),
            # as much as a lot at its own place asks, to the fen: a pair that just fits
            ceiling=lot.ask + draw.choice([Decimal(0), Decimal(0), Decimal("0.01"), Decimal("0.09")]),
            latitude=lot.latitude if draw.randrange(2) else place[0],
            longitude=lot.longitude if draw.randrange(2) else place[1],
            deliver_from=begin,
            deliver_to=end,
            min_grade=draw.randrange(3),
            requires=frozenset(draw.sample(["organic", "green"], draw.choice([0, 0, 1]))),
        )
        if not draw.randrange(3):
            # exactly as far as a lot lies, or a millimetre less
            far = kilometres(draw.choice(found), demand, parameters) - draw.choice([0, 5e-7])
            demand = Demand(
                **{f: getattr(demand, f) for f in demand.__struct_fields__} | {"max_distance_km": far}
            )
        wanted.append(demand)
    same = [(lot, demand) for lot in found for demand in wanted if lot.product == demand.product]
    proposals = [
        Proposal(
            match=number,
            listing=int(lot.id),
            demand=int(demand.id),
            seller=int(lot.seller),
            buyer=int(demand.buyer),
            quantity=Gram(100_000 * draw.randrange(1, 4)),
            worth=draw.randrange(1, 10_000),
            proposed=bool(draw.randrange(3)),
        )
        for number, (lot, demand) in enumerate(draw.sample(same, 30))
    ]
    barred = [(lot.id, demand.id) for lot, demand in draw.sample(same, 30)]
    return Snapshot(lots=found, demands=wanted, barred=barred), proposals, {*draw.sample(range(1, 21), 8)}


def by_the_rule(
    market: Snapshot, proposals: list[Proposal], idle: set[int]
) -> dict[tuple[int, int], list[tuple[str, str, int, float, int]]]:
    """Return seller and buyer -> what they could talk about, looking at one pair after the other."""
    own = {(str(each.listing), str(each.demand)): each for each in proposals}
    parameters = Parameters()
    found = defaultdict(list)
    for lot in market.lots:
        for demand in market.demands:
            if not {int(lot.seller), int(demand.buyer)} & idle or (lot.id, demand.id) in market.barred:
                continue
            if why_not(lot, demand, parameters):
                continue
            km = kilometres(lot, demand, parameters)
            if (lot.id, demand.id) in own:
                proposal = own[lot.id, demand.id]
                grams, worth = int(proposal.quantity), proposal.worth
            else:
                taken = sum(e.quantity for e in proposals if e.proposed and str(e.listing) == lot.id)
                filled = sum(e.quantity for e in proposals if e.proposed and str(e.demand) == demand.id)
                grams = min(lot.quantity - taken, demand.quantity - filled)
                per_kg = float(demand.ceiling - lot.ask + lot.priority) - freight_per_kg(km, parameters)
                worth = int(per_kg * 100 * grams / 1000)
            if grams > 0:
                found[int(lot.seller), int(demand.buyer)].append((lot.id, demand.id, grams, km, worth))
    return found


def test_all_pairs_at_once_are_those_of_the_rule_to_the_fen() -> None:
    pairs = 0
    for seed in range(30):
        market, proposals, idle = drawn(seed)
        expected = by_the_rule(market, proposals, idle)
        fitting = Fitting(market, proposals, idle)
        assert {(each.seller, each.buyer) for each in fitting.candidates} == set(expected), seed
        for each in fitting.candidates:
            key = each.seller, each.buyer
            fits = fitting.of(*key)
            told = [(fit.lot.id, fit.demand.id, fit.grams, fit.km, fit.worth) for fit in fits]
            assert (seed, key, told) == (seed, key, expected[key])
            best = {lot: max(w for one, *_, w in expected[key] if one == lot) for lot, *_ in expected[key]}
            assert (seed, key, each.worth, worth_of(fits)) == (seed, key, sum(best.values()), each.worth)
            suggested = {(str(one.listing), str(one.demand)) for one in proposals}
            assert each.matched == any((lot, demand) in suggested for lot, demand, *_ in told)
            pairs += len(told)
        both = {(seller, buyer) for seller, those in fitting.partners["seller"].items() for buyer in those}
        assert both == set(expected)
    assert pairs > 500


def test_nearest_of_somebody_is_the_one_that_pair_by_pair_fails_least() -> None:
    kinds = set()
    for seed in range(12):
        market, proposals, idle = drawn(seed)
        fitting = Fitting(market, proposals, idle)
        for who in range(1, 21):
            side: PartySide = "seller" if who < 9 else "buyer"
            tried = [
                (len(why_not(lot, demand, Parameters())), int(lot.id), int(demand.id))
                for lot in market.lots
                for demand in market.demands
                if lot.product == demand.product and who == int(lot.seller if who < 9 else demand.buyer)
            ]
            told = fitting.nearest(who, side)
            number = told.pair and (int(told.pair[0].id), int(told.pair[1].id))
            assert (seed, who, number) == (seed, who, min(tried)[1:] if tried else None)
            fit = {(str(lot), str(demand)) for wrong, lot, demand in tried if not wrong}
            assert (seed, who, told.fits, told.barred) == (seed, who, bool(fit), bool(fit & {*market.barred}))
            kinds.add((told.pair is None, told.fits, told.barred))
    assert len(kinds) >= 3


def test_nothing_on_sale_or_nothing_wanted_is_nothing_to_talk_about() -> None:
    market, proposals, idle = drawn(1)
    for lots, demands in ((market.lots, []), ([], market.demands), ([], [])):
        bare = Snapshot(lots=lots, demands=demands, barred=market.barred)
        assert Fitting(bare, proposals, idle).candidates == []
    assert Fitting(market, proposals, set()).people() == set()
