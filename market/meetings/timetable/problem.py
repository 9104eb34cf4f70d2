"""A docking meeting as a problem, a timetable as its answer, and how a timetable is scored.

Slots and tables are numbered from 1. The structs mirror ``MEETING.json`` and ``timetable.json``
of the file format, so that files and database share one scheduler.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Literal

from msgspec import Struct

from market.errors import Invalid
from market.i18n import Message, in_both, msg

Side = Literal["buyer", "seller", "guest"]
Half = Literal["any", "morning", "afternoon"]
Status = Literal["optimal", "feasible", "infeasible"]
#: The levels of the objective, the weightiest first.
Level = Literal["kept_weight", "breaks", "idle_slots", "table_changes"]
LEVELS: tuple[Level, ...] = ("kept_weight", "breaks", "idle_slots", "table_changes")

VERSION = 1
MOST_SLOTS = 1_000
MOST_TABLES = 10_000
MOST_PARTICIPANTS = 5_000
MOST_APPOINTMENTS = 20_000
MOST_WEIGHT = 1_000_000
#: Weights are compared exactly, in millionths.
WEIGHT_SCALE = 1_000_000
#: So many breaks is a moved appointment worth unless told otherwise: change as little as possible.
DEFAULT_PENALTY = 1_000
MOST_PENALTY = 1_000_000

SIDES: dict[Side, Message] = {"buyer": msg("采购商"), "seller": msg("供货方"), "guest": msg("来宾")}


class Participant(Struct, frozen=True, forbid_unknown_fields=True):
    """Who sits at the tables. ``table`` is its own table, kept all day."""

    id: str
    name: str
    side: Side = "guest"
    unavailable: tuple[int, ...] = ()
    max_appointments: int | None = None
    table: int | None = None

    @property
    def called(self) -> Message:
        """Return the name as it stands in a sentence."""
        return in_both(self.name, "")

    @property
    def title(self) -> Message:
        return msg("{side}“{name}”", side=SIDES[self.side], name=self.called)


class NamedParticipant(Participant, frozen=True, forbid_unknown_fields=True):
    """One of the database, whose English name is known: no file has that."""

    name_en: str = ""

    @property
    def called(self) -> Message:
        return in_both(self.name, self.name_en)


class Appointment(Struct, frozen=True, forbid_unknown_fields=True):
    """Participants ``a`` and ``b`` are to meet once. ``after`` names appointments of earlier slots."""

    id: str
    a: str
    b: str
    half: Half = "any"
    slot: int | None = None
    after: tuple[str, ...] = ()
    weight: int | float = 1
    optional: bool = False

    @property
    def scaled_weight(self) -> int:
        return round(self.weight * WEIGHT_SCALE)


class MeetingProblem(Struct, frozen=True, forbid_unknown_fields=True):
    """What has to be laid over ``slots`` x ``tables``. ``fairness`` None: breaks may fall unevenly."""

    slots: int
    tables: int
    participants: tuple[Participant, ...] = ()
    appointments: tuple[Appointment, ...] = ()
    half_day_after: int | None = None
    fairness: int | None = None
    version: int = VERSION


class Placed(Struct, frozen=True, forbid_unknown_fields=True):
    """Appointment ``id`` fills this slot at this table."""

    id: str
    slot: int
    table: int


class Clash(Struct, frozen=True):
    """One labelled constraint of a set that cannot be kept together."""

    kind: str
    text: Message
    participants: tuple[str, ...] = ()
    appointments: tuple[str, ...] = ()


class Timetable(Struct, frozen=True):
    """A plan with its score.

    ``proven`` names the levels of the objective that are proven, in their order, each with the ones above it
    held. ``status`` is "optimal" only where all four are, and "infeasible"
    where required appointments had to be left out; ``clash`` then names constraints that cannot be
    kept together, and ``summary`` says so in a sentence. ``lower_bound_breaks`` holds for every
    timetable that keeps at least ``kept_weight``, and no fewer of the required appointments.
    """

    appointments: tuple[Placed, ...]
    breaks: int
    idle_slots: int
    table_changes: int
    kept_weight: float
    left_out: tuple[str, ...]
    lower_bound_breaks: int
    status: Status
    seconds: float
    proven: tuple[Level, ...] = ()
    #: With ``keep``: appointments that lie in another slot than before, and what one of them costs.
    moved: int | None = None
    penalty: int | None = None
    summary: Message | None = None
    clash: tuple[Clash, ...] = ()
    version: int = VERSION


class Fault(Struct, frozen=True):
    """What is wrong at ``path`` (JSON path) of a meeting."""

    path: str
    text: Message


def faults(problem: MeetingProblem) -> list[Fault]:
    """Return everything that makes the meeting meaningless (not: impossible), in reading order."""
    found: list[Fault] = []

    def within(path: str, value: int | None, low: int, high: int, text: Message) -> None:
        if value is not None and not low <= value <= high:
            found.append(Fault(path, text))

    within(
        "$.version", problem.version, VERSION, VERSION, msg("只认识第 {version} 版格式。", version=VERSION)
    )
    within("$.slots", problem.slots, 0, MOST_SLOTS, msg("时段数应在 0 到 {most} 之间。", most=MOST_SLOTS))
    within("$.tables", problem.tables, 0, MOST_TABLES, msg("桌数应在 0 到 {most} 之间。", most=MOST_TABLES))
    beyond = msg("时段应在 1 到 {most} 之间。", most=problem.slots)
    within(
        "$.half_day_after",
        problem.half_day_after,
        0,
        problem.slots,
        msg("上午最后一个时段应在 0 到 {most} 之间。", most=problem.slots),
    )
    within(
        "$.fairness", problem.fairness, 0, MOST_SLOTS, msg("公平差应在 0 到 {most} 之间。", most=MOST_SLOTS)
    )
    for count, most, path in (
        (len(problem.participants), MOST_PARTICIPANTS, "$.participants"),
        (len(problem.appointments), MOST_APPOINTMENTS, "$.appointments"),
    ):
        if count > most:
            found.append(Fault(path, msg("有 {count} 项，最多只能有 {most} 项。", count=count, most=most)))
    if found:
        return found

    known: set[str] = set()
    for i, person in enumerate(problem.participants):
        here = f"$.participants[{i}]"
        if not person.id:
            found.append(Fault(f"{here}.id", msg("编号不能为空。")))
        elif person.id in known:
            found.append(Fault(f"{here}.id", msg("编号“{id}”重复，每个编号只能用一次。", id=person.id)))
        known.add(person.id)
        for j, slot in enumerate(person.unavailable):
            within(f"{here}.unavailable[{j}]", slot, 1, problem.slots, beyond)
        within(
            f"{here}.max_appointments",
            person.max_appointments,
            0,
            MOST_APPOINTMENTS,
            msg("洽谈场数上限应在 0 到 {most} 之间。", most=MOST_APPOINTMENTS),
        )
        within(
            f"{here}.table",
            person.table,
            1,
            problem.tables,
            msg("桌号应在 1 到 {most} 之间。", most=problem.tables),
        )

    ids = {appointment.id for appointment in problem.appointments}
    seen: set[str] = set()
    for i, item in enumerate(problem.appointments):
        here = f"$.appointments[{i}]"
        if not item.id:
            found.append(Fault(f"{here}.id", msg("编号不能为空。")))
        elif item.id in seen:
            found.append(Fault(f"{here}.id", msg("编号“{id}”重复，每个编号只能用一次。", id=item.id)))
        seen.add(item.id)
        for end, who in (("a", item.a), ("b", item.b)):
            if who not in known:
                found.append(Fault(f"{here}.{end}", msg("没有编号为“{id}”的参会方。", id=who)))
        if item.a == item.b:
            found.append(Fault(f"{here}.b", msg("参会方“{id}”不能与自己洽谈。", id=item.b)))
        if item.half != "any" and problem.half_day_after is None:
            found.append(Fault(f"{here}.half", msg("要分上午、下午，须先填写 half_day_after。")))
        within(f"{here}.slot", item.slot, 1, problem.slots, beyond)
        for j, earlier in enumerate(item.after):
            if earlier not in ids:
                found.append(Fault(f"{here}.after[{j}]", msg("没有编号为“{id}”的洽谈。", id=earlier)))
        if not 0 <= item.weight <= MOST_WEIGHT:
            found.append(Fault(f"{here}.weight", msg("权重应在 0 到 {most} 之间。", most=MOST_WEIGHT)))
        elif item.weight and item.weight < 1 / WEIGHT_SCALE:
            found.append(Fault(f"{here}.weight", msg("权重太小：写 0，或者不小于 0.000001。")))
    return found


def check(problem: MeetingProblem) -> None:
    """Refuse a meaningless meeting.

    Raises:
        Invalid: ``fields`` maps each JSON path to what is wrong there.
    """
    found = faults(problem)
    if found:
        first = found[0]
        raise Invalid(
            msg(
                "对接会资料有 {count} 处错误；第一处在 {path}：{text}",
                count=len(found),
                path=first.path,
                text=first.text,
            ),
            {fault.path: fault.text for fault in reversed(found)},
        )


def slots_by_participant(problem: MeetingProblem, slots: Mapping[str, int]) -> dict[str, list[int]]:
    """Return each participant's busy slots in order; ``slots`` maps appointment to slot."""
    busy: dict[str, list[int]] = {person.id: [] for person in problem.participants}
    for item in problem.appointments:
        slot = slots.get(item.id)
        if slot is not None:
            busy[item.a].append(slot)
            busy[item.b].append(slot)
    for taken in busy.values():
        taken.sort()
    return busy


