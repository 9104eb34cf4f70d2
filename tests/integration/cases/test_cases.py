"""The worry book on a real database: what opens a case, what moves it up, and what ends it."""

from datetime import date, timedelta

import asyncpg
import pytest

from fixtures.factories import STORY, TODAY, Factory, Member
from market.accounts.rules import SYSTEM
from market.bids.opening import open_round
from market.bids.operations import NewBid, accept_bid, place_bid
from market.cases import rules
from market.cases.operations import add_entry, climb, close, open_case, put_in_charge, reopen
from market.cases.queries import CaseRow, agenda_of, case_of, cases_of, diaries_of, openable_by
from market.cases.rounds import climb_overdue, close_sold, open_stuck, round_of_cases
from market.clock import CHINA
from market.db.session import execute, fetch_value
from market.deals.operations import cancel
from market.errors import Conflict, Invalid, NotFound
from market.matching.operations import run_now
from market.notices.queries import inbox
from market.supply.commands import NewListing
from market.supply.operations import move_listing, publish_listing
from market.supply.transforming import ListingOfLot, list_lot
from market.transitions import WrongState
from market.units import FenPerKg, Gram


def days(count: int) -> timedelta:
    return timedelta(days=count)


async def only_case(town: Member) -> CaseRow:
    (case,) = await cases_of(organisation_id=town.organisation_id, state=None)
    return case


async def kinds_of(case: CaseRow) -> list[str]:
    lines = await diaries_of(case_ids=[case.id], organisation_id=case.town)
    return [line.kind for line in lines]


async def told(member: Member) -> list[str]:
    return [notice.kind for notice in await inbox(organisation_id=member.organisation_id)]


async def buy(listing_id: int, buyer: Member, seller: Member, *, kg: int, days_later: int) -> None:
    at = STORY + days(days_later)
    bid_id = await place_bid(
        bid=NewBid(
            listing_id, Gram(kg * 1_000), FenPerKg(700), TODAY + days(days_later), TODAY + days(days_later)
        ),
        buyer_id=buyer.organisation_id,
        actor=buyer.actor,
        at=at,
    )
    await accept_bid(bid_id=bid_id, seller_id=seller.organisation_id, actor=seller.actor, at=at)


async def test_a_listing_without_bid_or_sale_opens_a_case_once(
    factory: Factory, town: Member, seller: Member
) -> None:
    listing_id = await factory.listing(seller)
    assert await open_stuck(at=STORY + days(rules.IDLE_DAYS) - timedelta(minutes=1)) == 0
    assert await open_stuck(at=STORY + days(rules.IDLE_DAYS)) == 1
    assert await open_stuck(at=STORY + days(rules.IDLE_DAYS + 1)) == 0
    case = await only_case(town)
    assert (case.listing, case.state, case.cause, case.level) == (listing_id, "open", "idle", "village")
    assert (case.owner, case.stuck_since) == (seller.organisation_id, TODAY)
    assert case.due_on == TODAY + days(rules.IDLE_DAYS + rules.DAYS["village"])
    assert await told(seller) == ["case_opened"]
    assert await told(town) == ["cases_opened"]


async def test_a_bid_puts_the_case_off(factory: Factory, town: Member, seller: Member) -> None:
    listing_id = await factory.listing(seller)
    buyer = await factory.member(role="buyer")
    await buy(listing_id, buyer, seller, kg=100, days_later=10)
    assert await open_stuck(at=STORY + days(rules.IDLE_DAYS)) == 0
    assert await open_stuck(at=STORY + days(10 + rules.IDLE_DAYS)) == 1
    assert (await only_case(town)).stuck_since == TODAY + days(10)


@pytest.mark.parametrize("state", ["withdrawn", "expired", "suspended"])
async def test_goods_off_sale_with_something_left_open_a_case_too(
    factory: Factory, town: Member, seller: Member, state: str
) -> None:
    listing_id = await factory.listing(seller)
    await execute("UPDATE listing SET state = $2, available_to = $3 WHERE id = $1", listing_id, state, TODAY)
    # the day after the last on which it was offered counts where it ran out
    since = days(1) if state == "expired" else days(0)
    at = STORY + since + days(rules.IDLE_DAYS)
    assert await open_stuck(at=at - days(1)) == 0
    assert (await open_stuck(at=at), await open_stuck(at=at + days(1))) == (1, 0)
    case = await only_case(town)
    assert (case.listing, case.cause, case.stuck_since) == (listing_id, "unlisted", TODAY + since)


