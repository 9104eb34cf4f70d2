"""Whatever happens: what has begun stays, nobody is at two tables, a step is a change of somebody's day."""

from hypothesis import given, settings
from hypothesis import strategies as st

from market.meetings.day.disruptions import Change, DayTalk, Party, Snapshot, away_of, closed_of, effects_of
from market.meetings.day.rest_of_day import Step, compute

SLOTS, TABLES = 5, 2
SELLERS, BUYERS = (1, 2, 3), (11, 12, 13)


@st.composite
def days(draw: st.DrawFn) -> Snapshot:
    """A small day without clashes, some talks of its first slots held or begun, some without a place."""
    talks, taken = [], set[tuple[str, int, int]]()
    pairs = draw(
        st.lists(st.tuples(st.sampled_from(SELLERS), st.sampled_from(BUYERS)), unique=True, max_size=9)
    )
    for number, (seller, buyer) in enumerate(pairs, 1):
        slot, table = draw(st.integers(1, SLOTS)), draw(st.integers(1, TABLES))
        claims = {("seller", seller, slot), ("buyer", buyer, slot), ("table", table, slot)}
        if claims & taken:
            talks.append(DayTalk(number, seller, buyer, None, None, "accepted"))
            continue
        taken |= claims
        rests = slot <= 2 and draw(st.booleans())
        state = draw(st.sampled_from(["held", "scheduled"])) if rests else "scheduled"
        fixed = draw(st.booleans())
        talks.append(DayTalk(number, seller, buyer, slot, table, state, fixed, rests))
    parties = [Party(each, str(each), "", "seller", "expected") for each in SELLERS]
    parties += [Party(each, str(each), "", "buyer", "expected") for each in BUYERS]
    crews = draw(st.sampled_from([(), ((1, 2),), ((1, 11),), ((1, 2, 13),)]))
    return Snapshot(1, SLOTS, TABLES, None, (), tuple(parties), tuple(talks), crews=crews)


someone = st.sampled_from([*SELLERS, *BUYERS])
changes = st.one_of(
    st.builds(Change, st.just("late"), someone, until=st.integers(3, SLOTS)),
    st.builds(Change, st.just("absent"), someone),
    st.builds(Change, st.just("table_broken"), table=st.integers(1, TABLES)),
    st.builds(Change, st.just("slot_lost"), slot=st.integers(3, SLOTS)),
)


def after(day: Snapshot, steps: tuple[Step, ...]) -> dict[int, tuple[int, int] | None]:
    places = {each.id: (each.slot, each.table) if each.slot else None for each in day.talks}
    for step in steps:
        assert step.id is not None
        assert places[step.id] == step.before != step.after
        places[step.id] = step.after
    return places  # type: ignore[return-value]


@settings(deadline=None, max_examples=150)
@given(days(), changes)
def test_mended_day_has_no_clash_keeps_what_has_begun_and_uses_nothing_that_is_lost(
    day: Snapshot, change: Change
) -> None:
    running, from_slot = 2, 3
    steps, clashes = compute(day, change, from_slot, running)
    assert clashes == ()
    places = after(day, steps)
    claims = []
    for talk in day.talks:
        place = places[talk.id]
        if place:
            claims += [(talk.seller, place[0]), (talk.buyer, place[0]), (f"table {place[1]}", place[0])]
    assert len(set(claims)) == len(claims)
    for crew in day.crews:
        theirs = [each for each in day.talks for who in (each.seller, each.buyer) if who in crew]
        was = [each.slot for each in theirs if each.slot]
        now = [place[0] for each in theirs if (place := places[each.id])]
        odd = len({*was}) < len(was) or len({each.id for each in theirs}) < len(theirs)
        if not odd and (change.kind, change.organisation in crew) != ("absent", True):
            assert len({*now}) == len(now)
    effects = [effects_of(change, day, since=running)]
    away, closed = away_of(day, effects), closed_of(effects)
    for talk in day.talks:
        before = (talk.slot, talk.table) if talk.slot else None
        place = places[talk.id]
        if talk.rests or (talk.slot and talk.slot < running):
            assert place == before
        if place != before and place:
            assert place[0] >= from_slot
            assert place[0] not in away[talk.seller] | away[talk.buyer]
            assert not {place, (place[0], None)} & closed


@settings(deadline=None, max_examples=50)
@given(days())
def test_nothing_happens_to_anybody_where_nothing_is_lost(day: Snapshot) -> None:
    # a table that nobody uses and nobody needs
    spare = Snapshot(1, SLOTS, TABLES + 1, None, (), day.parties, tuple(t for t in day.talks if t.slot))
    steps, _ = compute(spare, Change("table_broken", table=TABLES + 1), 3, 2)
    assert steps == ()


