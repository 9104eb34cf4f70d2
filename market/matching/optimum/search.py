"""Searching all pairs of a product for the best, without looking at each.

One side seeks, the other offers. Offers lie in leaves, small groups of neighbours in place and time, each
sorted by what they cost with their gain. A leaf whose cheapest offer, brought over the shortest way there
is, cannot beat what a seeker has already is passed over whole; inside a leaf the search ends at the first
offer too dear. What is passed over is provably no better, so the result is that of looking at every pair.

The shortest way to a leaf: by the triangle inequality no offer of it is nearer, as the crow flies through
the Earth, than its centre less its radius; and an arc is never shorter than its chord.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from market.compiled import compiled

Ints = NDArray[np.int64]
Places = NDArray[np.int32]
Floats = NDArray[np.float64]
Words = NDArray[np.uint64]

#: Rows that some rows must not be paired with: row k's are ``barred[1][barred[0][k]:barred[0][k + 1]]``.
Barred = tuple[Ints, Places]


class Sides(NamedTuple):
    """One side of a product's market, as seeker or as offer; a row each.

    ``price`` is what a seeker has to give and what an offer asks: a demand's ceiling and a lot's ask, or,
    when lots seek among demands, both negated. ``grade`` and ``codes`` are turned in the same way, so that
    an offer fits if its grade is at least the seeker's and it holds every code that the seeker needs.
    """

    xyz: Floats
    price: Floats
    priority: Floats
    grade: Places
    begin: Places
    end: Places
    codes: Words
    reach: Floats

    def turned(self) -> "Sides":
        """The same side in the other part: what sought offers, what offered seeks."""
        return self._replace(price=-self.price, grade=-self.grade, codes=~self.codes)


class Leaves(NamedTuple):
    """Offers in the order of their leaves: ``rows`` of leaf k are ``rows[begin[k]:begin[k + 1]]``.

    With each leaf what its offers are at best: its centre and radius, the highest grade, the earliest
    begin, the latest end, and every code that one of them holds.
    """

    rows: Places
    begin: Ints
    centre: Floats
    radius: Floats
    grade: Places
    earliest: Places
    latest: Places
    codes: Words


def leaves_of(offers: Sides) -> Leaves:
    """Cut offers into leaves, neighbours in place and time, by halving the widest extent."""
    count = len(offers.price)
    if not count:
        nothing = np.zeros(0, np.int32)
        flat, words = np.zeros((0, 3)), np.zeros((0, offers.codes.shape[1]), np.uint64)
        return Leaves(nothing, np.zeros(1, np.int64), flat, flat[:, 0], nothing, nothing, nothing, words)
    largest = max(16, int(count**0.5) // 2)
    # In Earth radii: a day apart counts like some six kilometres.
    place = np.column_stack([offers.xyz, (offers.begin + offers.end) / 2000])
    parts = [np.arange(count)]
    done = []
    while parts:
        part = parts.pop()
        if len(part) <= largest:
            done.append(part)
            continue
        here = place[part]
        axis = int(np.argmax(np.ptp(here, axis=0)))
        half = len(part) // 2
        order = np.argpartition(here[:, axis], half)
        parts += [part[order[half:]], part[order[:half]]]
    begin = np.cumsum([0] + [len(part) for part in done])
    rows = np.concatenate(done)
    first, size = begin[:-1], np.diff(begin)
    centre = np.add.reduceat(offers.xyz[rows], first, axis=0) / size[:, None]
    away = ((offers.xyz[rows] - np.repeat(centre, size, axis=0)) ** 2).sum(axis=1)
    return Leaves(
        rows=rows.astype(np.int32),
        begin=begin,
        centre=centre,
        radius=np.sqrt(np.maximum.reduceat(away, first)),
        grade=np.maximum.reduceat(offers.grade[rows], first),
        earliest=np.minimum.reduceat(offers.begin[rows], first),
        latest=np.maximum.reduceat(offers.end[rows], first),
        codes=np.bitwise_or.reduceat(offers.codes[rows], first, axis=0),
    )


_PLACES, _NUMBERS, _MONEY = "int32[::1]", "int64[::1]", "float64[::1]"
_SIDES = f"float64[:,::1], {_MONEY}, {_MONEY}, {_PLACES}, {_PLACES}, {_PLACES}, uint64[:,::1], {_MONEY}"
_LEAVES = f"{_PLACES}, {_NUMBERS}, float64[:,::1], {_MONEY}, {_PLACES}, {_PLACES}, {_PLACES}, uint64[:,::1]"
_BARRED = "int64[::1], int32[::1]"


@compiled(
    f"void(int64[::1], {_SIDES}, {_LEAVES}, float64[::1], {_SIDES}, {_BARRED}, float64, float64,"
    " float64[::1], float64[::1], int32[:,::1], float64[:,::1])"
)
def _best(
    seekers: Ints,
    xyz_s: Floats,
    price_s: Floats,
    priority_s: Floats,
    grade_s: Places,
    begin_s: Places,
    end_s: Places,
    codes_s: Words,
    reach_s: Floats,
    rows: Places,
    leaf_begin: Ints,
    leaf_centre: Floats,
    leaf_radius: Floats,
    leaf_grade: Places,
    leaf_earliest: Places,
    leaf_latest: Places,
    leaf_codes: Words,
    key: Floats,
    xyz_o: Floats,
    price_o: Floats,
    priority_o: Floats,
    grade_o: Places,
    begin_o: Places,
    end_o: Places,
    codes_o: Words,
    reach_o: Floats,
    barred_begin: Ints,
    barred: Places,
    road: float,
    rate: float,
    floor: Floats,
    gain_o: Floats,
    found: Places,
    value: Floats,
) -> None:
    """For each seeker keep the offers of the greatest worth less the offer's gain, above its floor."""
    most = found.shape[1]
    leaves = len(leaf_radius)
    words = codes_s.shape[1]
    bound = np.empty(leaves)
    near = np.empty(leaves, np.int64)
    for s in range(len(seekers)):
        who = seekers[s]
        x, y, z = xyz_s[who, 0], xyz_s[who, 1], xyz_s[who, 2]
        give = price_s[who] + priority_s[who]
        least = floor[s]
        count = 0
        for k in range(leaves):
            most_here = give - key[leaf_begin[k]]
            if (
                most_here <= least - 1e-11
                or leaf_grade[k] < grade_s[who]
                or leaf_earliest[k] > end_s[who]
                or leaf_latest[k] < begin_s[who]
                or codes_s[who, 0] & ~leaf_codes[k, 0]
            ):
                continue
            dx, dy, dz = leaf_centre[k, 0] - x, leaf_centre[k, 1] - y, leaf_centre[k, 2] - z
            way = np.sqrt(dx * dx + dy * dy + dz * dz) - leaf_radius[k]
            if way > 0:
                most_here -= way * (road * rate / 2)
            if most_here > least - 1e-11:
                bound[count] = -most_here
                near[count] = k
                count += 1
        order = np.argsort(bound[:count])
        held = 0
        for place in order:
            limit = least if held < most else value[s, most - 1]
            if -bound[place] <= limit - 1e-11:
                break
            k = near[place]
            # What the way to this leaf costs at the least.
            way_cost = give - key[leaf_begin[k]] + bound[place]
            for at in range(leaf_begin[k], leaf_begin[k + 1]):
                limit = least if held < most else value[s, most - 1]
                if give - key[at] - way_cost <= limit - 1e-11:
                    break
                o = rows[at]
                if grade_o[o] < grade_s[who] or begin_o[o] > end_s[who] or begin_s[who] > end_o[o]:
                    continue
                fits = True
                for word in range(words):
                    if codes_s[who, word] & ~codes_o[o, word]:
                        fits = False
                if not fits:
                    continue
                dx, dy, dz = xyz_o[o, 0] - x, xyz_o[o, 1] - y, xyz_o[o, 2] - z
                chord = np.sqrt(dx * dx + dy * dy + dz * dz)
                km = np.arcsin(min(chord / 2, 1.0)) * road
                if km > reach_s[who] or km > reach_o[o]:
                    continue
                surplus = (price_s[who] - price_o[o]) - km * rate
                worth = surplus + (priority_s[who] + priority_o[o])
                if surplus < 0 or worth < 0:
                    continue
                here = worth - gain_o[o]
                if here <= limit:
                    continue
                free = True
                for b in range(barred_begin[who], barred_begin[who + 1]):
                    if barred[b] == o:
                        free = False
                if not free:
                    continue
                spot = held if held < most else most - 1
                while spot > 0 and value[s, spot - 1] < here:
                    value[s, spot] = value[s, spot - 1]
                    found[s, spot] = found[s, spot - 1]
                    spot -= 1
                value[s, spot] = here
                found[s, spot] = o
                if held < most:
                    held += 1