async def test_what_the_newest_run_left_unmatched_opens_a_case_at_once(
    factory: Factory, town: Member, seller: Member
) -> None:
    await factory.listing(seller, ask=700)
    await factory.demand(await factory.member(role="buyer"), ceiling=300)
    await run_now(town_id=town.organisation_id, actor=SYSTEM, at=STORY)
    assert await open_stuck(at=STORY + days(1)) == 1
    case = await only_case(town)
    assert (case.cause, case.obstacle) == ("unmatched", "price")


async def test_what_a_run_matched_is_not_stuck(factory: Factory, town: Member, seller: Member) -> None:
    await factory.listing(seller)
    await factory.demand(await factory.member(role="buyer"), kg=500)
    await run_now(town_id=town.organisation_id, actor=SYSTEM, at=STORY)
    assert await open_stuck(at=STORY + days(1)) == 0


async def test_a_case_climbs_when_its_deadline_has_passed_and_all_concerned_are_told(
    factory: Factory, town: Member, seller: Member
) -> None:
    await factory.listing(seller)
    at = STORY + days(rules.IDLE_DAYS)
    await round_of_cases(at=at)
    case = await only_case(town)
    assert await climb_overdue(at=at + days(rules.DAYS["village"])) == 0
    levels = []
    for level in ("village", "town", "county", "city"):
        at += days(rules.DAYS[level] + 1)
        assert await climb_overdue(at=at) == 1
        assert await climb_overdue(at=at) == 0
        levels.append((await only_case(town)).level)
    assert levels == ["town", "county", "city", "city"]
    assert await kinds_of(case) == ["opened", "climbed", "climbed", "climbed", "held_over"]
    assert (await told(seller)).count("case_climbed") == 4
    assert (await told(town)).count("case_climbed") == 4
    case = await only_case(town)
    assert (case.owner, case.due_on) == (town.organisation_id, at.date() + days(rules.DAYS["city"]))


async def test_the_agenda_of_a_level_has_what_is_new_there_before_what_was_decided(
    factory: Factory, town: Member, seller: Member
) -> None:
    for kg in (500, 900):
        await factory.listing(seller, kg=kg)
    at = STORY + days(rules.IDLE_DAYS)
    await round_of_cases(at=at)
    first, second = await cases_of(organisation_id=town.organisation_id)
    for case in (first, second):
        await climb(case_id=case.id, note="要镇里出面", town_id=town.organisation_id, actor=town.actor, at=at)
    assert await agenda_of(organisation_id=town.organisation_id, level="village") == []
    await put_in_charge(
        case_id=second.id,
        owner_id=town.organisation_id,
        in_charge="赵明远",
        due_on=at.date() + days(3),
        note="送样到三家商超",
        decided=True,
        town_id=town.organisation_id,
        actor=town.actor,
        at=at,
    )
    agenda = await agenda_of(organisation_id=town.organisation_id, level="town")
    assert [(row.id, row.decided, row.in_charge) for row in agenda] == [
        (first.id, False, ""),
        (second.id, True, "赵明远"),
    ]
    # the next level has decided nothing yet
    await climb_overdue(at=at + days(rules.DAYS["town"] + 1))
    assert [row.decided for row in await agenda_of(organisation_id=town.organisation_id, level="county")] == [
        False,
        False,
    ]