def small(**changes: object) -> Snapshot:
    """Two days of two slots, one table; the seller's talks lie in the second and the fourth."""
    given: dict[str, object] = {
        "meeting": 1,
        "slots": 4,
        "tables": 1,
        "half_day_after": None,
        "blocked": (),
        "parties": (Party(1, "东于村", "", "seller", "expected"), Party(11, "中兴", "", "buyer", "expected")),
        "talks": (DayTalk(1, 1, 11, 2, 1, "scheduled"), DayTalk(2, 1, 11, 4, 1, "held", rests=True)),
        "labels": ("09:00-09:20", "09:20-09:40", "10:00-10:20", "10:20-10:40"),
        "of_day": 2,
    }
    return Snapshot(**{**given, **changes})  # type: ignore[arg-type]


def test_talk_of_somebody_who_does_not_come_is_off_for_that_reason() -> None:
    # also where a talk of theirs in a later slot has been recorded already
    steps, _ = compute(small(), Change("absent", 11), 1, 1)
    assert [(each.id, str(each.reason)) for each in steps] == [(1, "“中兴”不来了。")]


def test_broken_table_is_out_of_use_for_the_day_alone() -> None:
    change = Change("table_broken", table=1)
    assert effects_of(change, small(), since=1).closed == ((1, 1), (2, 1))
    assert effects_of(change, small(), since=3).closed == ((3, 1), (4, 1))


def test_refused_swap_tells_the_hours_on_the_clock() -> None:
    busy = small(talks=(DayTalk(1, 1, 11, 2, 1, "scheduled"), DayTalk(2, 1, 11, 4, 1, "scheduled")))
    _, clashes = compute(busy, Change("swap", appointment=1, slot=4), 1, 1)
    assert clashes
    assert all("时段" not in str(each) and "10:20-10:40" in str(each) for each in clashes)


def test_talk_that_runs_over_takes_what_its_minutes_reach_and_nothing_of_the_next_day() -> None:
    talks = (DayTalk(1, 1, 11, 2, 1, "scheduled", rests=True), DayTalk(2, 1, 11, 3, 1, "scheduled"))
    overrun = Change("overrun", appointment=1, slots=2)
    steps, _ = compute(small(talks=talks), overrun, 3, 2)
    assert steps == ()
    # one day with an hour's rest at noon: one slot more ends within it, four do not
    noon = small(talks=talks, of_day=4, begins=(540, 560, 640, 660), length=20)
    reached = {
        more: effects_of(Change("overrun", appointment=1, slots=more), noon, since=2).away.get("1")
        for more in (1, 3, 4, 9)
    }
    assert reached == {1: (), 3: (), 4: (3,), 9: (3, 4)}


def test_whoever_still_sits_at_a_table_is_not_said_to_have_left() -> None:
    parties = (*small().parties, Party(2, "西于村", "", "seller", "expected"))
    talks = (DayTalk(1, 1, 11, 3, 1, "scheduled", rests=True), DayTalk(2, 2, 11, 4, 1, "scheduled"))
    steps, _ = compute(small(parties=parties, talks=talks), Change("overrun", appointment=1), 4, 3)
    assert [(each.id, each.after) for each in steps] == [(2, None)]
    assert "不来了" not in str(steps[0].reason)


def test_a_person_who_comes_for_two_is_never_sent_to_two_tables() -> None:
    """Their person sits for seller 2 when seller 1 could otherwise be received."""
    parties = [
        Party(each, str(each), "", "seller" if each < 10 else "buyer", "expected") for each in (1, 2, 11, 12)
    ]
    talks = (DayTalk(1, 1, 11, 1, 1, "scheduled"), DayTalk(2, 2, 12, 2, 1, "scheduled"))
    day = Snapshot(1, 3, 2, None, (), tuple(parties), talks, crews=((1, 2),))
    steps, _ = compute(day, Change("slot_lost", slot=1), 1, 1)
    assert [(each.id, each.after and each.after[0]) for each in steps] == [(1, 3)]
    # the same person is late for both
    steps, _ = compute(day, Change("late", organisation=1, until=3), 1, 1)
    assert {each.id: each.after and each.after[0] for each in steps} in ({1: 3, 2: None}, {1: None, 2: 3})
    # who does not come any more takes nobody along
    steps, _ = compute(day, Change("absent", organisation=1), 1, 1)
    assert [(each.id, each.after) for each in steps] == [(1, None)]
