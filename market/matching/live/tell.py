"""What a live product has to tell: options, matches with their prices, who was moved, how it stands."""

from decimal import Decimal
from typing import cast

import numpy as np
from numpy.typing import NDArray

from market.matching.live.answers import LiveMatch, Option, Standing
from market.matching.live.product import Found, LiveProduct
from market.matching.live.sides import DEMANDS, LOTS
from market.matching.prices import price_within
from market.matching.rules import Demand, Lot
from market.units import GRAMS_PER_KG, Gram

Ints = NDArray[np.int64]
Moved = tuple[list[str], list[str]]


def stand(product: LiveProduct) -> Standing:
    worth, bound = product.worth(), product.bound()
    yuan = product.scale * GRAMS_PER_KG
    return Standing(
        worth_yuan=worth / yuan,
        upper_bound_yuan=bound / yuan,
        loss_yuan=(bound - worth) / yuan,
        settled=bound == worth,
    )


def _pair(product: LiveProduct, i: int, j: int) -> tuple[Lot, Demand]:
    return cast(Lot, product.sides[LOTS].parties[i]), cast(Demand, product.sides[DEMANDS].parties[j])


def _least(lot: Lot, demand: Demand) -> int:
    return max(lot.min_order, demand.min_order)


def options(product: LiveProduct, side: int, row: int, found: Found, most: int) -> tuple[Option, ...]:
    """The best ``most`` pairs of a row, without those whose smallest order can never be reached."""
    here = np.full(len(found.others), row)
    i, j = (here, found.others) if side == LOTS else (found.others, here)
    km = product.km(i, j)
    freight = product.freight(km)
    told: list[Option] = []
    for k in range(len(i)):
        if len(told) == most:
            break
        lot, demand = _pair(product, int(i[k]), int(j[k]))
        grams = min(lot.quantity, demand.quantity)
        if grams < _least(lot, demand):
            continue
        worth = float(demand.ceiling) - float(lot.ask) - float(freight[k]) + float(lot.priority)
        told.append(
            Option(
                lot=lot.id,
                demand=demand.id,
                grams=grams,
                price=_price(product, int(i[k]), lot, demand, float(freight[k])),
                freight_yuan_per_kg=float(freight[k]),
                km=float(km[k]),
                worth_yuan_per_kg=worth,
                gain_yuan_per_kg=int(found.value[k]) / product.scale,
            )
        )
    return tuple(told)


def matches_of(product: LiveProduct, i: Ints, j: Ints, grams: Ints) -> tuple[LiveMatch, ...]:
    km = product.km(i, j)
    freight = product.freight(km)
    told = []
    for k in range(len(i)):
        lot, demand = _pair(product, int(i[k]), int(j[k]))
        breaks = []
        if grams[k] < _least(lot, demand):
            breaks.append("min_order")
        if demand.max_lots is not None and len(product.flows_of(DEMANDS, int(j[k]))[0]) > demand.max_lots:
            breaks.append("max_lots")
        worth = float(demand.ceiling) - float(lot.ask) - float(freight[k]) + float(lot.priority)
        told.append(
            LiveMatch(
                lot=lot.id,
                demand=demand.id,
                grams=Gram(int(grams[k])),
                price=_price(product, int(i[k]), lot, demand, float(freight[k])),
                freight_yuan_per_kg=float(freight[k]),
                km=float(km[k]),
                worth_yuan=worth * int(grams[k]) / GRAMS_PER_KG,
                breaks=tuple(breaks),
            )
        )
    return tuple(told)


def _price(product: LiveProduct, i: int, lot: Lot, demand: Demand, freight: float) -> Decimal:
    gain = int(product.cover.gains[LOTS][i]) / product.scale
    wanted = float(lot.ask) - float(lot.priority) + gain
    return price_within(wanted, ask=lot.ask, most=float(demand.ceiling) - freight)


class Before:
    """A product's flows before an event, to tell afterwards whose matches were moved."""

    def __init__(self, product: LiveProduct) -> None:
        self._product, self._flow = product, product.network.flow.copy()

    def moved(self, product: LiveProduct) -> Moved:
        """Ids of the lots and of the demands whose matches are no longer as they were."""
        if product is not self._product:
            # The product was begun anew: its arcs are others.
            changed = _trades(product, product.network.flow) ^ _trades(self._product, self._flow)
            return sorted({each[0] for each in changed}), sorted({each[1] for each in changed})
        flow = product.network.flow
        arcs = np.flatnonzero(flow[: len(self._flow)] != self._flow)
        fresh = np.flatnonzero(flow[len(self._flow) :]) + len(self._flow)
        rows = product.ends(np.concatenate([arcs, fresh]))
        lots, demands = (
            [product.sides[side].parties[row].id for row in np.unique(rows[side]).tolist()]
            for side in (LOTS, DEMANDS)
        )
        return lots, demands


def moved_since_never(product: LiveProduct) -> Moved:
    """All that trade, of a product that was not there before."""
    trades = _trades(product, product.network.flow)
    return sorted({each[0] for each in trades}), sorted({each[1] for each in trades})


def _trades(product: LiveProduct, flow: Ints) -> set[tuple[str, str, int]]:
    i, j, grams = product.flows(flow)
    lots, demands = (product.sides[side].parties for side in (LOTS, DEMANDS))
    return {
        (lots[a].id, demands[b].id, x) for a, b, x in zip(i.tolist(), j.tolist(), grams.tolist(), strict=True)
    }
