"""Quantities that change on a warm tree: the flow stays feasible, the tree a tree, the end the optimum."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market.matching.live.cover import weigh
from market.matching.optimum.network import HUB, Network
from tests.unit.matching.reference import reference_flow


def check(network: Network, grams: list[int], lots: int) -> None:
    """Flow is within quantities, on the tree only, and every node can send some to the hub."""
    out = np.zeros(network.nodes, np.int64)
    np.add.at(out, network.tail, network.flow)
    into = np.zeros(network.nodes, np.int64)
    np.add.at(into, network.head, network.flow)
    assert (network.flow >= 0).all()
    assert out[1 : 1 + lots].tolist() == grams[:lots]
    assert into[1 + lots :].tolist() == grams[lots:]
    parent, link = network._parent[: network.nodes], network._link[: network.nodes]
    on_tree = np.zeros(network.arcs, np.bool_)
    on_tree[link[1:]] = True
    assert not network.flow[~on_tree].any()
    assert on_tree.sum() == network.nodes - 1
    assert parent[HUB] == -1
    for node in range(1, network.nodes):
        leads_away = network.head[link[node]] == node
        assert network.flow[link[node]] > 0 or not leads_away or grams[node - 1] == 0
        assert grams[node - 1] > 0 or network._size[node] == 1


@st.composite
def _changes(draw: st.DrawFn) -> Any:
    lots, demands = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    grams = draw(st.lists(st.integers(1, 5), min_size=lots + demands, max_size=lots + demands))
    worth = draw(st.lists(st.integers(0, 4), min_size=lots * demands, max_size=lots * demands))
    steps = draw(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6)), max_size=6))
    return lots, demands, grams, worth, steps


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_changes())
def test_changed_quantities_end_at_the_optimum(case: Any) -> None:
    lots, demands, grams, worth, steps = case
    network = Network()
    rows = network.add_lots(np.array(grams[:lots]))
    columns = network.add_demands(np.array(grams[lots:]))
    i, j = np.divmod(np.arange(lots * demands), demands)
    arcs = network.add_arcs(rows[i], columns[j], np.array(worth))
    network.solve()
    closed: set[int] = set()
    for where, new in steps:
        k = where % (lots + demands)
        if where > 20:
            arc = int(arcs[where % len(arcs)])
            moved = network.deliver(arc, new)
            assert 0 <= moved <= new
            for node in (int(network.tail[arc]), int(network.head[arc])):
                grams[node - 1] -= moved
                if moved and not grams[node - 1]:
                    closed.add(node - 1)
        elif k in closed:
            continue
        elif new > grams[k]:
            network.increase(k + 1, new - grams[k])
            grams[k] = new
        else:
            network.decrease(k + 1, grams[k] - new)
            grams[k] = new
            if not new:
                closed.add(k)
        for one in closed:
            network.close(one + 1)
        check(network, grams, lots)
        if where % 2:
            assert network.solve()
    assert network.solve()
    check(network, grams, lots)
    q, d = np.array(grams[:lots]), np.array(grams[lots:])
    served = np.flatnonzero((q[i] > 0) & (d[j] > 0))
    best = np.zeros(len(i), np.int64)
    best[served] = reference_flow(i[served], j[served], np.array(worth)[served], q, d)
    assert weigh(network.worth, network.flow) == int(best @ np.array(worth))
    assert (network.potential[1 : 1 + lots] >= 0).all()
    assert (network.potential[1 + lots :] <= 0).all()


def test_more_than_there_is_cannot_be_taken() -> None:
    network = Network()
    network.add_lots(np.array([5]))
    with pytest.raises(ValueError, match="more than it has"):
        network.decrease(1, 6)


def test_closed_node_serves_nobody_again() -> None:
    network = Network()
    lot, demand = network.add_lots(np.array([5, 5])), network.add_demands(np.array([5]))
    network.add_arcs(lot, np.repeat(demand, 2), np.array([3, 2]))
    network.solve()
    network.decrease(1, 5)
    network.close(1)
    network.solve()
    assert network.flow.tolist()[-2:] == [0, 5]
    assert sorted(network.worth.tolist())[:1] == [-(1 << 56)]


def test_forbidden_arc_carries_nothing_again() -> None:
    network = Network()
    lots, demands = network.add_lots(np.array([5, 5])), network.add_demands(np.array([5, 5]))
    arcs = network.add_arcs(np.repeat(lots, 2), np.tile(demands, 2), np.array([9, 8, 8, 1]))
    network.solve()
    for arc, worth in ((arcs[1], 50), (arcs[0], 40), (arcs[2], 5), (arcs[3], 0)):
        network.forbid(int(arc))
        check(network, [5, 5, 5, 5], 2)
        assert network.solve()
        assert weigh(network.worth, network.flow) == worth
        assert network.flow[arc] == 0


@given(st.lists(st.tuples(st.integers(-(2**53), 2**53), st.integers(0, 2**37)), max_size=20))
def test_weigh_is_exact_beyond_64_bits(pairs: list[tuple[int, int]]) -> None:
    gain, grams = (np.array([pair[k] for pair in pairs], np.int64) for k in (0, 1))
    assert weigh(gain, grams) == sum(a * b for a, b in pairs)
