"""Races on what a town looks after: the day of a meeting, the worry book. How they run: ``test_races``."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from fixtures.factories import STORY, Factory
from market.cases import diary
from market.cases import operations as cases
from market.cases.rounds import open_stuck
from market.db.session import execute, fetch_value
from market.meetings.day import attendance
from market.meetings.talks import noting
from tests.integration.meetings.day import Day
from tests.integration.races import Judge, Race, Tries, count, is_kept


async def opening_cases(factory: Factory) -> tuple[Tries, Judge]:
    """Goods that were put on sale twice have one case, though rounds and people open it by either listing."""
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    old, new = await factory.listing(seller), await factory.listing(seller)
    lot = int(await fetch_value("SELECT lot FROM listing WHERE id = $1", new))
    await execute("UPDATE listing SET state = 'expired', lot = $2 WHERE id = $1", old, lot)
    later = STORY + timedelta(days=60)

    async def kept(ends: list[str]) -> bool:
        opened = "case_entry JOIN stuck_case book ON book.id = about WHERE lot = $1"
        # a round that finds the case there has nothing to do
        return (await count("stuck_case WHERE lot = $1", lot), await count(opened, lot)) == (1, 1)

    def by_hand(listing_id: int) -> Callable[[], Awaitable[object]]:
        return lambda: cases.open_case(
            listing_id=listing_id,
            note="没有人来。",
            organisation_id=town.organisation_id,
            actor=town.actor,
            at=later,
        )

    return [by_hand(old), lambda: open_stuck(at=later), by_hand(new)] * 2, kept


async def noting_a_talk(factory: Factory) -> tuple[Tries, Judge]:
    """Somebody writes the first note of a talk on several devices: one is kept, the others are asked back."""
    day = await Day(factory).begun()
    seller = day.sellers[0]

    async def kept(ends: list[str]) -> bool:
        return (ends.count("done"), ends.count("refused"), await count("appointment_note")) == (1, 4, 1)

    def note(device: int) -> Callable[[], Awaitable[object]]:
        return lambda: noting.keep_note(
            appointment_id=day.talks[0],
            text=f"第 {device} 台",
            actor=seller.actor,
            at=day.minute(10),
            seen=noting.Notes().marks,
            page=f"page-{device}",
        )

    return [note(device) for device in range(5)], kept


async def checking_in(factory: Factory) -> tuple[Tries, Judge]:
    """Several at the door check the same organisation in: it is told once, on page and API alike."""
    day = await Day(factory).begun()

    async def kept(ends: list[str]) -> bool:
        told = await count("audit_record WHERE action = 'check_in'")
        return (ends.count("done"), await count("scan"), told) == (1, 1, 1)

    def check_in() -> Awaitable[object]:
        return attendance.mark_attendance(
            meeting_id=day.meeting_id,
            organisation_id=day.sellers[0].organisation_id,
            move="check_in",
            town_id=day.town.organisation_id,
            actor=day.town.actor,
            at=day.minute(10),
        )

    return [check_in] * 5, kept


RACES: dict[str, Race] = {
    "opening cases": Race(opening_cases, (diary,)),
    "noting a talk": Race(noting_a_talk, (noting,)),
    "checking in": Race(checking_in, (attendance,)),
}


@pytest.mark.parametrize("locked", [True, False], ids=["locked", "unlocked"])
@pytest.mark.parametrize("name", RACES)
async def test_of_many_at_once_as_many_count_as_may(
    wide: Factory, monkeypatch: pytest.MonkeyPatch, name: str, locked: bool
) -> None:
    assert await is_kept(RACES[name], wide, monkeypatch, locked=locked) is locked
