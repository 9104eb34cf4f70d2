"""One timetable's claims before :mod:`exact` and :mod:`clauses`: questions, and what their answers mean."""

from collections.abc import Mapping
from time import perf_counter

from msgspec import Struct

from market.i18n import Message, msg
from market.meetings.checker.claimed import Claim
from market.meetings.checker.clauses import ask_for_all, fits
from market.meetings.checker.counting import broken_rules, count
from market.meetings.checker.exact import Answer, Exact, Sum
from market.meetings.checker.reading import MICRO, Meeting

#: A model with more appointments x slots, or appointments x slots x tables, is not built.
_MOST_PLACES, _MOST_SEATS = 600_000, 250_000
#: Shorter than this, no question is put.
_LEAST_SECONDS = 0.05
#: So many appointments of a better plan are told.
_MOST_TOLD = 12

WEIGHT, BREAKS, IDLE, CHANGES = msg("保留的权重"), msg("空档"), msg("空等时段"), msg("换桌次数")


class Verdict(Struct):
    """What came of the claims: refuted (``wrong``), confirmed (``checked``), not decided (``left_open``)."""

    wrong: list[Message]
    checked: list[Message]
    left_open: list[Message]


class Court:
    """Puts questions about one timetable, within one time limit."""

    def __init__(
        self, meeting: Meeting, claim: Claim, home: Mapping[str, int] | None, seconds: float, threads: int
    ) -> None:
        self.meeting, self.claim, self.home, self.threads = meeting, claim, home, threads
        self.verdict = Verdict([], [], [])
        self.counted = count(meeting, claim.slots, claim.tables)
        self._end = perf_counter() + seconds

    def left(self) -> float:
        return self._end - perf_counter()

    def over(self) -> bool:
        """Tell whether no question is worth putting any more."""
        return self.left() < _LEAST_SECONDS

    def ask(self, model: Exact, share: float, *, least: Sum = None) -> Answer:
        if self.over():
            return Answer()
        return model.ask(
            seconds=self.left() * share, threads=self.threads, least=least, near=self.claim.slots
        )

    def ask_for_all(self, share: float, *, breaks: int, idle: int | None = None) -> Answer:
        """Put the question as clauses, where it can be: neither plan nor proof is no answer."""
        if self.over() or not fits(self.meeting, self.claim.slots):
            return Answer()
        return ask_for_all(self.meeting, breaks=breaks, idle=idle, seconds=self.left() * share)

    def plan(self, slots: Mapping[str, int]) -> str:
        """Write the appointments of a plan that lie elsewhere than in the timetable."""
        others = [f"{talk} → {slot}" for talk, slot in slots.items() if self.claim.slots.get(talk) != slot]
        out = [f"{talk} → -" for talk in self.claim.slots if talk not in slots]
        told = others + out
        return ", ".join(told[:_MOST_TOLD]) + (", …" if len(told) > _MOST_TOLD else "")

    def level(self, name: Message, model: Exact, goal: Sum, share: float) -> bool | None:
        """Return whether no plan of ``model`` betters the timetable; None: not decided."""
        answer = self.ask(model, share, least=goal)
        return self.judge(name, answer)

    def judge(self, name: Message, answer: Answer) -> bool | None:
        """Tell what an answer means for the claim that nothing is better in ``name``."""
        if answer.never:
            self.verdict.checked.append(msg("{what}：另一个模型证明没有更好的。", what=name))
            return True
        if answer.slots is None:
            self.verdict.left_open.append(msg("{what}：时限内没有判定有没有更好的，未核对。", what=name))
            return None
        tables = answer.tables if answer.tables else None
        found = count(self.meeting, answer.slots, tables or {})
        if broken_rules(self.meeting, answer.slots, tables):  # pragma: no cover - a fault of the model
            self.verdict.left_open.append(msg("{what}：时限内没有判定有没有更好的，未核对。", what=name))
            return None
        self.verdict.wrong.append(
            msg(
                "{what}不是最好的：有一个方案保留权重 {micro}、空档 {breaks} 次、"
                "空等 {idle} 个时段{changes}（{plan}）。",
                what=name,
                micro=_weight(found.micro),
                breaks=found.breaks,
                idle=found.idle,
                changes=msg("、换桌 {changes} 次", changes=found.changes) if tables else "",
                plan=self.plan(answer.slots),
            )
        )
        return False

    def open_if_large(self, name: Message, *, seats: bool = False) -> bool:
        """Leave ``name`` open where the model, with its ``seats`` if asked, would be too large to build."""
        places = len(self.meeting.talks) * self.meeting.slots
        large = places > _MOST_PLACES or (seats and places * self.meeting.tables > _MOST_SEATS)
        if large:
            self.verdict.left_open.append(msg("{what}：对接会太大，未核对。", what=name))
        return large


def _weight(micro: int) -> str:
    return f"{micro / MICRO:.6f}".rstrip("0").rstrip(".")