@compiled(
    f"int64({_SIDES}, {_LEAVES}, float64[::1], {_SIDES}, {_BARRED}, float64, float64,"
    " int64[::1], int64[::1], int64[::1], int64[::1], int32[::1], int32[::1], float64[::1])"
)
def _enumerate(
    xyz_s: Floats,
    price_s: Floats,
    priority_s: Floats,
    grade_s: Places,
    begin_s: Places,
    end_s: Places,
    codes_s: Words,
    reach_s: Floats,
    rows: Places,
    leaf_begin: Ints,
    leaf_centre: Floats,
    leaf_radius: Floats,
    leaf_grade: Places,
    leaf_earliest: Places,
    leaf_latest: Places,
    leaf_codes: Words,
    key: Floats,
    xyz_o: Floats,
    price_o: Floats,
    priority_o: Floats,
    grade_o: Places,
    begin_o: Places,
    end_o: Places,
    codes_o: Words,
    reach_o: Floats,
    barred_begin: Ints,
    barred: Places,
    road: float,
    rate: float,
    alike_s: Ints,
    alike_o: Ints,
    pairs_s: Ints,
    pairs_o: Ints,
    first: Places,
    second: Places,
    worths: Floats,
) -> int:
    """Count every admissible pair on both sides; list those with worth >= 0 while there is room.

    Return how many those are. ``alike`` tells for how many each row stands.
    """
    words = codes_s.shape[1]
    total = 0
    for s in range(len(price_s)):
        x, y, z = xyz_s[s, 0], xyz_s[s, 1], xyz_s[s, 2]
        mine = 0
        for k in range(len(leaf_radius)):
            spare = price_s[s] - key[leaf_begin[k]]
            if (
                spare < -1e-11
                or leaf_grade[k] < grade_s[s]
                or leaf_earliest[k] > end_s[s]
                or leaf_latest[k] < begin_s[s]
                or codes_s[s, 0] & ~leaf_codes[k, 0]
            ):
                continue
            dx, dy, dz = leaf_centre[k, 0] - x, leaf_centre[k, 1] - y, leaf_centre[k, 2] - z
            way = np.sqrt(dx * dx + dy * dy + dz * dz) - leaf_radius[k]
            way_cost = max(way, 0.0) * (road * rate / 2)
            for at in range(leaf_begin[k], leaf_begin[k + 1]):
                if price_s[s] - key[at] - way_cost < -1e-11:
                    break
                o = rows[at]
                if grade_o[o] < grade_s[s] or begin_o[o] > end_s[s] or begin_s[s] > end_o[o]:
                    continue
                fits = True
                for word in range(words):
                    if codes_s[s, word] & ~codes_o[o, word]:
                        fits = False
                if not fits:
                    continue
                dx, dy, dz = xyz_o[o, 0] - x, xyz_o[o, 1] - y, xyz_o[o, 2] - z
                chord = np.sqrt(dx * dx + dy * dy + dz * dz)
                km = np.arcsin(min(chord / 2, 1.0)) * road
                surplus = (price_s[s] - price_o[o]) - km * rate
                if surplus < 0 or km > reach_s[s] or km > reach_o[o]:
                    continue
                free = True
                for b in range(barred_begin[s], barred_begin[s + 1]):
                    if barred[b] == o:
                        free = False
                if not free:
                    continue
                mine += alike_o[o]
                pairs_o[o] += alike_s[s]
                worth = surplus + (priority_s[s] + priority_o[o])
                if worth < 0:
                    continue
                if total < len(first):
                    first[total], second[total], worths[total] = s, o, worth
                total += 1
        pairs_s[s] = mine
    return total


