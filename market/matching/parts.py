"""A large market in parts for several workers, and what they send each other as bytes.

Products are independent, so a part is some products of the whole market, cleared in the whole market's
terms: its scale and its effort. A product's result stays good for as long as nothing of this has changed,
which is what its fingerprint tells, wherever the product stands in the market by then.
"""

import zlib
from collections.abc import Iterable, Sequence
from hashlib import sha256
from heapq import heapify, heapreplace
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

import msgspec
import numpy as np

import market
from market.errors import Conflict
from market.i18n import msg
from market.matching.diagnosis.diagnosis import Unlock
from market.matching.optimum.candidates import Ints, Market
from market.matching.optimum.gains import Duals

if TYPE_CHECKING:
    from market.matching.clearing import Cleared

T = TypeVar("T")

#: Every part reads the whole market first: more parts than this would mostly read.
MOST_PARTS = 64
#: A product's time grows with its possible pairs to about this power (benchmarks/README.md).
GROWTH = 0.65
#: Least compression: the database's disk is cheap, a worker's time is not.
_LEVEL = 1

#: How long each array of a result is: as its product's lots, demands, or as it has flows.
_LENGTHS = {
    "low_u": "lots",
    "high_u": "lots",
    "lot_pairs": "lots",
    "demand_pairs": "demands",
    "i": "flows",
    "j": "flows",
    "x": "flows",
}


class Unfit(Conflict):
    """What another worker stored is not what this one can use."""

    def __init__(self, why: str) -> None:
        super().__init__(
            msg(
                "另一个工作进程存下的结果对不上（{why}）。请让所有主机用同一版本的程序，再撮合一次。",
                why=why,
            )
        )
        self.why = why

    def __reduce__(self) -> tuple[type["Unfit"], tuple[str]]:
        return Unfit, (self.why,)


