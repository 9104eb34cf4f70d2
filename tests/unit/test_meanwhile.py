"""Two change the same thing at once: whose each field is."""

import re
from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.meanwhile import ChangedMeanwhile, check_marks, differing, marks_of, settled


class Shop(msgspec.Struct, frozen=True):
    name: str = "东岗"
    price: int = 160
    until: date | None = None
    tags: tuple[str, ...] = ()


READ = Shop()
SEEN = marks_of(READ)


def test_marks_tell_which_fields_differ() -> None:
    assert differing(READ, SEEN) == frozenset()
    assert differing(Shop(name="西岗", until=date(2026, 12, 1)), SEEN) == {"name", "until"}
    # the order in which parts were ticked says nothing
    assert differing(Shop(tags=("b", "a")), marks_of(Shop(tags=("a", "b")))) == frozenset()
    # marks of something else are marks of nothing that stands here
    assert differing(READ, SEEN + SEEN) == set(Shop.__struct_fields__)
    assert differing(READ, marks_of(READ, ("name",)), ("name",)) == frozenset()


def test_words_that_are_no_marks_are_refused() -> None:
    assert check_marks(SEEN) == SEEN
    for wrong in ("", "abc", SEEN + "a", SEEN[:-1] + "|", SEEN + "\n"):
        with pytest.raises(ValueError, match=re.escape(wrong) or "^$"):
            check_marks(wrong)


def test_what_either_changed_alone_is_kept() -> None:
    kept = settled(Shop(price=200), now=Shop(name="西岗", tags=("a",)), seen=SEEN)
    assert kept.value == Shop(name="西岗", price=200, tags=("a",))
    assert kept.theirs == {"name", "tags"}


def test_what_both_changed_is_asked_back_unless_both_want_the_same() -> None:
    with pytest.raises(ChangedMeanwhile) as asked:
        settled(Shop(price=200, name="北岗"), now=Shop(price=220, name="北岗", tags=("a",)), seen=SEEN)
    assert (asked.value.both, asked.value.theirs) == ({"price"}, {"tags"})
    assert asked.value.values()["price"] == {"sent": 200, "now": 220}
    assert settled(Shop(price=220), now=Shop(price=220), seen=SEEN).theirs == frozenset()


def test_where_all_must_stand_as_it_was_read_every_change_is_told() -> None:
    with pytest.raises(ChangedMeanwhile) as asked:
        settled(Shop(price=200), now=Shop(name="西岗"), seen=SEEN, exact=True)
    assert (asked.value.both, asked.value.theirs) == (frozenset(), {"name"})
    assert settled(Shop(price=200), now=READ, seen=SEEN, exact=True).value == Shop(price=200)


def test_without_marks_it_is_meant_whatever_stands_there() -> None:
    assert settled(Shop(price=200), now=Shop(name="西岗"), seen=None).value == Shop(price=200)


shops = st.builds(
    Shop,
    name=st.sampled_from("ab"),
    price=st.integers(1, 2),
    tags=st.sets(st.sampled_from("xy")).map(lambda tags: tuple(sorted(tags))),
)


@given(read=shops, mine=shops, now=shops)
def test_every_field_is_mine_theirs_or_asked_back(read: Shop, mine: Shop, now: Shop) -> None:
    try:
        kept = settled(mine, now=now, seen=marks_of(read)).value
        both: frozenset[str] = frozenset()
    except ChangedMeanwhile as asked:
        kept, both = mine, asked.both
    for name in Shop.__struct_fields__:
        was, own, theirs = (getattr(each, name) for each in (read, mine, now))
        if name in both:
            assert len({was, own, theirs}) == 3
        elif not both:
            assert getattr(kept, name) == (theirs if own == was else own)
