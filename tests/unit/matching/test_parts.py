"""A market in parts: cut evenly, each product's result as bytes, put together as if never taken apart."""

import math
import pickle
import zlib
from functools import cache
from time import monotonic
from typing import Any, get_type_hints

import msgspec
import numpy as np
import pytest

from fixtures.markets import Shape, synthetic_market
from market.matching import parts
from market.matching.clearing import Cleared, clear_product
from market.matching.engine import Outcome, Result, assemble, scale_of, solve_market
from market.matching.optimum.candidates import Ints, Market
from market.matching.optimum.gains import Duals
from market.matching.parts import MOST_PARTS, Unfit, cut, decode, encode, fingerprints, packed, unpacked
from market.matching.queries import Snapshot
from market.matching.rules import Demand, Lot, Parameters

SHAPE = Shape(lots=120, demands=120, products=4, min_orders=True, max_lots=True)
LIMIT = 300.0


@cache
def market() -> tuple[list[Lot], list[Demand]]:
    return synthetic_market(SHAPE)


def arrays_of(
    lots: list[Lot], demands: list[Demand], barred: frozenset[tuple[str, str]] = frozenset()
) -> Market:
    return Market(lots, demands, Parameters(), barred)


def cleared(arrays: Market, product: int) -> Cleared:
    return clear_product(
        arrays, product, scale_of(arrays), lambda: False, monotonic, demands_too=True, time_limit=LIMIT
    )


@cache
def whole() -> tuple[Market, list[Cleared]]:
    arrays = arrays_of(*market())
    return arrays, [cleared(arrays, product) for product in range(len(arrays.products))]


def without_seconds(result: Result) -> Result:
    certificate = msgspec.structs.replace(result.certificate, seconds={}, peak_memory_mib=0.0)
    return msgspec.structs.replace(result, certificate=certificate)


def prints_of(arrays: Market, barred: list[tuple[str, str]] | None = None) -> dict[str, str]:
    found = fingerprints(arrays, barred or [], scale_of(arrays), LIMIT)
    return dict(zip(arrays.products, found, strict=True))


def same(one: Cleared, other: Cleared) -> bool:
    """Equal field by field; arrays by their values."""
    flat_one, flat_other = ([*one.gains, *one], [*other.gains, *other])
    return all(
        np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b
        for a, b in zip(flat_one, flat_other, strict=True)
        if not isinstance(a, Duals)
    )


@pytest.mark.parametrize(
    ("cells", "most", "expected"),
    [
        ([], 10, []),
        ([0, 0], 10, [[0, 1]]),
        ([5], 10, [[0]]),
        ([50], 10, [[0]]),
        ([4, 4, 4], 100, [[0, 1, 2]]),
        ([100, 1, 1, 1], 60, [[0], [1, 2, 3]]),
        ([10, 90, 30, 70], 100, [[3, 2], [1, 0]]),
    ],
)
def test_parts_hold_every_product_once_the_heaviest_part_first(
    cells: list[int], most: int, expected: list[list[int]]
) -> None:
    assert cut(cells, most=most) == expected


def test_parts_are_of_similar_work() -> None:
    rng = np.random.default_rng(3)
    cells = [int(size) for size in np.sort(rng.pareto(1.2, 200) * 1e6)]
    found = cut(cells, most=10_000_000)
    assert sorted(place for part in found for place in part) == list(range(200))
    loads = [sum((1 + cells[place]) ** parts.GROWTH for place in part) for part in found]
    assert loads == sorted(loads, reverse=True)
    longest = max((1 + size) ** parts.GROWTH for size in cells)
    assert loads[0] <= max(longest, 4 / 3 * sum(loads) / len(loads))


def test_parts_are_no_more_than_are_worth_the_reading() -> None:
    assert len(cut([1_000] * 500, most=1)) == MOST_PARTS


def test_result_comes_back_from_bytes_as_it_was() -> None:
    arrays, results = whole()
    for product, result in enumerate(results):
        again = decode(encode(result, arrays), arrays, product)
        assert same(again, result)
        assert {type(value) for value in again} == {type(value) for value in result}


def test_every_field_of_a_result_is_of_a_kind_that_is_checked() -> None:
    kinds = get_type_hints(Cleared)
    assert {name for name, kind in kinds.items() if kind == Ints} == set(parts._LENGTHS)
    assert {name for name, kind in kinds.items() if kind == Duals} == {"gains"}
    places = {name for name, kind in kinds.items() if "Unlock" in str(kind)}
    assert places == {"diagnosis", "demand_diagnosis"}


def test_parts_put_together_are_what_one_process_finds() -> None:
    arrays, results = whole()
    outcome = Outcome(arrays, scale_of(arrays))
    for result in reversed(results):
        outcome.take(decode(encode(result, arrays), arrays, result.product))
    alone = solve_market(*market(), Parameters(), demands_too=True, deadline=monotonic() + LIMIT)
    assert without_seconds(assemble(outcome)) == without_seconds(alone)
    assert len(alone.diagnosis) > 5
    assert len(alone.demand_diagnosis) > 5


def test_result_holds_in_a_market_where_only_other_products_have_moved() -> None:
    """A lot of the first product goes, and a new product comes before all: every place is another."""
    lots, demands = market()
    arrays, results = whole()
    gone = next(lot for lot in lots if lot.product == "P001")
    fresh = msgspec.structs.replace(gone, id="new", product="P000")
    now = arrays_of([fresh, *(lot for lot in lots if lot is not gone)], demands)
    before, after = prints_of(arrays), prints_of(now)
    assert {product for product, print_ in after.items() if before.get(product) != print_} == {"P000", "P001"}
    stored = {before[arrays.products[result.product]]: encode(result, arrays) for result in results}
    outcome = Outcome(now, scale_of(now))
    for product, name in enumerate(now.products):
        kept = stored.get(after[name])
        outcome.take(decode(kept, now, product) if kept else cleared(now, product))
    alone = solve_market(now.lots, now.demands, Parameters(), demands_too=True, deadline=monotonic() + LIMIT)
    assert without_seconds(assemble(outcome)) == without_seconds(alone)