async def test_a_case_closes_when_nothing_is_left_and_opens_again_when_goods_come_back(
    factory: Factory, town: Member, seller: Member
) -> None:
    listing_id = await factory.listing(seller, kg=1_000)
    at = STORY + days(rules.IDLE_DAYS)
    await round_of_cases(at=at)
    buyer = await factory.member(role="buyer")
    await buy(listing_id, buyer, seller, kg=600, days_later=15)
    assert await close_sold(at=at + days(1)) == 0
    await buy(listing_id, buyer, seller, kg=400, days_later=16)
    assert await close_sold(at=at + days(2)) == 1
    case = await only_case(town)
    assert (case.state, case.reason, case.remaining) == ("closed", "sold_out", 0)
    deal_id = await fetch_value("SELECT max(id) FROM deal")
    await cancel(
        reason="other",
        note="门店关了。",
        deal_id=deal_id,
        organisation_id=buyer.organisation_id,
        actor=buyer.actor,
        at=at + days(3),
    )
    await round_of_cases(at=at + days(4))
    assert (await only_case(town)).state == "closed"
    await round_of_cases(at=STORY + days(16 + rules.IDLE_DAYS))
    case = await only_case(town)
    assert (case.state, case.reason, case.remaining) == ("open", None, 400_000)
    # counted from the day on which the contract set the goods free again
    assert case.stuck_since == (at + days(3)).astimezone(CHINA).date()
    assert await kinds_of(case) == ["opened", "closed", "reopened"]


async def test_a_case_closes_with_a_reason_and_no_round_opens_it_again(
    factory: Factory, town: Member, seller: Member
) -> None:
    await factory.listing(seller)
    at = STORY + days(rules.IDLE_DAYS)
    await round_of_cases(at=at)
    case = await only_case(town)

    async def close_it(reason: str, note: str) -> None:
        await close(
            case_id=case.id,
            reason=reason,
            note=note,
            organisation_id=seller.organisation_id,
            actor=seller.actor,
            at=at,
        )

    for reason, note, fault in (
        ("sold_out", "卖完", "reason"),
        ("gone", "不见了", "reason"),
        ("elsewhere", " ", "note"),
    ):
        with pytest.raises(Invalid) as refused:
            await close_it(reason, note)
        assert set(refused.value.fields) == {fault}
    await close_it("own_use", "")
    with pytest.raises(WrongState):
        await close_it("own_use", "")
    with pytest.raises(Conflict):
        await add_entry(
            case_id=case.id,
            kind="call",
            note="又问了一家",
            organisation_id=seller.organisation_id,
            actor=seller.actor,
            at=at,
        )
    await round_of_cases(at=at + days(60))
    assert (await only_case(town)).state == "closed"
    await reopen(
        case_id=case.id,
        note="还有一半没用完",
        organisation_id=town.organisation_id,
        actor=town.actor,
        at=at + days(61),
    )
    case = await only_case(town)
    assert (case.state, case.cause, case.stuck_since) == ("open", "by_hand", TODAY)


async def test_a_case_is_opened_by_hand_for_ones_own_goods_only(
    factory: Factory, town: Member, seller: Member
) -> None:
    listing_id = await factory.listing(seller)
    stranger = await factory.member(
        role="secretary", town_id=(await factory.member(role="official")).organisation_id
    )

    async def open_by(member: Member, note: str = "问了三家都不要") -> int:
        return await open_case(
            listing_id=listing_id,
            note=note,
            organisation_id=member.organisation_id,
            actor=member.actor,
            at=STORY,
        )

    with pytest.raises(NotFound):
        await open_by(stranger)
    with pytest.raises(Invalid):
        await open_by(seller, " ")
    assert [row.listing for row in (await openable_by(organisation_id=seller.organisation_id)).rows] == [
        listing_id
    ]
    case_id = await open_by(seller)
    assert (await openable_by(organisation_id=town.organisation_id)).rows == []
    with pytest.raises(Conflict):
        await open_by(town)
    with pytest.raises(NotFound):
        await case_of(case_id=case_id, organisation_id=stranger.organisation_id)
    assert await diaries_of(case_ids=[case_id], organisation_id=stranger.organisation_id) == []
    assert await told(town) == ["case_opened"]
    (line,) = await diaries_of(case_ids=[case_id], organisation_id=town.organisation_id)
    assert (line.kind, line.note) == ("opened", "问了三家都不要")


