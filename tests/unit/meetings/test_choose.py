import random
import re
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.i18n import Message, translate
from market.meetings.choosing.choose import choose_invitations
from market.meetings.choosing.problem import Candidate, Capacity, Choice, Party, Past, Wish
from market.meetings.rules import WISHES
from tests.unit.meetings.choosing_brute import Meeting, Pair

SELLERS, BUYERS = st.integers(1, 3), st.integers(11, 13)
PAIRS = st.tuples(SELLERS, BUYERS)
ENDED = st.sampled_from(["traded", "unwanted", "parted"])

candidates = st.lists(
    st.builds(
        Candidate,
        seller=SELLERS,
        buyer=BUYERS,
        listing=st.integers(101, 103),
        worth=st.integers(-2, 9),
        demand=st.integers(201, 203),
        stuck=st.booleans(),
        matched=st.booleans(),
        volume=st.integers(0, 3),
    ),
    max_size=8,
).map(tuple)

quota = st.none() | st.integers(0, 3)

parties = st.lists(
    st.builds(
        Party,
        id=SELLERS | BUYERS,
        name=st.just("某家"),
        absent=st.sets(st.integers(1, 3), max_size=3).map(sorted).map(tuple),
        most=quota,
        person=st.sampled_from([None, "p", "q"]),
    ),
    max_size=4,
    unique_by=lambda party: party.id,
).map(tuple)

meetings = st.builds(
    Meeting,
    candidates=candidates,
    capacity=st.builds(
        Capacity,
        slots=st.integers(0, 3),
        tables=st.integers(1, 2),
        most=quota,
        most_of_sellers=quota,
        most_of_buyers=quota,
        most_of_one_person=quota,
    ),
    parties=parties,
    wishes=st.lists(
        st.builds(
            Wish,
            seller=SELLERS,
            buyer=BUYERS,
            by=st.sampled_from(["seller", "buyer"]),
            level=st.sampled_from(sorted(WISHES)),
        ),
        max_size=6,
        unique_by=lambda wish: (wish.seller, wish.buyer, wish.by),
    ).map(tuple),
    past=st.lists(
        st.builds(Past, seller=SELLERS, buyer=BUYERS, ended=ENDED),
        max_size=3,
    ).map(tuple),
    firm=st.frozensets(PAIRS, max_size=1),
    barred=st.frozensets(PAIRS, max_size=2),
)


def choose(meeting: Meeting, **changes: object) -> Choice:
    given = {name: getattr(meeting, name) for name in meeting.__struct_fields__} | changes
    return choose_invitations(given.pop("candidates"), **given)


def pairs(choice: Choice) -> set[Pair]:
    return {(each.seller, each.buyer) for each in choice.appointments}


@settings(max_examples=400, deadline=None)
@given(meetings)
def test_choice_is_the_best_of_all_that_the_meeting_allows(meeting: Meeting) -> None:
    choice = choose(meeting)
    chosen = sorted(pairs(choice))
    firm = [pair for pair in chosen if pair in meeting.firm]
    assert all(map(meeting.allowed, chosen))
    assert meeting.fits(chosen, firm)
    assert choice.proven
    assert meeting.score(chosen) == meeting.best()
    assert choice.most_worth == choice.worth
    assert {(each.seller, each.buyer) for each in choice.left_out} == meeting.pairs() - set(chosen)


@settings(max_examples=150, deadline=None)
@given(meetings, st.randoms(use_true_random=False))
def test_order_of_the_input_does_not_matter(meeting: Meeting, chance: random.Random) -> None:
    def shuffled(name: str) -> tuple[object, ...]:
        found = list(getattr(meeting, name))
        chance.shuffle(found)
        return tuple(found)

    names = ("candidates", "parties", "wishes", "past")
    assert choose(meeting) == choose(meeting, **{name: shuffled(name) for name in names})


@settings(max_examples=300, deadline=None)
@given(meetings)
def test_every_reason_is_true(meeting: Meeting) -> None:
    choice = choose(meeting)
    chosen = sorted(pairs(choice))
    for left in choice.left_out:
        check_reason(meeting, chosen, (left.seller, left.buyer), left.reason)
    stuck = {each.seller for each in meeting.candidates if each.stuck}
    reached = {
        s for s, b in chosen if any(c.stuck for c in meeting.candidates if (c.seller, c.buyer) == (s, b))
    }
    assert {seller for seller, _ in choice.without} == stuck - reached


def parts(reason: Message) -> list[Message]:
    """Return the message and all that stand in it."""
    return [
        reason,
        *(each for value in reason.values.values() if isinstance(value, Message) for each in parts(value)),
    ]


