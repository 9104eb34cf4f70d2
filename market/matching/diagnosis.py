"""Why a lot is left over, and the one change that would sell how much of it to whom.

A change counts only if it is enough by itself. What it unlocks holds when the market is solved again:
with a demand still open, both sides have kilograms free, so the new pair raises the total; against a
demand that is full, the newcomer must beat its highest dual price v, and no more is promised than can be
displaced at that price (the widest path over tight arcs from the demand to kilograms that are free).
"""

import heapq
from datetime import date
from decimal import Decimal
from math import floor
from typing import NamedTuple

import msgspec
import numpy as np

from market.i18n import Message, msg
from market.matching.candidates import Arcs, Bools, Floats, Ints, Market
from market.matching.rules import Demand, Lot, Parameters, kg_text, kilometres, why_not, yuan_text
from market.matching.solver import Duals
from market.units import Gram

#: What a change that costs no price is taken to cost when changes are ranked, in yuan per kg.
_EFFORT = 0.01
_NEVER = 2**62


class Unlock(msgspec.Struct, frozen=True, kw_only=True):
    """A change that would sell ``grams`` more of a lot, to ``demands`` (places), at ``cost`` yuan per kg."""

    obstacle: str
    change: Message
    grams: Gram
    demands: tuple[int, ...]
    cost: Decimal = Decimal(0)


class Outcome(NamedTuple):
    """One product after matching, in local places; mass in grams, ``low`` the buyers' best gains."""

    product: int
    left: Ints
    open: Ints
    lots_taken: Ints
    displaceable: Ints
    #: Whose kilograms would be displaced in the end: a lot's local place, or -1.
    displaced: Ints
    highest_v: Floats


def displaceable(arcs: Arcs, x: Ints, low: Duals, left: Ints, open_: Ints) -> tuple[Ints, Ints]:
    """Grams that each demand could take from a newcomer at its highest dual price, and at whose expense."""
    tight = np.flatnonzero((low.u[arcs.i] + low.v[arcs.j] == arcs.w) | (x > 0))
    lots_of: dict[int, list[tuple[int, int]]] = {}
    takers: dict[int, list[int]] = {}
    for i, j, grams in zip(arcs.i[tight].tolist(), arcs.j[tight].tolist(), x[tight].tolist(), strict=True):
        if grams:
            takers.setdefault(i, []).append(j)
            lots_of.setdefault(j, []).append((i, grams))
    # A lot that is pushed out of one demand may go to any demand on a tight arc.
    ways_in: dict[int, list[int]] = {}
    for i, j in zip(arcs.i[tight].tolist(), arcs.j[tight].tolist(), strict=True):
        ways_in.setdefault(j, []).append(i)
    lots = len(left)
    wide = [0] * (lots + len(open_))
    end = [-1] * (lots + len(open_))
    heap = []
    for k in np.flatnonzero((left > 0) | (low.u == 0)).tolist():
        wide[k], end[k] = _NEVER, k
        heap.append((-_NEVER, k))
    for j in np.flatnonzero(open_ > 0).tolist():
        wide[lots + j] = int(open_[j])
        heap.append((-wide[lots + j], lots + j))
    heapq.heapify(heap)
    while heap:
        width, node = heapq.heappop(heap)
        if -width < wide[node]:
            continue
        if node < lots:
            steps = [
                (lots + j, min(-width, g)) for j in takers.get(node, ()) for i, g in lots_of[j] if i == node
            ]
        else:
            steps = [(i, -width) for i in ways_in.get(node - lots, ())]
        for to, through in steps:
            if through > wide[to]:
                wide[to], end[to] = through, end[node]
                heapq.heappush(heap, (-through, to))
    return np.array(wide[lots:], np.int64), np.array(end[lots:], np.int64)