def breaks_of(busy: Iterable[int]) -> int:
    """Count the maximal idle runs between sorted busy slots."""
    return sum(later > earlier + 1 for earlier, later in pairwise(busy))


def idle_of(busy: Iterable[int]) -> int:
    """Count the idle slots between sorted busy slots."""
    return sum(max(0, later - earlier - 1) for earlier, later in pairwise(busy))


def table_changes(problem: MeetingProblem, slots: Mapping[str, int], tables: Mapping[str, int]) -> int:
    """Count how often a participant's next appointment is at another table, over all participants."""
    path: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for item in problem.appointments:
        if item.id in slots:
            for who in (item.a, item.b):
                path[who].append((slots[item.id], tables[item.id]))
    return sum(
        sum(here[1] != there[1] for here, there in pairwise(sorted(stations))) for stations in path.values()
    )


def total_breaks(problem: MeetingProblem, slots: Mapping[str, int]) -> int:
    return sum(breaks_of(busy) for busy in slots_by_participant(problem, slots).values())


def is_fair(problem: MeetingProblem, slots: Mapping[str, int]) -> bool:
    """Tell whether the breaks of any two differ by no more than the meeting's fairness allows."""
    breaks = [breaks_of(busy) for busy in slots_by_participant(problem, slots).values()]
    return problem.fairness is None or not breaks or max(breaks) - min(breaks) <= problem.fairness