def check_reason(meeting: Meeting, chosen: list[Pair], pair: Pair, reason: Message) -> None:
    """Hold what a reason claims against the choice itself."""
    text = str(reason)
    firm = [each for each in chosen if each in meeting.firm]
    if "不愿" in text:
        assert "never" in meeting.levels(pair)
    elif "撤下" in text:
        assert pair in meeting.barred
    elif "不必再谈" in text:
        assert ("parted" if "双方都" in text else "unwanted") in meeting.ended(pair)
    elif "双方由同一人代表" in text:
        assert meeting.party(pair[0]).person == meeting.party(pair[1]).person is not None
    elif "都能来的时段" in text:
        away = {*meeting.party(pair[0]).absent, *meeting.party(pair[1]).absent}
        assert set(range(1, meeting.capacity.slots + 1)) <= away
    elif "已有成交" in text:
        assert meeting.ended(pair) == {"traded"}
        assert not meeting.wished(pair)
    elif "没有可谈的收益" in text:
        assert meeting.stake(pair)[0] <= 0
    elif "没有可排洽谈" in text:
        assert meeting.capacity.slots * meeting.capacity.tables == 0
    elif "这次不排洽谈" in text:
        assert 0 in (meeting.quota(pair[0], seller=True), meeting.quota(pair[1], seller=False))
    else:
        # somebody is full, or the room: with it, a limit would be passed
        assert "已排满" in text
        assert not meeting.fits([*chosen, pair], firm)
        counts = [each.values["count"] for each in parts(reason) if "count" in each.values]
        assert counts or re.search(r"共 (\d+) 场已排满", text)
        for count in counts:
            loads = [sum(who in each for each in chosen) for who in pair]
            crews = [
                sum(meeting.party(who).person == meeting.party(one).person for each in chosen for who in each)
                for one in pair
                if meeting.party(one).person is not None
            ]
            assert count in loads + crews
        if "换上这一对" in text:
            better = [each for each in meeting.choices() if pair in each]
            assert all(meeting.score(each) <= meeting.score(chosen) for each in better)


def wishes(*said: tuple[int, int, str, str]) -> tuple[Wish, ...]:
    return tuple(Wish(*each) for each in said)


def test_wishes_of_both_go_before_those_of_one_and_these_before_worth() -> None:
    found = [Candidate(seller, 11, 100 + seller, 900 if seller == 5 else 1) for seller in (1, 2, 3, 4, 5, 6)]
    said = wishes(
        (1, 11, "seller", "must"),
        (1, 11, "buyer", "must"),
        (2, 11, "buyer", "must"),
        (2, 11, "seller", "want"),
        (3, 11, "buyer", "must"),
        (3, 11, "seller", "may"),
        (4, 11, "seller", "want"),
        (4, 11, "buyer", "want"),
        (6, 11, "seller", "want"),
    )
    kept = [
        [
            each.seller
            for each in choose_invitations(found, capacity=Capacity(most, 1), wishes=said).appointments
        ]
        for most in range(1, 7)
    ]
    assert [set(after) - set(before) for before, after in zip([[], *kept], kept, strict=False)] == [
        {1},
        {2},
        {3},
        {4},
        {5},
        {6},
    ]


def test_a_village_with_a_stuck_lot_goes_before_any_wish() -> None:
    found = [Candidate(1, 11, 101, 900), Candidate(2, 11, 102, 0, stuck=True)]
    said = wishes((1, 11, "seller", "must"), (1, 11, "buyer", "must"))
    choice = choose_invitations(found, capacity=Capacity(1, 1), wishes=said)
    assert pairs(choice) == {(2, 11)}
    (left,) = choice.left_out
    assert str(left.reason) == "采购商“11”已排满 1 场，先排滞销货保底的。"


def test_whoever_is_wished_for_needs_no_match() -> None:
    choice = choose_invitations([], capacity=Capacity(2, 2), wishes=wishes((1, 11, "buyer", "want")))
    assert pairs(choice) == {(1, 11)}
    assert str(choice.appointments[0].why) == "一方想见。"
    assert (
        choose_invitations([], capacity=Capacity(2, 2), wishes=wishes((1, 11, "buyer", "may"))).left_out == ()
    )


def test_who_has_traded_meets_only_for_a_wish_or_a_stuck_lot() -> None:
    found, past = [Candidate(1, 11, 101, 900)], [Past(1, 11, "traded")]
    room = Capacity(2, 2)
    choice = choose_invitations(found, capacity=room, past=past)
    assert choice.appointments == ()
    assert str(choice.left_out[0].reason) == "双方已有成交，可直接联系；想再谈请标“想见”。"
    wished = choose_invitations(found, capacity=room, past=past, wishes=wishes((1, 11, "seller", "want")))
    assert pairs(wished) == {(1, 11)}
    stuck = choose_invitations([*found, Candidate(1, 11, 102, 0, stuck=True)], capacity=room, past=past)
    assert pairs(stuck) == {(1, 11)}


def test_reasons_name_who_is_full_and_what_was_placed_before() -> None:
    found = [Candidate(1, 11, 101, 500), Candidate(2, 11, 102, 900), Candidate(3, 11, 103, 700)]
    choice = choose_invitations(
        found,
        capacity=Capacity(1, 5),
        parties=[Party(11, name="中兴超市", name_en="Zhongxing")],
        wishes=wishes((2, 11, "buyer", "never")),
    )
    assert pairs(choice) == {(3, 11)}
    assert {left.seller: str(left.reason) for left in choice.left_out} == {
        1: "采购商“中兴超市”已排满 1 场，先排收益不低于这一对的。",
        2: "有一方不愿与对方洽谈。",
    }
    told = {left.seller: translate(left.reason, "en") for left in choice.left_out}
    assert "“Zhongxing”" in told[1]