def cut(cells: Sequence[int], *, most: int) -> list[list[int]]:
    """Return the places of products in parts of similar work, the heaviest part first.

    ``cells``: each product's possible pairs; ``most``: how many of them a part should have at the most,
    which a product of more than that exceeds by itself.
    """
    if not cells:
        return []
    number = min(-(-sum(cells) // most) or 1, len(cells), MOST_PARTS)
    # the longest first, each to whoever has least: at most 4/3 of the best (Graham 1969)
    loads = [(0.0, part) for part in range(number)]
    heapify(loads)
    parts: list[list[int]] = [[] for _ in range(number)]
    for place in sorted(range(len(cells)), key=lambda k: (-cells[k], k)):
        load, part = loads[0]
        parts[part].append(place)
        heapreplace(loads, (load + (1 + cells[place]) ** GROWTH, part))
    heaviest_first = sorted(loads, key=lambda entry: (-entry[0], entry[1]))
    return [parts[part] for _, part in heaviest_first]


def fingerprints(
    arrays: Market, barred: Iterable[tuple[str, str]], scale: float, time_limit: float
) -> list[str]:
    """Return, for each product, the SHA-256 of all that its result depends on.

    What is like it in another reading of the market has the same result, but for places in the market.
    ``time_limit``: the whole market's in seconds, by which the effort goes where smallest orders bind.
    """
    from market.matching.limits.repair import effort_for

    product_of = {lot.id: lot.product for lot in arrays.lots}
    demanded = {demand.id: demand.product for demand in arrays.demands}
    pairs: dict[str, list[tuple[str, str]]] = {}
    for lot, demand in sorted(barred):
        if (product := product_of.get(lot)) is not None and product == demanded.get(demand):
            pairs.setdefault(product, []).append((lot, demand))
    effort = effort_for(len(arrays.demands), time_limit)
    encoder = msgspec.json.Encoder(order="deterministic")
    found = []
    for k, product in enumerate(arrays.products):
        print_ = sha256(
            encoder.encode(
                (
                    market.__version__,
                    arrays.parameters,
                    scale,
                    effort if arrays.limited(k) else None,
                    product,
                    pairs.get(product, []),
                )
            )
        )
        for side, places in ((arrays.lots, arrays.lots_of[k]), (arrays.demands, arrays.demands_of[k])):
            print_.update(encoder.encode([side[place] for place in np.sort(places).tolist()]))
        found.append(print_.hexdigest())
    return found


def packed(value: msgspec.Struct) -> bytes:
    """Return ``value`` as compressed JSON."""
    return zlib.compress(msgspec.json.encode(value, order="deterministic"), _LEVEL)


def unpacked(stored: bytes, kind: type[T]) -> T:
    """Return what :func:`packed` made into bytes.

    Raises:
        Unfit: it is not that.
    """
    try:
        return msgspec.json.decode(zlib.decompress(stored), type=kind)
    except (zlib.error, msgspec.MsgspecError) as trouble:
        raise Unfit(str(trouble)) from trouble


class _Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A product's result: the fields of ``Cleared`` by name, places as those in the product."""

    version: str
    product: str
    lots: int
    demands: int
    fields: dict[str, msgspec.Raw]


def encode(cleared: "Cleared", arrays: Market) -> bytes:
    """Return a product's result as bytes that name no place in the market, only those in the product."""
    lots, demands = arrays.lots_of[cleared.product], arrays.demands_of[cleared.product]
    lot_place, demand_place = _places(lots), _places(demands)
    fields: dict[str, Any] = {}
    for name, kind in _kinds().items():
        value = getattr(cleared, name)
        if name == "diagnosis":
            value = _moved(value, lot_place, lot_place, demand_place)
        elif name == "demand_diagnosis":
            value = _moved(value, demand_place, lot_place, demand_place)
        elif kind == Ints:
            value = _bytes(value)
        elif kind == Duals:
            value = [_bytes(value.u), _bytes(value.v)]
        elif kind is int:
            value = str(value)  # worth in grams and steps goes beyond 64 bits
        elif kind is bool:
            value = bool(value)
        fields[name] = msgspec.Raw(msgspec.msgpack.encode(value))
    del fields["product"]
    stored = _Stored(market.__version__, arrays.products[cleared.product], len(lots), len(demands), fields)
    return zlib.compress(msgspec.msgpack.encode(stored), _LEVEL)


def decode(stored: bytes, arrays: Market, product: int) -> "Cleared":
    """Return the result that :func:`encode` made into bytes, for ``product`` where it stands in ``arrays``.

    Raises:
        Unfit: of another product, another market or another version, or no allocation at all.
    """
    from market.matching.clearing import Cleared

    lots, demands = arrays.lots_of[product], arrays.demands_of[product]
    try:
        found = msgspec.msgpack.decode(zlib.decompress(stored), type=_Stored)
        _check_heading(found, arrays.products[product], len(lots), len(demands))
        values = {name: _read(name, kind, found.fields, lots, demands) for name, kind in _fields()}
    except (zlib.error, msgspec.MsgspecError, ValueError, IndexError) as trouble:
        raise Unfit(str(trouble)) from trouble
    cleared = Cleared(product=product, **values)
    _check_amounts(cleared, arrays.q[lots], arrays.d[demands])
    return cleared


def _kinds() -> dict[str, Any]:
    from market.matching.clearing import Cleared

    return get_type_hints(Cleared)


def _fields() -> list[tuple[str, Any]]:
    return [(name, kind) for name, kind in _kinds().items() if name != "product"]


def _check_heading(found: _Stored, product: str, lots: int, demands: int) -> None:
    mine = (market.__version__, product, lots, demands, sorted(name for name, _ in _fields()))
    theirs = (found.version, found.product, found.lots, found.demands, sorted(found.fields))
    for ours, other in zip(mine, theirs, strict=True):
        if ours != other:
            raise Unfit(f"{other} ≠ {ours}")


def _read(name: str, kind: Any, fields: dict[str, msgspec.Raw], lots: Ints, demands: Ints) -> Any:
    raw = fields[name]
    if kind == Ints:
        return _array(msgspec.msgpack.decode(raw, type=bytes), name, lots, demands)
    if kind == Duals:
        u, v = msgspec.msgpack.decode(raw, type=tuple[bytes, bytes])
        return Duals(_array(u, "low_u", lots, demands), _array(v, "demand_pairs", lots, demands))
    if kind is int:
        return int(msgspec.msgpack.decode(raw, type=str))
    value = msgspec.msgpack.decode(raw, type=kind)
    if name == "diagnosis":
        return _moved(value, lots, lots, demands)
    if name == "demand_diagnosis":
        return _moved(value, demands, lots, demands)
    return value


def _bytes(array: Ints) -> bytes:
    return array.astype("<i8").tobytes()


def _array(stored: bytes, name: str, lots: Ints, demands: Ints) -> Ints:
    array = np.frombuffer(stored, "<i8").astype(np.int64)
    due = {"lots": len(lots), "demands": len(demands), "flows": len(array)}[_LENGTHS[name]]
    if len(array) != due:
        raise Unfit(f"{name}: {len(array)} ≠ {due}")
    return array


def _check_amounts(cleared: "Cleared", q: Ints, d: Ints) -> None:
    i, j, x = cleared.i, cleared.j, cleared.x
    if not len(i) == len(j) == len(x):
        raise Unfit("i, j, x")
    if not len(x):
        return
    if min(i.min(), j.min()) < 0 or i.max() >= len(q) or j.max() >= len(d) or x.min() <= 0:
        raise Unfit("i, j, x")
    for place, whole in ((i, q), (j, d)):
        traded = np.zeros(len(whole), np.int64)
        np.add.at(traded, place, x)
        if (traded > whole).any():
            raise Unfit("i, j, x")


def _places(of: Ints) -> dict[int, int]:
    return {place: k for k, place in enumerate(of.tolist())}


def _moved(
    diagnosis: dict[int, list[Unlock]],
    own: Ints | dict[int, int],
    lots: Ints | dict[int, int],
    demands: Ints | dict[int, int],
) -> dict[int, list[Unlock]]:
    """Return the findings with every place looked up: in the market for in the product, or back."""

    def at(table: Ints | dict[int, int], place: int) -> int:
        if place < 0:
            raise IndexError(place)
        return int(table[place])

    return {
        at(own, place): [
            msgspec.structs.replace(
                unlock,
                lots=tuple(at(lots, each) for each in unlock.lots),
                demands=tuple(at(demands, each) for each in unlock.demands),
            )
            for unlock in unlocks
        ]
        for place, unlocks in diagnosis.items()
    }
