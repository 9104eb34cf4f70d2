"""From obstacles to advice: per row the smallest changes that open something, and the best pairs of them.

What is promised. A change opens ``grams`` more if it is made exactly: the market then has an optimum in
which the row trades at least so much more than now, and one of strictly greater worth than without the
change (or of equal worth, where a sale without gain takes the place of none). Made a hair smaller (0.0001
yuan, a grade, a day, a credential, 0.1 km less) the present result stays an optimum: nothing more is
traded. It holds whatever other optima there are; where smallest orders or most lots may bind
(``confirmed`` is false) the pair is opened and no more is proven.

Why. A row sells more only along a path from it through a column to kilograms that are free, and such a
path gains (worth of the pair) - (highest dual price of the column); ``displacement`` has the widths. Of a
pair of changes it is promised that it opens its demands and that neither alone opens them.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from math import floor
from typing import NamedTuple

import msgspec

from market.i18n import Message, msg
from market.matching.diagnosis.changes import Change
from market.matching.diagnosis.obstacles import MUCH_MORE
from market.matching.diagnosis.seen import (
    BITS,
    CODES,
    CREDENTIAL,
    DISTANCE,
    MAX_LOTS,
    OWN_MIN,
    PRICE,
    THEIR_MIN,
    Hits,
    Outcome,
)
from market.matching.optimum.candidates import Market
from market.units import FEN_PER_YUAN, GRAMS_PER_KG, Fen, Gram

#: What a change that costs no price is taken to cost when changes are ranked, in yuan per kg.
_EFFORT = 0.01
#: Rows of advice: ways to credentials, and pairs of changes.
_WAYS, _PAIRS = 3, 2
HAO = Decimal("0.0001")


class Unlock(msgspec.Struct, frozen=True, kw_only=True):
    """A change, or a pair of them, that opens ``grams`` more of trade with ``demands`` (or ``lots``: places).

    ``obstacle``: a code, or two joined by ``+``. ``cost`` is what it gives up, yuan per kg; ``value`` what
    the grams come to at the new ask (a demand's: at the new ceiling). ``changes`` are what to do, as
    ``whatif`` takes it. No grams: nothing opens anything, and ``change`` says what stands nearest.
    ``confirmed``: see the module.
    """

    obstacle: str
    change: Message
    grams: Gram
    demands: tuple[int, ...] = ()
    lots: tuple[int, ...] = ()
    cost: Decimal = Decimal(0)
    value: Fen = Fen(0)
    changes: tuple[Change, ...] = ()
    confirmed: bool = True


class Hit(NamedTuple):
    """A column that one or two changes open, as seen from its row: global ``place``, yuan per kg, grams."""

    column: int
    place: int
    short: float
    grams: int
    km: float


class Voice(ABC):
    """How one side's rows change, and the words for it. ``own`` and ``place`` are places in the market."""

    def __init__(self, market: Market, outcome: Outcome) -> None:
        self.market, self.outcome = market, outcome
        self.open: list[bool] = outcome.is_open.tolist()
        self.price_of: list[float] = outcome.price.tolist()
        self.tie = outcome.tie

    @abstractmethod
    def step(self, bit: int, own: int, heads: Sequence[Hit]) -> tuple[Change, Message]:
        """Return the smallest change of ``bit``'s kind that suits every one of ``heads``."""

    @abstractmethod
    def enough(self, own: int, hit: Hit, hao: int) -> bool:
        """Tell whether a price better by ``hao`` wins the column (other obstacles apart)."""

    @abstractmethod
    def most_hao(self, own: int) -> int:
        """Return how far the price can move at all."""

    @abstractmethod
    def price(
        self, own: int, hao: int, nearest: Hit, further: tuple[int, int] | None
    ) -> tuple[Change, Message]:
        """Return the change of price by ``hao``; ``further``: what a larger one opens (hao, grams)."""

    @abstractmethod
    def suits(self, bit: int, own: int, change_for: Hit, hit: Hit) -> bool:
        """Tell whether what opens ``change_for`` opens ``hit`` too."""

    @abstractmethod
    def missing(self, own: int, hit: Hit) -> frozenset[str]:
        """Return the credentials that are lacking."""

    @abstractmethod
    def nothing_helps(self, own: int, nearest: int, *, fits: bool, allowed: bool) -> Unlock:
        """Say what stands nearest when no one or two changes open anything."""

    @abstractmethod
    def value(self, own: int, grams: int, hao: int) -> Fen:
        """Return what ``grams`` come to at a price better by ``hao``."""

    def only_own(self, own: int) -> bool:
        """Tell whether everybody on the other side of this product is the owner of the row itself."""
        product, market = self.outcome.product, self.market
        lots = (market.lots[place].seller for place in market.lots_of[product])
        demands = (market.demands[place].buyer for place in market.demands_of[product])
        if self.outcome.of_lots:
            return {market.lots[own].seller}.issuperset(demands)
        return {market.demands[own].buyer}.issuperset(lots)

    def enough_at(self, worth: float, surplus: float, column: int) -> bool:
        """Tell whether a pair of this surplus and worth wins its column."""
        if surplus < 0:
            return False
        return worth >= 0 if self.open[column] else worth - self.price_of[column] > self.tie


class Advice:
    """All advice for one row."""

    def __init__(self, voice: Voice, row: int, own: int, groups: dict[int, list[Hit]]) -> None:
        self.voice, self.own, self.groups = voice, own, groups
        outcome = voice.outcome
        self.left, self.open = int(outcome.left[row]), voice.open
        self.most_hao, self.tie = voice.most_hao(own), outcome.tie
        self.of_lots, self.confirmed = outcome.of_lots, not outcome.limited
        self.beyond = {column for column, _, _ in outcome.beyond.get(row, ())}

    def unlocks(self) -> list[Unlock]:
        singles = [unlock for bit in BITS if bit in self.groups for unlock in self._single(bit)]
        most = max((unlock.grams for unlock in singles), default=0)
        price = next((unlock.cost for unlock in singles if unlock.obstacle in ("price", "outbid")), None)
        pairs = []
        for mask, hits in self.groups.items():
            if mask in BITS:
                continue
            unlock = self._pair(mask, hits)
            if unlock is None or unlock.grams < MUCH_MORE * most:
                continue
            if price is None or not mask & PRICE or unlock.cost < price:
                pairs.append(unlock)
        return sorted([*singles, *sorted(pairs, key=_rank)[:_PAIRS]], key=_rank)

    def _single(self, bit: int) -> Iterator[Unlock]:
        hits = self.groups[bit]
        if bit == PRICE:
            if (found := self._price(hits)) is not None:
                yield found
        elif bit == CREDENTIAL:
            yield from self._credentials(hits)
        else:
            if bit in (DISTANCE, OWN_MIN, THEIR_MIN, MAX_LOTS) and self.of_lots:
                hits = sorted(hits, key=lambda hit: -hit.grams)
            grams, heads = self._take(h for h in hits if self.voice.suits(bit, self.own, hits[0], h))
            change, words = self.voice.step(bit, self.own, heads)
            yield self._unlock(CODES[bit], words, grams, heads, (change,))

    def _credentials(self, hits: list[Hit]) -> Iterator[Unlock]:
        """Each set of credentials that opens something and holds no smaller one that does."""
        sets: list[frozenset[str]] = []
        lacks = [self.voice.missing(self.own, hit) for hit in hits]
        for codes in sorted(set(lacks), key=lambda codes: (len(codes), sorted(codes))):
            if not any(smaller < codes for smaller in sets):
                sets.append(codes)
        found = []
        for codes in sets:
            grams, heads = self._take(h for h, lack in zip(hits, lacks, strict=True) if lack <= codes)
            change, words = self.voice.step(CREDENTIAL, self.own, heads)
            found.append(self._unlock("credential", words, grams, heads, (change,)))
        yield from sorted(found, key=lambda unlock: -unlock.grams)[:_WAYS]

    def _hao(self, hits: list[Hit]) -> tuple[int, list[Hit]] | None:
        """Return the smallest change of price that wins any of ``hits``, and those that it wins.

        ``hits`` are by the price they lack; only those within rounding of the nearest can be first.
        """
        near = hits[0].short + 2e-4
        needed = [(self._needed(hit), hit) for hit in hits if hit.short <= near]
        hao = min(hao for hao, _ in needed)
        return (hao, [hit for cut, hit in needed if cut <= hao]) if hao <= self.most_hao else None

    def _needed(self, hit: Hit) -> int:
        hao = max(0, floor(hit.short * 10_000 - 1e-3))
        while not self._enough(hit, hao):
            hao += 1
        return hao

    def _enough(self, hit: Hit, hao: int) -> bool:
        if hit.column in self.beyond:
            return hao * 1e-4 - hit.short > self.tie
        return self.voice.enough(self.own, hit, hao)

    def _price(self, hits: list[Hit]) -> Unlock | None:
        if (found := self._hao(hits)) is None:
            return None
        hao, won = found
        grams, heads = self._take(won)
        further, more, last = None, 0, won[0]
        for hit in hits:
            if self.open[hit.column] and more < self.left:
                more, last = min(self.left, more + hit.grams), hit
        if last not in won and more >= MUCH_MORE * grams and (most := self._needed(last)) <= self.most_hao:
            further = (most, more)
        change, words = self.voice.price(self.own, hao, heads[0], further)
        code = "price" if self.open[heads[0].column] else "outbid"
        return self._unlock(code, words, grams, heads, (change,), hao)

    def _pair(self, mask: int, hits: list[Hit]) -> Unlock | None:
        """The best pair of changes of these two kinds: with a price, the smallest; else the most grams."""
        first, second = (bit for bit in BITS if bit & mask)
        if PRICE not in (first, second):
            head = hits[0]
            suited = [
                h for h in hits if all(self.voice.suits(bit, self.own, head, h) for bit in (first, second))
            ]
            grams, heads = self._take(suited)
            steps = [self.voice.step(bit, self.own, heads) for bit in (first, second)]
            code, hao = f"{CODES[first]}+{CODES[second]}", 0
        else:
            if (found := self._hao(hits)) is None:
                return None
            hao, won = found
            bit, head = first if second == PRICE else second, won[0]
            grams, heads = self._take(hit for hit in won if self.voice.suits(bit, self.own, head, hit))
            steps = [
                self.voice.step(bit, self.own, heads),
                self.voice.price(self.own, hao, heads[0], None),
            ]
            code = f"{CODES[bit]}+{'price' if self.open[heads[0].column] else 'outbid'}"
        words = msg("{first}{second}", first=steps[0][1], second=steps[1][1])
        return self._unlock(code, words, grams, heads, tuple(change for change, _ in steps), hao)

    def _take(self, hits: Iterable[Hit]) -> tuple[int, list[Hit]]:
        """Grams that these columns surely take together, and the shortest head of them that does.

        Open ones add up; of full ones only one counts, since they may displace the same kilograms.
        """
        total, heads, full = 0, [], None
        for hit in hits:
            if self.open[hit.column]:
                if total < self.left:
                    total = min(self.left, total + hit.grams)
                    heads.append(hit)
            elif full is None or hit.grams > full.grams:
                full = hit
        if full is not None and full.grams > total:
            return full.grams, [full]
        return total, heads

    def _unlock(
        self,
        code: str,
        words: Message,
        grams: int,
        heads: Sequence[Hit],
        changes: tuple[Change, ...],
        hao: int = 0,
    ) -> Unlock:
        places = tuple(hit.place for hit in heads)
        return Unlock(
            obstacle=code,
            change=words,
            grams=Gram(grams),
            demands=places if self.of_lots else (),
            lots=() if self.of_lots else places,
            cost=hao * HAO,
            value=self.voice.value(self.own, grams, hao),
            changes=changes,
            confirmed=self.confirmed,
        )


def _rank(unlock: Unlock) -> float:
    effort = _EFFORT * (1 + unlock.obstacle.count("+"))
    return -unlock.grams / (float(unlock.cost) + effort)


def fen_at(grams: int, yuan: Decimal) -> Fen:
    return Fen(int(grams * yuan * FEN_PER_YUAN / GRAMS_PER_KG))


def grouped(market: Market, outcome: Outcome, hits: Hits) -> Iterator[tuple[int, dict[int, list[Hit]]]]:
    """Yield every row that has hits with its hits by their obstacles."""
    if not len(hits.row):
        return
    lots, demands = market.lots_of[outcome.product], market.demands_of[outcome.product]
    own, others = (lots, demands) if outcome.of_lots else (demands, lots)
    places = others[hits.column]
    ends = (own[hits.row], places) if outcome.of_lots else (places, own[hits.row])
    km = market.km(*ends)
    columns = (hits.row, hits.mask, hits.column, places, hits.short, hits.grams, km)
    last, groups = int(hits.row[0]), {}  # type: int, dict[int, list[Hit]]
    for row, mask, *seen in zip(*(column.tolist() for column in columns), strict=True):
        if row != last:
            yield last, groups
            last, groups = row, {}
        groups.setdefault(mask, []).append(Hit(*seen))
    yield last, groups
