"""What may be done with stock by hand: kinds of places, reasons of a correction, what a process may yield."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from market.amounts import masses
from market.errors import Conflict, Invalid, MarketError
from market.i18n import Message, msg
from market.units import MOST_GRAMS, Gram

STORAGE_KINDS: dict[str, Message] = {
    "tank": msg("油罐"),
    "cold_store": msg("冷库"),
    "warehouse": msg("仓库"),
    "granary": msg("粮囤"),
    "yard": msg("场院"),
}
#: Why stock was lost, without a sale.
LOSSES: dict[str, Message] = {
    "dried": msg("失水减重"),
    "spoiled": msg("霉变、腐烂"),
    "pests": msg("鼠害、虫害"),
    "spilled": msg("洒漏、破损"),
    "stolen": msg("被盗"),
    "own_use": msg("自用、送样"),
    "counted_less": msg("盘点少了"),
}
#: Why there is more of it.
ADDITIONS: dict[str, Message] = {
    "gathered": msg("续收入库"),
    "counted_more": msg("盘点多了"),
}
#: Reasons of a line of the ledger.
CORRECTIONS: dict[str, Message] = {**LOSSES, **ADDITIONS, "process": msg("加工损耗")}
LONGEST_NAME = 40
LONGEST_NOTE = 200
MOST_OUTPUTS = 20


class Yield(msgspec.Struct, frozen=True):
    """What a part of what goes in becomes; None: it is lost. Thousandths of what goes in."""

    gives: str | None
    low: int
    high: int


def too_much() -> Message:
    """Return what is wrong with a mass above the largest that is kept."""
    return msg("太多了：最多 {most}，请核对单位。", most=masses(MOST_GRAMS))


def storage_problems(*, name: str, kind: str, capacity: int) -> dict[str, Message]:
    """Return field -> what is wrong; ``capacity`` in grams."""
    problems: dict[str, Message] = {}
    if not 0 < len(name.strip()) <= LONGEST_NAME:
        problems["name"] = msg("名称要有 1 到 {most} 个字。", most=LONGEST_NAME)
    if kind not in STORAGE_KINDS:
        problems["kind"] = msg("没有这个选项，请从列出的里面选一个。")
    if capacity <= 0:
        problems["capacity"] = msg("容量要大于 0。")
    elif capacity > MOST_GRAMS:
        problems["capacity"] = too_much()
    return problems


def correction_problems(*, grams: int, reason: str, note: str) -> dict[str, Message]:
    """Return what is wrong with a correction by ``grams``, negative for a loss."""
    problems: dict[str, Message] = {}
    if grams == 0:
        problems["quantity"] = msg("数量要大于 0。")
    elif abs(grams) > MOST_GRAMS:
        problems["quantity"] = too_much()
    if reason not in (LOSSES if grams < 0 else ADDITIONS):
        problems["reason"] = msg("请选一个与增减相符的原因。")
    if len(note) > LONGEST_NOTE:
        problems["note"] = msg("太长了：最多 {most} 个字，现在 {now} 个。", most=LONGEST_NOTE, now=len(note))
    return problems


class Place(msgspec.Struct, frozen=True):
    """A place that is in the way of something. ``name`` None: no place that is named.

    ``grams``: how much of the lot stands there, or how much more it takes.
    """

    name: str | None
    grams: Gram
    is_open: bool = True


def too_little(place: Place) -> Invalid:
    """Return the error where less stands in a place than is to be taken from it."""
    if place.name is None:
        problem = msg(
            "没有指明存放地方的只有 {there}，请减少数量，或选货实际在的地方。", there=masses(place.grams)
        )
    else:
        problem = msg(
            "“{place}”里这批货只有 {there}，请减少数量，或改从别处出。",
            place=place.name,
            there=masses(place.grams),
        )
    return Invalid(problem, {"quantity": problem})


def too_full(place: Place, *, field: str = "storage") -> Invalid:
    """Return the error where a place does not take so much; ``field`` is what it was chosen in."""
    name = place.name or ""
    if not place.is_open:
        problem = msg("“{place}”已停用，请换一个地方，或先恢复使用。", place=name)
    elif place.grams <= 0:
        problem = msg("“{place}”已经满了，请换一个地方。", place=name)
    else:
        problem = msg(
            "“{place}”放不下了：还能放 {room}，请分开放或换一个地方。", place=name, room=masses(place.grams)
        )
    return Invalid(problem, {field: problem})


def refusal(told: str) -> MarketError:
    """Return the error for what a stock function told to be in the way, where it is no place."""
    fields = {
        "short": ("quantity", msg("没有被合同占用的数量不够了，请减少数量。")),
        "sent": ("quantity", msg("超过这份合同还没有发出的数量。")),
        "unsent": ("quantity", msg("超过这份合同已经发出的数量。")),
    }
    if told not in fields:
        return Conflict(msg("库存已经变了，请刷新后再试。"))
    field, words = fields[told]
    return Invalid(words, {field: words})


def yield_problems(
    *, grams: int, outputs: Sequence[tuple[str, int]], loss: int, yields: Sequence[Yield]
) -> dict[str, Message]:
    """Return what is wrong with making ``outputs`` (produce, grams) out of ``grams``, by field.

    The mass balances to the gram: what goes in is what comes out and what is lost. Each product, its
    outputs taken together, and the loss lie within the bounds of the process.
    """
    problems: dict[str, Message] = {}
    if grams <= 0:
        return {"quantity": msg("数量要大于 0。")}
    if grams > MOST_GRAMS:
        return {"quantity": too_much()}
    if not 0 < len(outputs) <= MOST_OUTPUTS or any(each <= 0 for _, each in outputs):
        return {"outputs": msg("请填写产出，每样都要大于 0。")}
    made: dict[str | None, int] = {}
    for produce, each in outputs:
        made[produce] = made.get(produce, 0) + each
    out = sum(each for _, each in outputs)
    if grams != out + loss or loss < 0:
        problems["loss"] = msg(
            "投入 {into}，产出 {out}，损耗应是 {loss}，一克都要对上。",
            into=masses(Gram(grams)),
            out=masses(Gram(out)),
            loss=masses(Gram(grams - out)),
        )
        return problems
    made[None] = loss
    known = {each.gives: each for each in yields}
    if made.keys() - known.keys():
        problems["outputs"] = msg("这种加工没有这样的产出。")
    for gives, bound in known.items():
        share = made.get(gives, 0) * 1_000
        if share < bound.low * grams or share > bound.high * grams:
            problems["loss" if gives is None else f"out_{gives}"] = msg(
                "占投入的 {share}%，通常在 {low}% 到 {high}% 之间，请核对数字。",
                share=_percent(share, grams, beside=(bound.low, bound.high)),
                **bounds_told(bound.low, bound.high),
            )
    return problems


def bounds_told(low: int, high: int) -> dict[str, str]:
    """Return the bounds of a yield (thousandths) in percent, as the texts about it name them."""
    return {"low": f"{low / 10:g}", "high": f"{high / 10:g}"}


def _percent(share: int, grams: int, *, beside: Sequence[int]) -> str:
    """Return a share in percent, as fine as it takes to tell it from the bounds beside it (thousandths)."""
    exact = Decimal(share) / grams / 10
    for places in range(1, 16):
        told = exact.quantize(Decimal(1).scaleb(-places))
        if told not in [Decimal(each) / 10 for each in beside]:
            break
    return f"{told}"
