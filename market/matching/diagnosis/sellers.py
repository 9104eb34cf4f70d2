"""Why a lot is left over: the changes that open demands to it, in the seller's words."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from math import ceil

from market.i18n import Message, msg
from market.matching.diagnosis.changes import (
    Ask,
    Change,
    Credentials,
    DemandMinOrder,
    Grade,
    LotMinOrder,
    LotWindow,
    MaxLots,
    Reach,
)
from market.matching.diagnosis.seen import CREDENTIAL, DISTANCE, EARLIER, GRADE, LATER, OWN_MIN, THEIR_MIN
from market.matching.diagnosis.unlocks import HAO, Hit, Unlock, Voice, fen_at
from market.matching.rules import Demand, Lot, codes_text, kg_text, why_not, yuan_text
from market.units import Fen, Gram


class Seller(Voice):
    """Rows are lots, columns demands."""

    def lot(self, own: int) -> Lot:
        return self.market.lots[own]

    def demand(self, hit: Hit) -> Demand:
        return self.market.demands[hit.place]

    def step(self, bit: int, own: int, heads: Sequence[Hit]) -> tuple[Change, Message]:
        lot, demands = self.lot(own), [self.demand(hit) for hit in heads]
        if bit == GRADE:
            grade = max(demand.min_grade for demand in demands)
            return Grade(grade=grade), msg("把等级从 {now} 提高到 {grade}。", now=lot.grade, grade=grade)
        if bit == LATER:
            day = max(demand.deliver_from for demand in demands)
            words = msg("把供货期延长到 {day}（现到 {now}）。", day=_iso(day), now=_iso(lot.available_to))
            return LotWindow(available_to=day), words
        if bit == EARLIER:
            day = min(demand.deliver_to for demand in demands)
            words = msg("提前到 {day} 起供货（现从 {now} 起）。", day=_iso(day), now=_iso(lot.available_from))
            return LotWindow(available_from=day), words
        if bit == CREDENTIAL:
            codes = frozenset[str]().union(*(demand.requires for demand in demands)) - lot.credentials
            return Credentials(codes=codes), msg("取得资质：{codes}。", codes=codes_text(codes))
        head, demand = heads[0], demands[0]
        if bit == DISTANCE:
            km = ceil(head.km * 10) / 10
            words = msg("请买方把路程限制放宽到 {km} 公里。", km=f"{km:.1f}")
            return Reach(of=demand.id, max_distance_km=km), words
        if bit == OWN_MIN:
            words = msg(
                "把起订量从 {now} 公斤降到 {kg} 公斤。", now=kg_text(lot.min_order), kg=kg_text(head.grams)
            )
            return LotMinOrder(min_order=Gram(head.grams)), words
        if bit == THEIR_MIN:
            words = msg(
                "请买方把最小收货量从 {now} 公斤降到 {kg} 公斤。",
                now=kg_text(demand.min_order),
                kg=kg_text(head.grams),
            )
            return DemandMinOrder(of=demand.id, min_order=Gram(head.grams)), words
        most = demand.max_lots or 0
        words = msg("请买方在 {most} 个批次之外再多收一个批次。", most=most)
        return MaxLots(of=demand.id, max_lots=most + 1), words

    def suits(self, bit: int, own: int, change_for: Hit, hit: Hit) -> bool:
        first, other = self.demand(change_for), self.demand(hit)
        if bit == GRADE:
            return other.min_grade <= first.min_grade
        if bit == LATER:
            return other.deliver_from <= first.deliver_from
        if bit == EARLIER:
            return other.deliver_to >= first.deliver_to
        if bit == CREDENTIAL:
            return self.missing(own, hit) <= self.missing(own, change_for)
        if bit == OWN_MIN:
            return hit.grams >= change_for.grams
        return hit.column == change_for.column

    def missing(self, own: int, hit: Hit) -> frozenset[str]:
        return self.demand(hit).requires - self.lot(own).credentials

    def most_hao(self, own: int) -> int:
        return int(self.lot(own).ask / HAO)

    def enough(self, own: int, hit: Hit, hao: int) -> bool:
        lot = self.lot(own)
        surplus = float(self.market.ceiling[hit.place]) - float(lot.ask - hao * HAO)
        surplus -= hit.km * self.market.rate
        return self.enough_at(surplus + float(lot.priority), surplus, hit.column)

    def price(
        self, own: int, hao: int, nearest: Hit, further: tuple[int, int] | None
    ) -> tuple[Change, Message]:
        lot, cut = self.lot(own), hao * HAO
        ask = lot.ask - cut
        is_open = self.open[nearest.column]
        figures = {"cut": yuan_text(cut), "price": yuan_text(ask)}
        said = [
            part
            for part in (self._further(lot, further), self._pooling(float(cut), nearest))
            if part is not None
        ]
        if not said:
            words = (
                msg("要价降 {cut} 元/公斤，到 {price} 元/公斤。", **figures)
                if is_open
                else msg(
                    "需求已被更合算的货源占满：要价降 {cut} 元/公斤，到 {price} 元/公斤，即可胜出。",
                    **figures,
                )
            )
            return Ask(ask=ask), words
        more = said[0] if len(said) == 1 else msg("{first}{second}", first=said[0], second=said[1])
        words = (
            msg("要价降 {cut} 元/公斤，到 {price} 元/公斤。{more}", **figures, more=more)
            if is_open
            else msg(
                "需求已被更合算的货源占满：要价降 {cut} 元/公斤，到 {price} 元/公斤，即可胜出。{more}",
                **figures,
                more=more,
            )
        )
        return Ask(ask=ask), words

    def _further(self, lot: Lot, further: tuple[int, int] | None) -> Message | None:
        if further is None:
            return None
        ask = lot.ask - further[0] * HAO
        return msg("降到 {least} 元/公斤，可打开 {kg} 公斤。", least=yuan_text(ask), kg=kg_text(further[1]))

    def _pooling(self, cut: float, nearest: Hit) -> Message | None:
        """Where freight is large enough to bear the cut: what pooling would have to save."""
        freight = nearest.km * self.market.rate
        if not 0 < cut <= freight:
            return None
        return msg(
            "或者拼车：这条路 {km} 公里，运费 {freight} 元/公斤，省下其中 {percent}% 即可不降价。",
            km=f"{nearest.km:.1f}",
            freight=yuan_text(freight),
            percent=min(100, ceil(cut / freight * 100)),
        )

    def value(self, own: int, grams: int, hao: int) -> Fen:
        return fen_at(grams, self.lot(own).ask - hao * HAO)

    def nothing_helps(self, own: int, nearest: int, *, fits: bool, allowed: bool) -> Unlock:
        if nearest < 0:
            return _nothing("no_demand", msg("目前没有人采购这种产品，请联系新的买家。"))
        if not allowed and self.only_own(own):
            return _nothing("own", msg("目前只有本单位自己在采购这种产品，请联系别的买家。"))
        if not allowed:
            return _nothing("declined", msg("双方已谢绝过所有合适的需求，请寻找新的买家。"))
        if fits:
            return _nothing("quantity", msg("合适的需求都已满足，请寻找新的买家。"))
        demand = self.market.demands[nearest]
        obstacles = why_not(self.lot(own), demand, self.market.parameters)
        if not obstacles:
            return _nothing("quantity", msg("合适的需求都已满足，请寻找新的买家。"))
        text: Message = obstacles[0].message
        for obstacle in obstacles[1:]:
            text = msg("{first}{second}", first=text, second=obstacle.message)
        code = "several" if len(obstacles) > 1 else obstacles[0].code
        return _nothing(code, msg("最接近的需求 {demand}：{why}", demand=demand.id, why=text))


def _nothing(code: str, words: Message) -> Unlock:
    return Unlock(obstacle=code, change=words, grams=Gram(0), cost=Decimal(0))


def _iso(day: date) -> str:
    return day.isoformat()
