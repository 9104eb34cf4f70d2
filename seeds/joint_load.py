"""A joint offer (拼货) after the meeting: a chain wants more peanuts than anybody has; three go together."""

from datetime import datetime, time, timedelta

from market import clock
from market.bids.joint.answering import answer_share, submit_joint
from market.bids.joint.operations import NewJoint, NewShare, invite, open_joint
from market.demand.commands import NewDemand
from market.demand.operations import publish_demand
from market.supply.commands import NewListing
from market.supply.operations import NewPicture, add_picture, publish_listing
from market.supply.queries import listings_of
from market.units import GRAMS_PER_KG, FenPerKg, Gram
from seeds.case import Case
from seeds.story import People

#: What is bought and sold, how good it is, and the store that asks for it.
PRODUCE, GRADE, STORE = "peanut", 2, "zhongxing-2"
#: What the chain wants and pays at most, and the least that the villages send for.
_WANTED, _CEILING, _LEAST = 18, FenPerKg(760), 12
#: Days from today on which the chain takes delivery.
_FROM, _TO = 10, 35
#: When on the day before yesterday the first of it happened.
_AT = time(8, 40)
#: Who leads, out of which lot of the case, in tonnes, at what price.
_LEAD = ("L01", 8, FenPerKg(660))
#: Who is asked along out of a lot of the case.
_FRIEND = ("L02", 6, FenPerKg(720))
#: A village that comes to the market only now: what it has and what it brings, in tonnes, and its price.
_LATE, _HAS, _BRINGS, _ASK = "zhaojiawopeng", 5, 4, FenPerKg(650)


def _tonnes(tonnes: int) -> Gram:
    return Gram(tonnes * 1_000 * GRAMS_PER_KG)


async def offer_together(loaded: Case, people: People, *, picture: NewPicture) -> None:
    """Put the peanuts of three sellers into one offer that now waits for the buyer's answer."""
    today = clock.today()
    at = datetime.combine(today - timedelta(days=2), _AT, clock.CHINA)
    demand_id = await _demand(loaded, people, at=at)
    late_id = await _late_goods(people, picture, at=at + timedelta(hours=3))
    (leads, tonnes, price), (joins, more, dearer) = _LEAD, _FRIEND
    lead, friend = (next(each for each in loaded.lots if each.id == lot) for lot in (leads, joins))
    on_sale = {
        each.title: each.listing_id
        for seller in (lead.seller, friend.seller)
        for each in await listings_of(people.organisations[seller], today=today)
    }
    opened = at + timedelta(hours=5)
    lead_id, by = people.organisations[lead.seller], people.actors[lead.seller]
    joint_id = await open_joint(
        joint=NewJoint(
            demand_id=demand_id,
            listing_id=on_sale[lead.title_zh],
            quantity=_tonnes(tonnes),
            price=price,
            least=_tonnes(_LEAST),
            deliver_from=today + timedelta(days=_FROM),
            deliver_to=today + timedelta(days=_TO),
            note="三家同一条线路，一辆车当天送齐。",
        ),
        lead_id=lead_id,
        actor=by,
        at=opened,
    )
    shares = (
        (friend.seller, on_sale[friend.title_zh], more, dearer),
        (_LATE, late_id, _BRINGS, _ASK),
    )
    for hours, (seller, listing_id, brought, asked) in enumerate(shares, start=1):
        share_id = await invite(
            share=NewShare(joint_id, listing_id, _tonnes(brought), asked),
            lead_id=lead_id,
            actor=by,
            at=opened,
        )
        await answer_share(
            share_id=share_id,
            move="confirm",
            organisation_id=people.organisations[seller],
            actor=people.actors[seller],
            at=opened + timedelta(hours=hours),
        )
    await submit_joint(joint_id=joint_id, lead_id=lead_id, actor=by, at=opened + timedelta(hours=4))


async def _demand(loaded: Case, people: People, *, at: datetime) -> int:
    """Post what the chain wants for the new year: no lot that is left would do alone."""
    buyer = next(each.organisation for each in loaded.stores if each.id == STORE)
    today = clock.today()
    return await publish_demand(
        demand=NewDemand(
            produce=PRODUCE,
            title="求购年货花生 18 吨",
            title_en="Wanted for the new year: peanuts (in shell), 18 t",
            quantity=_tonnes(_WANTED),
            ceiling=_CEILING,
            site_id=people.sites[STORE],
            deliver_from=today + timedelta(days=_FROM - 3),
            deliver_to=today + timedelta(days=_TO + 5),
            min_grade=GRADE,
            note="可以几家拼货，一车送到。",
            note_en="Several villages may offer together, in one load.",
            invented=True,
        ),
        buyer_id=people.organisations[buyer],
        actor=people.actors[buyer],
        at=at,
    )


async def _late_goods(people: People, picture: NewPicture, *, at: datetime) -> int:
    today, owner_id = clock.today(), people.organisations[_LATE]
    listing_id = await publish_listing(
        listing=NewListing(
            produce=PRODUCE,
            title="赵家窝棚村花生果（二级）",
            title_en="Zhaojiawopeng peanuts in shell, second grade",
            variety="白沙 1016",
            grade=GRADE,
            quantity=_tonnes(_HAS),
            ask=_ASK,
            min_order=Gram(500 * GRAMS_PER_KG),
            available_from=today,
            available_to=today + timedelta(days=90),
            harvested_on=today - timedelta(days=60),
            story="只有几户种，量少，单独发一车不划算。",
            story_en="Grown by a few households: too little for a lorry of its own.",
            invented=True,
        ),
        owner_id=owner_id,
        actor=people.actors[_LATE],
        at=at,
    )
    await add_picture(listing_id=listing_id, picture=picture, owner_id=owner_id)
    return listing_id
