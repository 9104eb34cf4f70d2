"""Where each side goes: the top bar on a desk, the tab bar on a phone.

An entry is drawn only where its address has a page, so none leads nowhere.
"""

from collections.abc import Set

import msgspec

from market.accounts.rules import Viewer
from market.i18n import Message, msg


class Entry(msgspec.Struct, frozen=True):
    """One place. ``sides`` may see it (None: everybody, also guests); ``tabs`` have it in the tab bar.

    ``elsewhere`` are the sides that have a page of their own for it.
    """

    path: str
    label: Message
    icon: str
    sides: frozenset[str] | None = None
    tabs: frozenset[str] = frozenset()
    elsewhere: frozenset[str] = frozenset()


class Here(msgspec.Struct, frozen=True):
    """An entry as it is drawn for one page."""

    path: str
    label: Message
    icon: str
    is_tab: bool
    is_current: bool


def _for(*sides: str) -> frozenset[str]:
    return frozenset(sides)


_ALL = _for("seller", "buyer", "official", "county", "verifier", "auditor", "administrator", "guest")
_COUNTY = _for("county", "verifier", "auditor")
#: Whose entry to people is in the menu; others find theirs on the page of their organisation.
_KEEPERS = _for("official", "county", "administrator")
#: Their first page is one of the others.
_ELSEWHERE = _COUNTY | {"official", "administrator"}

#: At most five tabs for each side: a phone has room for no more.
ENTRIES: tuple[Entry, ...] = (
    Entry("/", msg("首页"), "home", None, _ALL - _ELSEWHERE, _ELSEWHERE),
    Entry("/county/organisations", msg("各单位"), "people", _COUNTY, _COUNTY),
    Entry("/audit", msg("审计留痕"), "search", _for("auditor"), _for("auditor")),
    Entry("/town", msg("总览"), "chart", _for("official"), _for("official")),
    Entry("/town/runs", msg("撮合"), "link", _for("official"), _for("official")),
    Entry("/town/meetings", msg("对接会"), "calendar", _for("official"), _for("official")),
    Entry("/town/deals", msg("台账"), "handshake", _for("official"), _for("official")),
    Entry("/people", msg("人员"), "person", _KEEPERS, _KEEPERS - {"official"}),
    Entry("/listings", msg("货源大厅"), "grid", None, _for("buyer", "official", "guest")),
    Entry("/selling", msg("我的货源"), "sprout", _for("seller"), _for("seller")),
    Entry("/selling/new", msg("发布货源"), "plus", _for("seller"), _for("seller")),
    Entry("/demands", msg("采购需求"), "basket", _for("seller", "buyer", "official"), _for("buyer")),
    Entry("/bids", msg("报价"), "tag", _for("seller", "buyer")),
    Entry("/approvals", msg("审批"), "tick", _for("buyer")),
    Entry("/matches", msg("撮合"), "link", _for("seller", "buyer"), _for("seller", "buyer")),
    Entry("/meetings", msg("对接会"), "calendar", None, _ALL - {"official"}, _for("official")),
    Entry("/cases", msg("心病台账"), "alert", _for("seller", "official", "county"), _for("county")),
    Entry("/deals", msg("成交"), "handshake", _for("seller", "buyer")),
)


def entries_for(viewer: Viewer | None, path: str, paths: Set[str]) -> list[Here]:
    """Return the entries for ``viewer``; the longest one that ``path`` lies under is the current one."""
    sides = viewer.sides if viewer else frozenset()
    side = viewer.side if viewer else "guest"
    open_to = [
        e
        for e in ENTRIES
        if e.path in paths and (e.sides is None or e.sides & sides) and not e.elsewhere & sides
    ]
    under = [e.path for e in open_to if path == e.path or (e.path != "/" and path.startswith(f"{e.path}/"))]
    current = max(under, key=len, default=None)
    return [Here(e.path, e.label, e.icon, side in e.tabs, e.path == current) for e in open_to]
