"""Where each side can go."""

import msgspec
import pytest

from market.accounts.rules import ROLES, Viewer
from market.web.parts.navigation import ENTRIES, entries_for

VIEWER = Viewer(
    session_id=1,
    person_id=1,
    name="王秀兰",
    organisation_id=1,
    organisation_name="东余村",
    organisation_name_en="Dongyu",
    organisation_kind="village",
    roles=frozenset({"secretary"}),
    language="zh",
)
ALL = {entry.path for entry in ENTRIES}


@pytest.mark.parametrize("role", [None, *ROLES])
def test_tab_bar_has_room_for_every_side(role: str | None) -> None:
    viewer = msgspec.structs.replace(VIEWER, roles=frozenset({role})) if role else None
    tabs = [entry for entry in entries_for(viewer, "/", ALL) if entry.is_tab]
    assert 2 <= len(tabs) <= 5


def test_only_pages_that_exist_are_offered() -> None:
    assert [entry.path for entry in entries_for(VIEWER, "/", {"/", "/selling", "/dashboard"})] == [
        "/",
        "/selling",
    ]


@pytest.mark.parametrize(
    ("path", "current"),
    [
        ("/", ["/"]),
        ("/selling/new", ["/selling/new"]),
        ("/selling/7", ["/selling"]),
        ("/sellingx", []),
        ("/account", []),
    ],
)
def test_longest_entry_above_the_page_is_current(path: str, current: list[str]) -> None:
    assert [entry.path for entry in entries_for(VIEWER, path, ALL) if entry.is_current] == current