def diagnose(market: Market, outcome: Outcome) -> dict[int, list[Unlock]]:
    """Return, per lot (local place) with something left, its unlocking changes, the best first."""
    lots, demands = market.lots_of[outcome.product], market.demands_of[outcome.product]
    found: dict[int, list[Unlock]] = {}
    places = np.flatnonzero(outcome.left > 0)
    if not len(demands):
        nobody = Unlock(
            obstacle="no_demand",
            change=msg("目前没有人采购这种产品，请联系新的买家。"),
            grams=Gram(0),
            demands=(),
        )
        return {k: [nobody] for k in places.tolist()}
    step = max(1, (1 << 17) // len(demands))
    for start in range(0, len(places), step):
        stripe = places[start : start + step]
        block = market.table(lots[stripe], demands, slice(0, len(stripe)))
        for row, k in enumerate(stripe.tolist()):
            allowed = np.ones(len(demands), np.bool_) if block.barred is None else ~block.barred[row]
            view = _View(
                market=market,
                outcome=outcome,
                place=k,
                lot=market.lots[int(lots[k])],
                left=int(outcome.left[k]),
                places=demands,
                km=block.km[row],
                surplus=block.surplus[row],
                worth=block.surplus[row] + market.priority[int(lots[k])],
                fit=np.stack([block.grade[row], block.window[row], block.credential[row], block.near[row]]),
                allowed=allowed,
            )
            rows = sorted(view.unlocks(), key=lambda u: -u.grams / (float(u.cost) + _EFFORT))
            found[k] = rows or [view.nothing_helps()]
    return found


class _View:
    """One lot against all demands of its product."""

    def __init__(
        self,
        *,
        market: Market,
        outcome: Outcome,
        place: int,
        lot: Lot,
        left: int,
        places: Ints,
        km: Floats,
        surplus: Floats,
        worth: Floats,
        fit: Bools,
        allowed: Bools,
    ) -> None:
        self.market, self.outcome, self.lot, self.left, self.places = market, outcome, lot, left, places
        self.km, self.surplus, self.worth, self.fit, self.allowed = km, surplus, worth, fit, allowed
        self.fails = 4 - fit.sum(axis=0)
        self.is_open = outcome.open > 0
        self.v = np.where(self.is_open, 0.0, outcome.highest_v)
        # A lot cannot beat itself: what would be displaced in the end must not be its own.
        others = np.where(outcome.displaced == place, 0, outcome.displaceable)
        self.room = np.minimum(left, np.where(self.is_open, outcome.open, others))
        self.least = np.maximum(lot.min_order, market.demand_min[places])
        self.few = outcome.lots_taken < market.max_lots[places]
        self.can = allowed & (self.room > 0) & (self.room >= self.least) & self.few

    def unlocks(self) -> list[Unlock]:
        found = [*self._prices(), *self._orders()]
        pays = self.can & (self.surplus >= 0) & (self.fails == 1)
        pays &= np.where(self.is_open, self.worth >= 0, self.worth > self.v + 1e-9)
        if pays.any():
            makers = (self._grade, self._window, self._credential, self._distance)
            for kind, maker in enumerate(makers):
                hit = np.flatnonzero(pays & ~self.fit[kind])
                if len(hit):
                    found.extend(maker(hit))
        return found

    def _demand(self, j: int) -> Demand:
        return self.market.demands[int(self.places[j])]

    def _take(self, ordered: Ints) -> tuple[int, Ints]:
        """Grams unlocked by the demands in this order, and the shortest head of it that gives them."""
        grams = np.where(self.is_open[ordered], self.room[ordered], 0)
        total = np.minimum(np.cumsum(grams), self.left)
        full = int(np.argmax(self.room[ordered]))
        if not len(total) or self.room[ordered][full] > total[-1]:
            # A full demand promises more by itself; what several full ones give together is not known.
            return int(self.room[ordered][full]), ordered[full : full + 1]
        head = ordered[: int(np.searchsorted(total, total[-1])) + 1]
        return int(total[-1]), head[self.is_open[head]]

    def _unlock(
        self, obstacle: str, change: Message, grams: int, hit: Ints, cost: Decimal = Decimal(0)
    ) -> Unlock:
        places = tuple(int(self.places[j]) for j in hit.tolist())
        return Unlock(obstacle=obstacle, change=change, grams=Gram(grams), demands=places, cost=cost)

    def _grade(self, hit: Ints) -> list[Unlock]:
        needed = self.market.min_grade[self.places[hit]]
        grams, head = self._take(hit[np.argsort(needed, kind="stable")])
        grade = int(self.market.min_grade[self.places[head]].max())
        change = msg("把等级从 {now} 提高到 {grade}。", now=self.lot.grade, grade=grade)
        return [self._unlock("grade", change, grams, head)]

    def _window(self, hit: Ints) -> list[Unlock]:
        found = []
        begin, end = self.market.demand_from[self.places], self.market.demand_to[self.places]
        later = hit[begin[hit] > self.lot.available_to.toordinal()]
        if len(later):
            grams, head = self._take(later[np.argsort(begin[later], kind="stable")])
            day = date.fromordinal(int(begin[head].max())).isoformat()
            change = msg(
                "把供货期延长到 {day}（现到 {now}）。", day=day, now=self.lot.available_to.isoformat()
            )
            found.append(self._unlock("window", change, grams, head))
        earlier = hit[end[hit] < self.lot.available_from.toordinal()]
        if len(earlier):
            grams, head = self._take(earlier[np.argsort(-end[earlier], kind="stable")])
            day = date.fromordinal(int(end[head].min())).isoformat()
            change = msg(
                "提前到 {day} 起供货（现从 {now} 起）。", day=day, now=self.lot.available_from.isoformat()
            )
            found.append(self._unlock("window", change, grams, head))
        return found

    def _credential(self, hit: Ints) -> list[Unlock]:
        missing = {j: self._demand(j).requires - self.lot.credentials for j in hit.tolist()}
        best: tuple[int, int, Ints, frozenset[str]] | None = None
        for codes in sorted(set(missing.values()), key=lambda codes: (len(codes), sorted(codes))):
            served = np.array([j for j, needs in missing.items() if needs <= codes], np.int64)
            grams, head = self._take(served)
            if best is None or grams > best[0]:
                best = (grams, len(codes), head, codes)
        assert best is not None
        change = msg("取得资质：{codes}。", codes="、".join(sorted(best[3])))
        return [self._unlock("credential", change, best[0], best[2])]

    def _distance(self, hit: Ints) -> list[Unlock]:
        grams, head = self._take(hit[np.argsort(self.km[hit], kind="stable")])
        km = f"{np.ceil(self.km[head].max() * 10) / 10:.1f}"
        change = msg("请买方把路程限制放宽到 {km} 公里。", km=km)
        return [self._unlock("distance", change, grams, head)]

    def _prices(self) -> list[Unlock]:
        """The smallest cut that sells anything, and the smallest that the open demands fill."""
        short = np.maximum(self.v - self.worth, -self.surplus)
        hit = np.flatnonzero(self.can & (self.fails == 0) & (short >= 0) & (short < float(self.lot.ask)))
        if not len(hit):
            return []
        hit = hit[np.argsort(short[hit], kind="stable")]
        found = []
        nearest = hit[:1]
        grams, _ = self._take(nearest)
        found.append(self._cut(float(short[nearest[0]]), grams, nearest))
        open_ = hit[self.is_open[hit]]
        if len(open_):
            grams, head = self._take(open_)
            if grams > found[0].grams:
                found.append(self._cut(float(short[head].max()), grams, head))
        return [unlock for unlock in found if unlock.cost <= self.lot.ask]

    def _cut(self, short: float, grams: int, hit: Ints) -> Unlock:
        cost = Decimal(floor(short * 10_000 + 1e-6) + 1).scaleb(-4)
        price = yuan_text(max(Decimal(0), self.lot.ask - cost))
        if self.is_open[hit].all():
            change = msg("要价降 {cut} 元/公斤，到 {price} 元/公斤。", cut=yuan_text(cost), price=price)
            return self._unlock("price", change, grams, hit, cost)
        change = msg(
            "需求已被更合算的货源占满：要价降 {cut} 元/公斤，到 {price} 元/公斤，即可胜出。",
            cut=yuan_text(cost),
            price=price,
        )
        return self._unlock("outbid", change, grams, hit, cost)

    def _orders(self) -> list[Unlock]:
        """Demands that fit and are open, but for the smallest delivery or the most lots."""
        fits = self.allowed & (self.fails == 0) & (self.surplus >= 0) & (self.worth >= 0) & self.is_open
        found = []
        theirs = self.market.demand_min[self.places]
        own = np.flatnonzero(fits & self.few & (self.room < self.lot.min_order) & (self.room >= theirs))
        if len(own):
            best = own[np.argsort(-self.room[own], kind="stable")[:1]]
            grams = int(self.room[best[0]])
            change = msg(
                "把起订量从 {now} 公斤降到 {kg} 公斤。", now=kg_text(self.lot.min_order), kg=kg_text(grams)
            )
            found.append(self._unlock("min_order", change, grams, best))
        buyer = np.flatnonzero(fits & self.few & (self.room < theirs) & (self.room >= self.lot.min_order))
        if len(buyer):
            best = buyer[np.argsort(-self.room[buyer], kind="stable")[:1]]
            grams = int(self.room[best[0]])
            change = msg(
                "请买方把最小收货量从 {now} 公斤降到 {kg} 公斤。",
                now=kg_text(int(theirs[best[0]])),
                kg=kg_text(grams),
            )
            found.append(self._unlock("min_order", change, grams, best))
        many = np.flatnonzero(fits & ~self.few & (self.room >= self.least))
        if len(many):
            best = many[np.argsort(-self.room[many], kind="stable")[:1]]
            most = int(self.market.max_lots[self.places[best[0]]])
            change = msg("请买方在 {most} 个批次之外再多收一个批次。", most=most)
            found.append(self._unlock("max_lots", change, int(self.room[best[0]]), best))
        return found

    def nothing_helps(self) -> Unlock:
        """No single change is enough: say what stands nearest."""
        fitting = self.allowed & (self.fails == 0) & (self.surplus >= 0)
        if fitting.any():
            return self._unlock(
                "quantity", msg("合适的需求都已满足，请寻找新的买家。"), 0, np.zeros(0, np.int64)
            )
        wrong = self.fails + (self.surplus < 0) + 10 * ~self.allowed
        nearest = int(np.lexsort((-self.surplus, wrong))[0])
        obstacles = why_not(self.lot, self._demand(nearest), self.market.parameters)
        if not obstacles:
            change = msg("双方已谢绝过所有合适的需求，请寻找新的买家。")
            return self._unlock("declined", change, 0, np.zeros(0, np.int64))
        text: Message = obstacles[0].message
        for obstacle in obstacles[1:]:
            text = msg("{first}{second}", first=text, second=obstacle.message)
        change = msg("最接近的需求 {demand}：{why}", demand=self._demand(nearest).id, why=text)
        code = "several" if len(obstacles) > 1 else obstacles[0].code
        return self._unlock(code, change, 0, np.zeros(0, np.int64))


def why_unpaired(
    lot: Lot, demand: Demand, parameters: Parameters, *, lot_gain: Decimal, demand_gain: Decimal
) -> Message:
    """Say why two that were not paired were not: the first condition they fail, or the dual prices."""
    if obstacles := why_not(lot, demand, parameters):
        return obstacles[0].message
    freight = float(parameters.freight) * kilometres(lot, demand, parameters) / 1000
    worth = float(demand.ceiling) - float(lot.ask) - freight + float(lot.priority)
    short = float(lot_gain) + float(demand_gain) - worth
    if short <= 1e-9:
        return msg("这一对也可行，但总收益不会更高，数量已另行安排。")
    return msg(
        "双方各有更合算的去处：要合在一起，每公斤还差 {short} 元。", short=yuan_text(max(short, 0.0001))
    )
