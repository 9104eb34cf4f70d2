"""Goods that are not on sale, or never were: their cases, and how they go on once they are."""

from datetime import timedelta
from typing import Any

import pytest

from fixtures.factories import STORY, TODAY, Factory, Member
from market.cases import rules
from market.cases.operations import close, open_case, reopen
from market.cases.queries import CaseRow, agenda_of, diaries_of, openable_by
from market.cases.rounds import climb_overdue, open_stuck, round_of_cases
from market.db.session import execute
from market.errors import Conflict
from market.i18n import translate
from market.supply.operations import move_listing
from market.supply.transforming import ListingOfLot, list_lot
from market.units import FenPerKg
from tests.integration.cases.test_cases import buy, days, only_case, told
from tests.integration.supply.test_listings import lot_of
from tests.integration.supply.test_transforming import press, processes


@pytest.fixture
async def pressed(factory: Factory, seller: Member) -> int:
    """A lot of oil that was never put on sale; the peanuts it was made of are no more."""
    await processes()
    made = await press(seller, await lot_of(await factory.listing(seller)))
    return made.lots[0]


def oil(seller: Member, *, days_later: int) -> dict[str, Any]:
    """What puts that lot on sale."""
    at = STORY + days(days_later)
    return {
        "listing": ListingOfLot("老边头花生油", FenPerKg(700), TODAY, TODAY + days(90)),
        "owner_id": seller.organisation_id,
        "actor": seller.actor,
        "at": at,
    }


async def causes_told(case: CaseRow) -> list[str]:
    lines = await diaries_of(case_ids=[case.id], organisation_id=case.town)
    return [translate(line.message, "zh") for line in lines if line.kind == rules.RECAUSED and line.message]


async def test_goods_that_were_never_on_sale_have_a_case_by_their_lot(
    pressed: int, town: Member, seller: Member
) -> None:
    at = STORY + days(rules.IDLE_DAYS)
    assert await open_stuck(at=at - timedelta(minutes=1)) == 0
    assert (await open_stuck(at=at), await open_stuck(at=at + days(1))) == (1, 0)
    case = await only_case(town)
    assert (case.lot, case.listing, case.cause, case.stuck_since) == (pressed, None, "never_listed", TODAY)
    assert (case.title, case.title_en, case.owner) == ("花生油", "Peanut oil", seller.organisation_id)
    assert (await told(seller), await told(town)) == (["case_opened"], ["cases_opened"])
    late = at + days(rules.DAYS["village"] + 1)
    assert await climb_overdue(at=late) == 1
    assert [row.id for row in await agenda_of(organisation_id=town.organisation_id, level="town")] == [
        case.id
    ]
    mine = {"case_id": case.id, "organisation_id": seller.organisation_id, "actor": seller.actor, "at": late}
    await close(**mine, reason="own_use", note="")
    await round_of_cases(at=late + days(60))
    assert (await only_case(town)).state == "closed"
    await reopen(**mine, note="用不完")
    assert (await only_case(town)).state == "open"


async def test_a_case_goes_on_by_the_listing_that_goods_are_on_sale_by_and_ends_with_a_contract(
    factory: Factory, pressed: int, town: Member, seller: Member
) -> None:
    assert [await round_of_cases(at=STORY + days(rules.IDLE_DAYS)) for _ in range(2)] == [1, 0]
    listing_id = await list_lot(lot_id=pressed, **oil(seller, days_later=15))
    for _ in range(2):
        await round_of_cases(at=STORY + days(16))
    case = await only_case(town)
    assert (case.listing, case.cause, case.title) == (listing_id, "relisted", "老边头花生油")
    assert await causes_told(case) == ["原来：有货，从未上架；现在：已上架，还没有成交。"]
    buyer = await factory.member(role="buyer")
    await buy(listing_id, buyer, seller, kg=100, days_later=17)
    await round_of_cases(at=STORY + days(18))
    case = await only_case(town)
    assert (case.state, case.reason, case.remaining) == ("closed", "moving", 200_000)
    # once it has come to a stop again, it is the same case that is opened again
    await round_of_cases(at=STORY + days(17 + rules.IDLE_DAYS))
    case = await only_case(town)
    assert (case.state, case.cause, case.stuck_since) == ("open", "idle", TODAY + days(17))


async def test_a_case_of_goods_on_sale_again_takes_the_cause_that_they_are_stuck_for_now(
    factory: Factory, town: Member, seller: Member
) -> None:
    first = await factory.listing(seller)
    lot_id = await lot_of(first)
    owned = {"owner_id": seller.organisation_id, "actor": seller.actor}
    await move_listing(listing_id=first, move="withdraw", **owned, at=STORY)
    await round_of_cases(at=STORY + days(rules.IDLE_DAYS))
    assert (await only_case(town)).cause == "unlisted"
    again = await list_lot(lot_id=lot_id, **oil(seller, days_later=15))
    await round_of_cases(at=STORY + days(16))
    await move_listing(listing_id=again, move="suspend", **owned, at=STORY + days(17))
    await round_of_cases(at=STORY + days(17))
    assert (await only_case(town)).cause == "unlisted"
    await move_listing(listing_id=again, move="resume", **owned, at=STORY + days(18))
    await round_of_cases(at=STORY + days(15 + rules.IDLE_DAYS))
    case = await only_case(town)
    assert (case.listing, case.cause, case.stuck_since) == (again, "idle", TODAY)
    assert await causes_told(case) == [
        "原来：有货，但不在售；现在：已上架，还没有成交。",
        "原来：已上架，还没有成交；现在：有货，但不在售。",
        "原来：有货，但不在售；现在：久无出价、成交。",
    ]


async def test_a_case_is_opened_by_hand_for_goods_that_were_never_on_sale(
    pressed: int, town: Member, seller: Member
) -> None:
    assert [
        (row.lot, row.listing) for row in (await openable_by(organisation_id=town.organisation_id)).rows
    ] == [(pressed, None)]
    mine = {"organisation_id": seller.organisation_id, "actor": seller.actor, "at": STORY}
    case_id = await open_case(lot_id=pressed, note="没有包装，上不了架", **mine)
    with pytest.raises(Conflict):
        await open_case(lot_id=pressed, note="又来", **mine)
    case = await only_case(town)
    assert (case.id, case.lot, case.listing, case.cause) == (case_id, pressed, None, "by_hand")
    assert (await openable_by(organisation_id=seller.organisation_id)).rows == []
    # what people have opened stays as they have put it
    listing_id = await list_lot(lot_id=pressed, **oil(seller, days_later=1))
    await round_of_cases(at=STORY + days(2))
    case = await only_case(town)
    assert (case.listing, case.title, case.cause) == (listing_id, "老边头花生油", "by_hand")


async def test_goods_that_are_on_sale_by_another_listing_are_not_off_sale(
    factory: Factory, town: Member, seller: Member
) -> None:
    old = await factory.listing(seller)
    await execute("UPDATE listing SET state = 'expired' WHERE id = $1", old)
    new = await list_lot(lot_id=await lot_of(old), **oil(seller, days_later=0))
    assert await open_stuck(at=STORY + days(rules.IDLE_DAYS)) == 1
    assert (await only_case(town)).listing == new
