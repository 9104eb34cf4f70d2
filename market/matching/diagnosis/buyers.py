"""Why a demand is not served: the changes that open lots to it, in the buyer's words."""

from collections.abc import Sequence
from datetime import date
from math import ceil

from market.i18n import Message, msg
from market.matching.diagnosis.changes import (
    Ceiling,
    Change,
    DemandMinOrder,
    DemandWindow,
    Dropped,
    LotMinOrder,
    MaxLots,
    MinGrade,
    Reach,
)
from market.matching.diagnosis.seen import CREDENTIAL, DISTANCE, EARLIER, GRADE, LATER, OWN_MIN, THEIR_MIN
from market.matching.diagnosis.unlocks import HAO, Hit, Unlock, Voice, fen_at
from market.matching.rules import Demand, Lot, codes_text, kg_text, why_not, yuan_text
from market.units import FEN_PER_YUAN, MOST_FEN_PER_KG, Fen, Gram


class Buyer(Voice):
    """Rows are demands, columns lots."""

    def demand(self, own: int) -> Demand:
        return self.market.demands[own]

    def lot(self, hit: Hit) -> Lot:
        return self.market.lots[hit.place]

    def step(self, bit: int, own: int, heads: Sequence[Hit]) -> tuple[Change, Message]:
        demand, lots = self.demand(own), [self.lot(hit) for hit in heads]
        if bit == GRADE:
            grade = min(lot.grade for lot in lots)
            words = msg("把最低等级从 {now} 放宽到 {grade}。", now=demand.min_grade, grade=grade)
            return MinGrade(min_grade=grade), words
        if bit == LATER:
            day = min(lot.available_to for lot in lots)
            words = msg(
                "提前到 {day} 起收货（现从 {now} 起）。", day=_iso(day), now=_iso(demand.deliver_from)
            )
            return DemandWindow(deliver_from=day), words
        if bit == EARLIER:
            day = max(lot.available_from for lot in lots)
            words = msg("把收货期延长到 {day}（现到 {now}）。", day=_iso(day), now=_iso(demand.deliver_to))
            return DemandWindow(deliver_to=day), words
        if bit == CREDENTIAL:
            codes = demand.requires - frozenset[str].intersection(*(lot.credentials for lot in lots))
            return Dropped(codes=codes), msg("不再要求资质：{codes}。", codes=codes_text(codes))
        head, lot = heads[0], lots[0]
        if bit == DISTANCE:
            km = ceil(max(hit.km for hit in heads) * 10) / 10
            return Reach(max_distance_km=km), msg("把路程限制放宽到 {km} 公里。", km=f"{km:.1f}")
        if bit == OWN_MIN:
            words = msg(
                "把最小收货量从 {now} 公斤降到 {kg} 公斤。",
                now=kg_text(demand.min_order),
                kg=kg_text(head.grams),
            )
            return DemandMinOrder(min_order=Gram(head.grams)), words
        if bit == THEIR_MIN:
            words = msg(
                "请卖方把起订量从 {now} 公斤降到 {kg} 公斤。",
                now=kg_text(lot.min_order),
                kg=kg_text(head.grams),
            )
            return LotMinOrder(of=lot.id, min_order=Gram(head.grams)), words
        most = demand.max_lots or 0
        return MaxLots(max_lots=most + 1), msg("在 {most} 个批次之外再多收一个批次。", most=most)

    def suits(self, bit: int, own: int, change_for: Hit, hit: Hit) -> bool:
        first, other = self.lot(change_for), self.lot(hit)
        if bit == GRADE:
            return other.grade >= first.grade
        if bit == LATER:
            return other.available_to >= first.available_to
        if bit == EARLIER:
            return other.available_from <= first.available_from
        if bit == CREDENTIAL:
            return self.missing(own, hit) <= self.missing(own, change_for)
        if bit == DISTANCE:
            return hit.km <= change_for.km
        if bit == OWN_MIN:
            return hit.grams >= change_for.grams
        return hit.column == change_for.column

    def missing(self, own: int, hit: Hit) -> frozenset[str]:
        return self.demand(own).requires - self.lot(hit).credentials

    def most_hao(self, own: int) -> int:
        return int((MOST_FEN_PER_KG // FEN_PER_YUAN - self.demand(own).ceiling) / HAO)

    def enough(self, own: int, hit: Hit, hao: int) -> bool:
        demand, lot = self.demand(own), self.lot(hit)
        surplus = float(demand.ceiling + hao * HAO) - float(lot.ask) - hit.km * self.market.rate
        return self.enough_at(surplus + float(lot.priority), surplus, hit.column)

    def price(
        self, own: int, hao: int, nearest: Hit, further: tuple[int, int] | None
    ) -> tuple[Change, Message]:
        demand, raised = self.demand(own), hao * HAO
        ceiling = demand.ceiling + raised
        is_open = self.open[nearest.column]
        figures = {"more": yuan_text(raised), "price": yuan_text(ceiling)}
        words = (
            msg("最高价加 {more} 元/公斤，到 {price} 元/公斤。", **figures)
            if is_open
            else msg(
                "合适的货源已有更合算的去处：最高价加 {more} 元/公斤，到 {price} 元/公斤，即可争得。",
                **figures,
            )
        )
        if further is not None:
            reach = msg(
                "加到 {most} 元/公斤，可打开 {kg} 公斤。",
                most=yuan_text(demand.ceiling + further[0] * HAO),
                kg=kg_text(further[1]),
            )
            words = msg("{first}{second}", first=words, second=reach)
        return Ceiling(ceiling=ceiling), words

    def value(self, own: int, grams: int, hao: int) -> Fen:
        return fen_at(grams, self.demand(own).ceiling + hao * HAO)

    def nothing_helps(self, own: int, nearest: int, *, fits: bool, allowed: bool) -> Unlock:
        if nearest < 0:
            return _nothing("no_supply", msg("目前没有人出售这种产品，请联系新的产地。"))
        if not allowed and self.only_own(own):
            return _nothing("own", msg("目前只有本单位自己在出售这种产品，请联系别的产地。"))
        if not allowed:
            return _nothing("declined", msg("双方已谢绝过所有合适的货源，请寻找新的产地。"))
        lot = self.market.lots[nearest]
        obstacles = why_not(lot, self.demand(own), self.market.parameters)
        if fits or not obstacles:
            return _nothing("quantity", msg("合适的货源都已配完，请寻找新的产地。"))
        text: Message = obstacles[0].message
        for obstacle in obstacles[1:]:
            text = msg("{first}{second}", first=text, second=obstacle.message)
        code = "several" if len(obstacles) > 1 else obstacles[0].code
        return _nothing(code, msg("最接近的批次 {lot}：{why}", lot=lot.id, why=text))


def _nothing(code: str, words: Message) -> Unlock:
    return Unlock(obstacle=code, change=words, grams=Gram(0))


def _iso(day: date) -> str:
    return day.isoformat()
