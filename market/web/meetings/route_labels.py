"""Where the names beside the stations of a map stand: none over another, none over a station.

Every name has places around its station, near ones first. They are given out one after another, and then
each is looked at again with all others in place, until nothing gets better.
"""

from collections.abc import Sequence
from math import hypot

import msgspec

Point = tuple[float, float]
Box = tuple[float, float, float, float]
Track = tuple[Point, Point]

#: Px between a station's middle and a name, at first and when there is no room there.
_NEAR, _STEPS = 17.0, (0.0, 9.0, 18.0, 28.0)
#: Px that stay free around a name.
_AIR = 1.5
#: Px kept free around a station's middle.
_DISC = 14.0
#: What it costs to cover another name or a station, per case and per px²; to cover a px of line; to leave
#: the sheet, per px; to stand further away, per px; and to take a less usual place, per rank.
_CLASH, _COVERED, _CROSSED, _OUTSIDE, _FAR, _RANK = 2_000.0, 3.0, 6.0, 400.0, 2.0, 0.5
_MOST_ROUNDS = 12


class Label(msgspec.Struct, frozen=True):
    """Words of ``lines`` lines, ``long`` px wide; ``lines`` is 1 or 2."""

    at: Point
    long: float
    lines: int = 1


class Place(msgspec.Struct, frozen=True):
    """``x`` and the baseline ``base`` of the first line; ``anchor`` as SVG's text-anchor."""

    anchor: str
    x: float
    base: float
    box: Box


def placed(
    labels: Sequence[Label], tracks: Sequence[Track], *, width: float, height: float
) -> tuple[list[Place], int]:
    """Return a place for each label, and how many of them still cover a name or a station."""
    discs = [_around(each.at) for each in labels]
    options = [_places(each) for each in labels]
    # what does not hang on the other names, once and for all, cheapest first
    fixed = [
        sorted(
            (rank * _RANK + _fixed_cost(place, label, near, lines, width=width, height=height), rank)
            for rank, place in enumerate(places)
        )
        for label, places in zip(labels, options, strict=True)
        for near, lines in [_within_reach(label, discs, tracks)]
    ]
    chosen: dict[int, int] = {}

    def best(label: int) -> int:
        others = [options[other][rank].box for other, rank in chosen.items() if other != label]
        least, found = float("inf"), 0
        for alone, rank in fixed[label]:
            if alone >= least:
                break
            box = options[label][rank].box
            if (cost := alone + sum(_clash(box, other) for other in others)) < least:
                least, found = cost, rank
        return found

    for _ in range(_MOST_ROUNDS):
        before = dict(chosen)
        for label in range(len(labels)):
            chosen[label] = best(label)
        if chosen == before:
            break
    found = [places[chosen[label]] for label, places in enumerate(options)]
    return found, sum(_covers(place, number, found, discs) for number, place in enumerate(found))


def _places(label: Label) -> list[Place]:
    """Return the places around a station: beside it first, then below and above, then askew."""
    x, y = label.at
    tall = 18.0 if label.lines == 1 else 35.0
    found = []
    for step in _STEPS:
        off, slant = _NEAR + step, (_NEAR + step) * 0.85
        tops = [
            ("start", x + off, y - tall / 2),
            ("end", x - off, y - tall / 2),
            ("middle", x, y + off),
            ("middle", x, y - off - tall),
            ("start", x + slant, y + slant),
            ("end", x - slant, y + slant),
            ("start", x + slant, y - slant - tall),
            ("end", x - slant, y - slant - tall),
            ("start", x - 12, y + off),
            ("end", x + 12, y + off),
            ("start", x - 12, y - off - tall),
            ("end", x + 12, y - off - tall),
        ]
        for anchor, at, top in tops:
            left = at - {"start": 0.0, "end": label.long, "middle": label.long / 2}[anchor]
            found.append(Place(anchor, at, top + 14, (left, top, left + label.long, top + tall)))
    return found


def _within_reach(
    label: Label, discs: Sequence[Box], tracks: Sequence[Track]
) -> tuple[list[Box], list[Track]]:
    """Return the stations and lines that some place of a name could come to lie over."""
    (x, y), far = label.at, _NEAR + _STEPS[-1] + 40
    reach = (x - far - label.long, y - far, x + far + label.long, y + far)
    return (
        [each for each in discs if _shared(each, reach) > 0],
        [each for each in tracks if _inside(reach, each) > 0],
    )


def _fixed_cost(
    place: Place,
    label: Label,
    discs: Sequence[Box],
    tracks: Sequence[Track],
    *,
    width: float,
    height: float,
) -> float:
    box = place.box
    out = max(0.0, -box[0]) + max(0.0, box[2] - width) + max(0.0, -box[1]) + max(0.0, box[3] - height)
    gap_x = max(box[0] - label.at[0], label.at[0] - box[2], 0.0)
    gap_y = max(box[1] - label.at[1], label.at[1] - box[3], 0.0)
    return (
        out * _OUTSIDE
        + max(hypot(gap_x, gap_y) - _NEAR, 0.0) * _FAR
        + sum(_clash(box, disc) for disc in discs)
        + sum(_inside(box, track) for track in tracks) * _CROSSED
    )


def _covers(place: Place, number: int, places: Sequence[Place], discs: Sequence[Box]) -> bool:
    others = [each.box for other, each in enumerate(places) if other != number]
    return any(_shared(place.box, other) > 0 for other in (*others, *discs))


def _clash(one: Box, other: Box) -> float:
    shared = _shared((one[0] - _AIR, one[1] - _AIR, one[2] + _AIR, one[3] + _AIR), other)
    return _CLASH + shared * _COVERED if shared > 0 else 0.0


def _around(at: Point) -> Box:
    return at[0] - _DISC, at[1] - _DISC, at[0] + _DISC, at[1] + _DISC


def _shared(one: Box, other: Box) -> float:
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return across * down if across > 0 and down > 0 else 0.0


def _inside(box: Box, track: Track) -> float:
    """Return how many px of a line lie under a box, its edges 2 px wider (Liang and Barsky 1984)."""
    (x0, y0), (x1, y1) = track
    dx, dy = x1 - x0, y1 - y0
    enters, leaves = 0.0, 1.0
    for step, room in (
        (-dx, x0 - box[0] + 2),
        (dx, box[2] + 2 - x0),
        (-dy, y0 - box[1] + 2),
        (dy, box[3] + 2 - y0),
    ):
        if step == 0:
            if room < 0:
                return 0.0
        elif step < 0:
            enters = max(enters, room / step)
        else:
            leaves = min(leaves, room / step)
    return (leaves - enters) * hypot(dx, dy) if leaves > enters else 0.0