def _by_key(leaves: Leaves, cost: Floats) -> tuple[Leaves, Floats]:
    """Sort each leaf by cost; return it with the costs in its order."""
    leaf = np.repeat(np.arange(len(leaves.radius)), np.diff(leaves.begin))
    order = np.lexsort((cost[leaves.rows], leaf))
    rows = leaves.rows[order]
    return leaves._replace(rows=rows), cost[rows]


def best_offers(
    seekers: Ints,
    seeking: Sides,
    offering: Sides,
    leaves: Leaves,
    barred: Barred,
    ways: tuple[float, float],
    gain: Floats,
    floor: Floats,
    most: int,
) -> tuple[Places, Floats]:
    """For each of ``seekers`` find the ``most`` offers of the greatest worth - gain above its floor.

    Return rows of offers, shape (seekers, most), -1 where there are no more, and worth - gain in yuan per
    kg, best first. ``ways``: km per radian by road, and yuan per kg and km. An infinite gain keeps an
    offer out.
    """
    leaves, key = _by_key(leaves, offering.price - offering.priority + gain)
    return best_in_leaves(seekers, seeking, offering, leaves, key, barred, ways, gain, floor, most)


def best_in_leaves(
    seekers: Ints,
    seeking: Sides,
    offering: Sides,
    leaves: Leaves,
    key: Floats,
    barred: Barred,
    ways: tuple[float, float],
    gain: Floats,
    floor: Floats,
    most: int,
) -> tuple[Places, Floats]:
    """The same in leaves that are sorted already: by ``key``, in the order of ``leaves.rows``.

    A key may be less than the offer's price - priority + gain, never more; the result is the same.
    """
    found = np.full((len(seekers), most), -1, np.int32)
    value = np.zeros((len(seekers), most))
    if len(seekers) and len(offering.price):
        _best(seekers, *seeking, *leaves, key, *offering, *barred, *ways, floor, gain, found, value)
    return found, value


def enumerate_pairs(
    lots: Sides,
    demands: Sides,
    leaves: Leaves,
    alike: tuple[Ints, Ints],
    barred: Barred,
    ways: tuple[float, float],
    room: int,
) -> tuple[Ints, Ints, int, tuple[Places, Places, Floats] | None]:
    """Count the admissible pairs of each lot and demand, and those with worth >= 0, the arcs.

    Return the counts, and the arcs as (demand, lot, worth in yuan per kg) if they are at most ``room``.
    """
    pairs_d, pairs_l = np.zeros(len(demands.price), np.int64), np.zeros(len(lots.price), np.int64)
    room = min(room, len(pairs_d) * len(pairs_l))
    j, i, worth = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room)
    if not room:
        return pairs_l, pairs_d, 0, (j, i, worth)
    leaves, key = _by_key(leaves, lots.price)
    counts = (*alike, pairs_d, pairs_l, j, i, worth)
    total = int(_enumerate(*demands, *leaves, key, *lots, *barred, *ways, *counts))
    listed = (j[:total], i[:total], worth[:total]) if total <= room else None
    return pairs_l, pairs_d, total, listed