@pytest.mark.parametrize(
    "change",
    [
        {"quantity": 1_000},
        {"min_order": 1},
        {"seller": "other"},
        {"grade": 9},
        {"latitude": 30.0},
        {"credentials": frozenset({"SC"})},
    ],
    ids=lambda change: next(iter(change)),
)
def test_fingerprint_tells_any_change_of_its_product(change: dict[str, Any]) -> None:
    lots, demands = market()
    arrays, _ = whole()
    first = lots[0]
    now = arrays_of([msgspec.structs.replace(first, **change), *lots[1:]], demands)
    before, after = prints_of(arrays), prints_of(now)
    assert [product for product in before if before[product] != after[product]] == [first.product]


def test_fingerprint_tells_a_barred_pair_of_its_product() -> None:
    lots, demands = market()
    arrays, _ = whole()
    lot = lots[0]
    own = next(demand for demand in demands if demand.product == lot.product)
    other = next(demand for demand in demands if demand.product != lot.product)
    before = prints_of(arrays)
    barred = prints_of(arrays, [(lot.id, own.id)])
    assert [product for product in before if before[product] != barred[product]] == [lot.product]
    assert prints_of(arrays, [(lot.id, other.id), ("sold", own.id)]) == before


def test_fingerprint_goes_by_the_whole_markets_effort_only_where_limits_bind() -> None:
    free, _ = synthetic_market(Shape(lots=30, demands=30, products=1))
    lots, demands = market()
    unlimited = [msgspec.structs.replace(lot, product="free", min_order=0) for lot in free]
    arrays = arrays_of([*lots, *unlimited], demands)
    scale = scale_of(arrays)
    usual, longer = (fingerprints(arrays, [], scale, limit) for limit in (1.0, 1_000.0))
    told = [product for product, a, b in zip(arrays.products, usual, longer, strict=True) if a != b]
    assert told == ["P001", "P002", "P003", "P004"]


def changed(stored: bytes, **fields: Any) -> bytes:
    """Bytes with something else in them: of the heading, or one of the result's fields."""
    content = msgspec.msgpack.decode(zlib.decompress(stored))
    for name, value in fields.items():
        (content if name in content else content["fields"])[name] = value
    return zlib.compress(msgspec.msgpack.encode(content))


def ints(*values: int) -> bytes:
    return np.array(values, "<i8").tobytes()


@pytest.mark.parametrize(
    "fields",
    [
        {"version": "0.0.0"},
        {"product": "P999"},
        {"lots": 3},
        {"demands": 3},
        {"low_u": ints(1, 2)},
        {"low_u": b"123"},
        {"low_u": None},
        {"gains": [ints(1), ints(2)]},
        {"whole_worth": "much"},
        {"i": ints(10_000), "j": ints(0), "x": ints(1)},
        {"i": ints(0), "j": ints(-1), "x": ints(1)},
        {"i": ints(0), "j": ints(0), "x": ints(0)},
        {"i": ints(0), "j": ints(0), "x": ints(10**15)},
        {"i": ints(0), "j": ints(0, 1), "x": ints(1, 1)},
        {"diagnosis": {10_000: []}},
        {"diagnosis": {-1: []}},
        {"diagnosis": {0: [{"obstacle": "price"}]}},
        {"finished": "yes"},
        {"stranger": 1},
    ],
    ids=str,
)
def test_result_that_does_not_fit_is_refused(fields: dict[str, Any]) -> None:
    arrays, results = whole()
    stored = encode(results[0], arrays)
    decode(changed(stored), arrays, 0)
    with pytest.raises(Unfit):
        decode(changed(stored, **fields), arrays, 0)


def test_result_without_a_field_is_refused() -> None:
    arrays, results = whole()
    content = msgspec.msgpack.decode(zlib.decompress(encode(results[0], arrays)))
    del content["fields"]["bound"]
    with pytest.raises(Unfit):
        decode(zlib.compress(msgspec.msgpack.encode(content)), arrays, 0)


@pytest.mark.parametrize("stored", [b"", b"rubbish", zlib.compress(b"rubbish"), zlib.compress(b"")])
def test_rubbish_is_refused(stored: bytes) -> None:
    arrays, _ = whole()
    with pytest.raises(Unfit):
        decode(stored, arrays, 0)
    with pytest.raises(Unfit):
        unpacked(stored, Snapshot)


def test_market_comes_back_from_bytes_as_it_was() -> None:
    lots, demands = market()
    read = Snapshot(lots=lots, demands=demands, barred=[("L000001", "D000001")])
    assert unpacked(packed(read), Snapshot) == read
    assert packed(unpacked(packed(read), Snapshot)) == packed(read)


def test_refusal_travels_between_processes() -> None:
    again = pickle.loads(pickle.dumps(Unfit("1 ≠ 2")))
    assert (type(again), str(again)) == (Unfit, str(Unfit("1 ≠ 2")))


def test_worth_beyond_64_bits_comes_back() -> None:
    arrays, results = whole()
    huge = results[0]._replace(whole_worth=10**25, bound=math.factorial(30))
    again = decode(encode(huge, arrays), arrays, 0)
    assert (again.whole_worth, again.bound) == (10**25, math.factorial(30))
