"""The network simplex against OR-Tools, on markets with many ties, also when arcs join later."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from market.matching.optimum.lattice import farthest_shifts, pieces_of
from market.matching.optimum.network import Network
from tests.unit.matching.reference import reference_flow

Ints = NDArray[np.int64]
Market = tuple[Ints, Ints, Ints, Ints, Ints]


@st.composite
def transports(draw: st.DrawFn) -> Market:
    """Quantities of lots and demands, and arcs between them with small worths: ties everywhere."""
    lots, demands = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    q = draw(st.lists(st.integers(1, 6), min_size=lots, max_size=lots))
    d = draw(st.lists(st.integers(1, 6), min_size=demands, max_size=demands))
    pairs = [(i, j) for i in range(lots) for j in range(demands)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True))
    worth = draw(st.lists(st.integers(0, 4), min_size=len(chosen), max_size=len(chosen)))
    i, j = np.array(chosen, np.int64).reshape(-1, 2).T
    return np.array(q), np.array(d), i.copy(), j.copy(), np.array(worth, np.int64)


def weigh(worth: Ints, x: Ints) -> int:
    return sum(a * b for a, b in zip(worth.tolist(), x.tolist(), strict=True))


def supports(market: Market, x: Ints, u: Ints, v: Ints) -> bool:
    """Tell whether gains prove a flow to be the best."""
    q, d, i, j, worth = market
    left = q - np.bincount(i, x, len(q)).astype(np.int64)
    open_ = d - np.bincount(j, x, len(d)).astype(np.int64)
    assert (left >= 0).all()
    assert (open_ >= 0).all()
    tight = (u[i] + v[j] == worth)[x > 0].all()
    return bool(
        (u >= 0).all()
        and (v >= 0).all()
        and (u[i] + v[j] >= worth).all()
        and tight
        and not u[left > 0].any()
        and not v[open_ > 0].any()
    )


@settings(max_examples=300, deadline=None)
@given(transports(), st.data())
def test_flow_is_worth_what_another_method_finds(market: Market, data: Any) -> None:
    q, d, i, j, worth = market
    cut = data.draw(st.integers(0, len(i)))
    network = Network(2, 1)
    rows, columns = network.add_lots(q), network.add_demands(d)
    early = network.add_arcs(rows[i[:cut]], columns[j[:cut]], worth[:cut])
    assert network.solve()
    late = network.add_arcs(rows[i[cut:]], columns[j[cut:]], worth[cut:])
    while not network.solve(1):
        pass
    x = network.flow[np.concatenate([early, late])]
    assert supports(market, x, network.potential[rows], -network.potential[columns])
    assert weigh(worth, x) == weigh(worth, reference_flow(i, j, worth, q, d))


@settings(max_examples=200, deadline=None)
@given(transports())
def test_ends_of_the_lattice_are_the_least_and_the_most_of_each_gain(market: Market) -> None:
    q, d, i, j, worth = market
    network = Network()
    rows, columns = network.add_lots(q), network.add_demands(d)
    between = network.add_arcs(rows[i], columns[j], worth)
    assert network.solve()
    x = network.flow[between]
    falls, rises = farthest_shifts(network, pieces_of(network))
    u, v = network.potential[rows], -network.potential[columns]
    low, high = (u - falls[rows], v + falls[columns]), (u + rises[rows], v - rises[columns])
    assert supports(market, x, *low)
    assert supports(market, x, *high)
    assert (low[0] <= u).all()
    assert (u <= high[0]).all()
    # One step beyond an end, no gains of the others support the flow any more.
    for lot in range(len(q)):
        assert not any_support(market, x, lot, int(low[0][lot]) - 1)
        assert not any_support(market, x, lot, int(high[0][lot]) + 1)


def any_support(market: Market, x: Ints, lot: int, gain: int) -> bool:
    """Tell whether some gains support the flow and give ``lot`` this gain, by Bellman and Ford's method."""
    q, d, i, j, worth = market
    lots, hub = len(q), len(q) + len(d)
    left = q - np.bincount(i, x, len(q)).astype(np.int64)
    open_ = d - np.bincount(j, x, len(d)).astype(np.int64)
    # potential[a] - potential[b] >= c, with u of a lot, -v of a demand, 0 of the hub
    rules = [(a, lots + b, c) for a, b, c in zip(i.tolist(), j.tolist(), worth.tolist(), strict=True)]
    rules += [
        (lots + b, a, -c)
        for a, b, c, g in zip(i.tolist(), j.tolist(), worth.tolist(), x.tolist(), strict=True)
        if g
    ]
    for a in range(lots):
        rules.append((a, hub, 0))
        if left[a]:
            rules.append((hub, a, 0))
    for b in range(len(d)):
        rules.append((hub, lots + b, 0))
        if open_[b]:
            rules.append((lots + b, hub, 0))
    rules += [(lot, hub, gain), (hub, lot, -gain)]
    far = [0] * (hub + 1)
    for _ in range(hub + 2):
        changed = False
        for a, b, c in rules:
            if far[a] < far[b] + c:
                far[a], changed = far[b] + c, True
        if not changed:
            return True
    return False


def test_entering_arc_that_is_in_the_tree_moves_nothing() -> None:
    network = Network()
    (row,) = network.add_lots(np.array([5]))
    assert network.enter(int(row) - 1) == 0


@pytest.mark.parametrize("alike", [True, False])
def test_large_network_agrees_with_another_method(alike: bool) -> None:
    rng = np.random.default_rng(3)
    n = 400
    q, d = (rng.integers(1, 3 if alike else 10**6, n) for _ in range(2))
    i, j = np.divmod(np.unique(rng.integers(0, n * n, 8 * n)), n)
    worth = rng.integers(0, 4 if alike else 10**9, len(i))
    network = Network()
    rows, columns = network.add_lots(q), network.add_demands(d)
    between = network.add_arcs(rows[i], columns[j], worth)
    assert network.solve()
    assert weigh(worth, network.flow[between]) == weigh(worth, reference_flow(i, j, worth, q, d))
