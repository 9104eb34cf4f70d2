"""Names on the map of a tour."""

from itertools import pairwise
from random import Random

import pytest

from market.web.meetings.route_labels import Label, Place, placed

WIDTH, HEIGHT = 860.0, 640.0


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return across > 0 and down > 0


def scattered(seed: int, *, apart: float = 70.0) -> list[Label]:
    """Return twelve stations at least ``apart`` px from one another, in a corner of the sheet."""
    random, found = Random(seed), list[tuple[float, float]]()
    while len(found) < 12:
        x, y = random.uniform(150, 480), random.uniform(60, 420)
        if all((x - left) ** 2 + (y - top) ** 2 >= apart**2 for left, top in found):
            found.append((x, y))
    return [Label(at, random.uniform(40, 110), random.choice((1, 2))) for at in found]


def faults(labels: list[Label], places: list[Place]) -> list[tuple[int, int]]:
    """Return pairs of a name and another name, or of a name and the station that it covers."""
    discs = [(x - 11, y - 11, x + 11, y + 11) for x, y in (each.at for each in labels)]
    return [
        (one, other)
        for one, place in enumerate(places)
        for other in range(len(labels))
        if overlap(place.box, discs[other]) or (other > one and overlap(place.box, places[other].box))
    ]


@pytest.mark.parametrize("seed", range(20))
def test_no_name_covers_another_or_a_station_and_all_stay_on_the_sheet(seed: int) -> None:
    labels = scattered(seed)
    tracks = [(one.at, other.at) for one, other in pairwise(labels)]
    places, covered = placed(labels, tracks, width=WIDTH, height=HEIGHT)
    assert covered == 0
    assert faults(labels, places) == []
    assert all(box[0] >= 0 and box[1] >= 0 and box[2] <= WIDTH and box[3] <= HEIGHT for box in boxes(places))


def boxes(places: list[Place]) -> list[tuple[float, float, float, float]]:
    return [each.box for each in places]


def test_name_with_room_stands_to_the_right_of_its_station() -> None:
    [place], covered = placed([Label((200, 200), 80)], [], width=WIDTH, height=HEIGHT)
    assert (place.anchor, place.x, covered) == ("start", 217, 0)


def test_name_leaves_a_line_free() -> None:
    [place], _ = placed([Label((200, 200), 80)], [((200, 200), (500, 200))], width=WIDTH, height=HEIGHT)
    assert (place.anchor, place.x) == ("end", 183)


def test_names_without_room_are_counted() -> None:
    crowd = [Label((30.0 + 5 * n, 30.0), 100) for n in range(6)]
    _, covered = placed(crowd, [], width=120, height=60)
    assert covered > 0