def total_idle(problem: MeetingProblem, slots: Mapping[str, int]) -> int:
    return sum(idle_of(busy) for busy in slots_by_participant(problem, slots).values())


def scaled_kept(problem: MeetingProblem, kept: Iterable[str]) -> int:
    """Return the kept weight in millionths."""
    ids = set(kept)
    return sum(item.scaled_weight for item in problem.appointments if item.id in ids)


def free_runs(problem: MeetingProblem, person: Participant) -> list[int]:
    """Return the lengths of the runs of slots in which a participant is there."""
    away = set(person.unavailable)
    runs: list[int] = []
    length = 0
    for slot in range(1, problem.slots + 2):
        if slot <= problem.slots and slot not in away:
            length += 1
        elif length:
            runs.append(length)
            length = 0
    return runs


def forced_breaks(problem: MeetingProblem) -> dict[str, int]:
    """Return a bound on each participant's breaks from its calendar alone.

    Someone who must hold ``k`` appointments needs enough free runs of slots to seat them: with the
    longest runs taken first, every run beyond the first costs a break.
    """
    must = Counter(who for item in problem.appointments if not item.optional for who in (item.a, item.b))
    forced: dict[str, int] = {}
    for person in problem.participants:
        need, used = must[person.id], 0
        for run in sorted(free_runs(problem, person), reverse=True):
            if need <= 0:
                break
            need -= run
            used += 1
        forced[person.id] = max(0, used - 1)
    return forced


def two_sides(ends: Iterable[tuple[int, int]], people: int) -> list[int] | None:
    """Return 0 or 1 for each participant so that every appointment joins the two; None where that cannot be.

    ``ends``: the two participants of each appointment, by their numbers below ``people``.
    """
    near: list[list[int]] = [[] for _ in range(people)]
    for a, b in ends:
        near[a].append(b)
        near[b].append(a)
    side = [-1] * people
    for start in range(people):
        if side[start] >= 0:
            continue
        side[start] = 0
        stack = [start]
        while stack:
            p = stack.pop()
            for q in near[p]:
                if side[q] < 0:
                    side[q] = 1 - side[p]
                    stack.append(q)
                elif side[q] == side[p]:
                    return None
    return side
