"""A tour as two may change it at once: one flat thing of the tour's own settings and those of its stops.

A stop that came meanwhile was not in front of whoever saves, and is left alone; so is one that went.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from market.meanwhile import marks_of, settled
from market.meetings.route.asked import StopSettings, TourSettings
from market.meetings.tour.queries import FieldRouteRow

_TOUR = TourSettings.__struct_fields__
_STOP = tuple(name for name in StopSettings.__struct_fields__ if name != "id")


class Kept(msgspec.Struct, frozen=True):
    """What is to be saved; ``theirs``: fields that others alone have changed, a stop's with its number."""

    tour: TourSettings
    stops: list[StopSettings]
    theirs: frozenset[str]


def tour_as_it_stands(route: FieldRouteRow) -> TourSettings:
    return TourSettings(**{name: getattr(route, name) for name in _TOUR})


def stops_as_they_stand(route: FieldRouteRow) -> list[StopSettings]:
    return [StopSettings(stop.id, *(getattr(stop, name) for name in _STOP)) for stop in route.stops]


def marks_of_tour(route: FieldRouteRow) -> str:
    return marks_of(tour_as_it_stands(route))


def marks_of_stops(route: FieldRouteRow) -> dict[int, str]:
    """Return stop -> the marks of its settings."""
    return {stop.id: marks_of(stop, _STOP) for stop in stops_as_they_stand(route)}


def kept_of(
    tour: TourSettings, stops: Sequence[StopSettings], *, now: FieldRouteRow, seen: str | None
) -> Kept:
    """Return what is to be saved of a tour and its stops while ``now`` stands.

    ``seen``: the marks of the tour and of each of ``stops``, in their order, as they were read.

    Raises:
        ChangedMeanwhile: both changed the same field, to different values.
    """
    standing = {stop.id: stop for stop in stops_as_they_stand(now)}
    there = _flat(tour_as_it_stands(now), [standing[stop.id] for stop in stops])
    found = settled(_flat(tour, stops), now=there, seen=seen)
    value: Any = found.value
    return Kept(
        TourSettings(**{name: getattr(value, name) for name in _TOUR}),
        [StopSettings(stop.id, *(getattr(value, f"{name}_{stop.id}") for name in _STOP)) for stop in stops],
        found.theirs,
    )


def _flat(tour: TourSettings, stops: Sequence[StopSettings]) -> msgspec.Struct:
    values = {name: getattr(tour, name) for name in _TOUR}
    values |= {f"{name}_{stop.id}": getattr(stop, name) for stop in stops for name in _STOP}
    return msgspec.defstruct("Tour", list(values), frozen=True)(**values)