def test_one_person_for_two_firms_holds_one_talk_at_a_time() -> None:
    found = [Candidate(1, 11, 101, 9), Candidate(2, 12, 102, 8), Candidate(3, 13, 103, 7)]
    crew = [Party(1, name="甲村", person="p"), Party(2, name="乙村", person="p")]
    choice = choose_invitations(found, capacity=Capacity(1, 9), parties=crew)
    assert pairs(choice) == {(1, 11), (3, 13)}
    (left,) = choice.left_out
    assert str(left.reason) == (
        "供货方“甲村”和供货方“乙村”由同一人代表，合起来已排满 1 场，先排收益不低于这一对的。"
    )


def test_one_person_for_two_firms_has_no_more_talks_than_the_meeting_lets_one_have() -> None:
    found = [
        Candidate(1, 11, 101, 9),
        Candidate(1, 12, 101, 6),
        Candidate(2, 12, 102, 8),
        Candidate(3, 13, 103, 7),
    ]
    crew = [Party(1, name="甲村", person="p"), Party(2, name="乙村", person="p")]
    choice = choose_invitations(found, capacity=Capacity(9, 9, most_of_one_person=2), parties=crew)
    assert pairs(choice) == {(1, 11), (2, 12), (3, 13)}
    assert "由同一人代表，合起来已排满 2 场" in str(choice.left_out[0].reason)


def test_talks_that_the_town_arranged_beyond_one_persons_quota_are_counted() -> None:
    found = [Candidate(1, 11, 101, 9), Candidate(2, 12, 102, 8), Candidate(1, 13, 103, 7)]
    crew = [Party(1, name="甲村", person="p"), Party(2, name="乙村", person="p")]
    choice = choose_invitations(
        found,
        capacity=Capacity(9, 9, most_of_one_person=1),
        parties=crew,
        firm=frozenset({(1, 11), (2, 12)}),
    )
    assert pairs(choice) == {(1, 11), (2, 12)}
    assert "由同一人代表，合起来已排满 2 场" in str(choice.left_out[0].reason)


def test_a_person_on_both_sides_is_no_obstacle_to_a_proven_choice() -> None:
    found = [Candidate(1, 12, 101, 9), Candidate(2, 11, 102, 8), Candidate(1, 11, 103, 99)]
    crew = [Party(1, person="p"), Party(11, person="p")]
    choice = choose_invitations(found, capacity=Capacity(1, 9), parties=crew)
    assert pairs(choice) == {(1, 12)}
    assert choice.proven
    assert str(choice.left_out[0].reason) == "双方由同一人代表，不用排桌。"


def test_without_effort_a_search_says_that_nothing_is_proven() -> None:
    found = [Candidate(1, 12, 101, 9), Candidate(2, 11, 102, 8)]
    crew = [Party(1, person="p"), Party(11, person="p")]
    choice = choose_invitations(found, capacity=Capacity(1, 9), parties=crew, effort=0.0)
    assert not choice.proven
    assert choice.most_worth >= 9
    assert choice.worth <= choice.most_worth


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (wishes((1, 11, "buyer", "never")), "可谈的采购商都不行：有一方不愿与对方洽谈。"),
        ((), "对接会容量不够，请增加时段、桌数或每家的场数。"),
    ],
)
def test_stuck_seller_without_a_talk_is_told_why(said: tuple[Wish, ...], reason: str) -> None:
    found = [Candidate(1, 11, 101, 0, stuck=True), Candidate(2, 11, 102, 5, stuck=True)]
    choice = choose_invitations(found, capacity=Capacity(1, 2), wishes=said)
    assert [(seller, str(text)) for seller, text in choice.without] == [(1, reason)]


def test_a_nations_fair_is_chosen_in_seconds_and_proven() -> None:
    """300 sellers, 100 buyers, 20,000 pairs."""
    chance = random.Random(1)
    both = [(s, b) for s in range(1, 301) for b in range(1_001, 1_101)]
    found = [
        Candidate(s, b, s, chance.randrange(10**8), stuck=chance.random() < 0.2, matched=True)
        for s, b in chance.sample(both, 20_000)
    ]
    said = [
        Wish(s, b, side, chance.choice(["must", "want", "want", "may", "never"]))
        for s, b in chance.sample(both, 3_000)
        for side in chance.sample(["seller", "buyer"], 1 + chance.randrange(2))
    ]
    crew = [Party(2 * n + k, person=f"p{n}") for n in range(1, 20) for k in (0, 1)]
    choice = choose_invitations(
        found, capacity=Capacity(20, 50, most_of_sellers=6, most_of_buyers=12), wishes=said, parties=crew
    )
    assert choice.proven
    assert len(choice.appointments) == 1_000
    assert choice.without == ()
    loads = [len(list(mine)) for _, mine in groupby(sorted(each.buyer for each in choice.appointments))]
    assert max(loads) <= 12