async def test_who_is_in_charge_is_the_seller_or_the_town(
    factory: Factory, town: Member, seller: Member
) -> None:
    await factory.listing(seller)
    await round_of_cases(at=STORY + days(rules.IDLE_DAYS))
    case = await only_case(town)

    async def charge(owner_id: int, due: date, note: str = "", *, decided: bool = False) -> None:
        await put_in_charge(
            case_id=case.id,
            owner_id=owner_id,
            in_charge="",
            due_on=due,
            note=note,
            decided=decided,
            town_id=town.organisation_id,
            actor=town.actor,
            at=STORY,
        )

    stranger = await factory.member(role="buyer")
    for owner_id, due, decided, fault in (
        (stranger.organisation_id, TODAY, False, "owner"),
        (seller.organisation_id, TODAY - days(1), False, "due_on"),
        (seller.organisation_id, TODAY + days(rules.MOST_DAYS + 1), False, "due_on"),
        (seller.organisation_id, TODAY, True, "note"),
    ):
        with pytest.raises(Invalid) as refused:
            await charge(owner_id, due, decided=decided)
        assert set(refused.value.fields) == {fault}
    await charge(town.organisation_id, TODAY + days(5))
    case = await only_case(town)
    assert (case.owner, case.due_on) == (town.organisation_id, TODAY + days(5))
    assert sorted(await told(seller)) == ["case_assigned", "case_opened"]


@pytest.mark.parametrize("level", rules.LEVELS)
def test_every_level_has_days_and_a_joint_meeting(level: str) -> None:
    assert rules.due_on(level, since=TODAY) > TODAY
    assert level in rules.JOINT_MEETINGS


@pytest.mark.parametrize("sql", ["UPDATE case_entry SET note = 'x'", "DELETE FROM case_entry"])
async def test_the_diary_is_append_only(factory: Factory, town: Member, seller: Member, sql: str) -> None:
    await factory.listing(seller)
    await round_of_cases(at=STORY + days(rules.IDLE_DAYS))
    with pytest.raises(asyncpg.RaiseError, match="append-only"):
        await execute(sql)


async def test_goods_in_a_round_are_not_stuck_nobody_can_know(
    factory: Factory, town: Member, seller: Member
) -> None:
    closes = STORY + days(40)
    listing_id = await publish_listing(
        listing=NewListing(
            produce="peanut",
            title="红衣花生",
            quantity=Gram(1_000_000),
            ask=FenPerKg(700),
            available_from=TODAY,
            available_to=TODAY + days(100),
            way="sealed",
            closes_at=closes,
        ),
        owner_id=seller.organisation_id,
        actor=seller.actor,
        at=STORY,
    )
    assert await open_stuck(at=STORY + days(rules.IDLE_DAYS + 1)) == 0
    await open_round(listing_id=listing_id, at=closes)
    assert await open_stuck(at=closes + days(rules.IDLE_DAYS) - timedelta(minutes=1)) == 0
    assert await open_stuck(at=closes + days(rules.IDLE_DAYS)) == 1
    assert (await only_case(town)).stuck_since == closes.astimezone(CHINA).date()


async def test_goods_on_sale_once_more_have_one_case(factory: Factory, town: Member, seller: Member) -> None:
    first = await factory.listing(seller)
    mine = {"organisation_id": seller.organisation_id, "actor": seller.actor, "at": STORY}
    case_id = await open_case(listing_id=first, note="没人来问", **mine)
    owned = {"owner_id": seller.organisation_id, "actor": seller.actor, "at": STORY}
    await move_listing(listing_id=first, move="withdraw", **owned)
    lot_id = await fetch_value("SELECT lot FROM listing WHERE id = $1", first)
    terms = ListingOfLot("红衣花生", FenPerKg(650), TODAY, TODAY + days(60))
    again = await list_lot(lot_id=lot_id, listing=terms, **owned)

    assert await open_stuck(at=STORY + days(rules.IDLE_DAYS)) == 0
    assert (await openable_by(organisation_id=seller.organisation_id)).rows == []
    with pytest.raises(Conflict):
        await open_case(listing_id=again, note="还是没人", **mine)
    assert (await only_case(town)).id == case_id

    await close(case_id=case_id, reason="not_selling", note="另挂了", **mine)
    assert [each.listing for each in (await openable_by(organisation_id=seller.organisation_id)).rows] == [
        again
    ]
    await open_case(listing_id=again, note="还是没人", **mine)
    with pytest.raises(Conflict):
        await reopen(case_id=case_id, note="再来", **mine)
