"""Shelf presence (上架): what may be said of a product on a store's shelf.

Pure. A spell begins when somebody sees the product on the shelf and ends when somebody sees that it is gone;
back again is a new spell. What nobody has looked at for long is still told as it was seen last, with the day.
"""

from datetime import date, timedelta

from market.amounts import prices
from market.i18n import Message, msg, on_day
from market.units import MOST_FEN_PER_KG

PUT, SEEN, GONE = "put", "seen", "gone"
SIGHTINGS: dict[str, Message] = {PUT: msg("上架"), SEEN: msg("还在架上"), GONE: msg("下架了")}
LONGEST_LABEL = 60
LONGEST_NOTE = 200
#: Nobody has seen it for so many days: time to look again.
STALE = timedelta(days=30)
#: How far back a first sighting may lie.
LONGEST_AGO = timedelta(days=3 * 365)


def is_stale(seen_on: date, *, today: date) -> bool:
    return today - seen_on > STALE


def sighting_problems(
    *, kind: str, on: date, price: int | None, note: str, today: date, since: date, seen_on: date
) -> dict[str, Message]:
    """Return what is wrong with a sighting of a spell that began ``since`` and was last ``seen_on``."""
    problems: dict[str, Message] = {}
    if on > today:
        problems["on"] = msg("日期不能在今天以后。")
    elif on < since:
        problems["on"] = msg("日期不能早于上架那天（{day}）。", day=on_day(since))
    elif kind == GONE and on < seen_on:
        problems["on"] = msg("{day} 还有人看到在架上，下架不能早于那天。", day=on_day(seen_on))
    elif today - on > LONGEST_AGO:
        problems["on"] = msg("日期太早了，请核对。")
    if price is not None and not 0 < price <= MOST_FEN_PER_KG:
        problems["price"] = msg("单价须大于零，且不超过 {most}。", most=prices(MOST_FEN_PER_KG))
    if len(note) > LONGEST_NOTE:
        problems["note"] = msg("太长了：最多 {most} 个字。", most=LONGEST_NOTE)
    return problems
