"""What the meeting of the case led to on the shelves, and what the mill has grown to."""

from datetime import datetime, timedelta

from market import clock
from market.deals.queries import deals_of
from market.deals.rules import SIGNED
from market.followup.capacity import NewEntry, note_capacity
from market.followup.shelf_queries import stores_of
from market.followup.shelf_rules import GONE, SEEN
from market.followup.shelving import NewSighting, NewSpell, put_on_shelf, see
from market.units import GRAMS_PER_KG, FenPerKg, Gram
from seeds.case import Case
from seeds.story import People

#: Days after the meeting on which goods stood on shelves, and on which somebody looked again.
PUT_DAYS, LOOK_DAYS = 9, 20
#: What a chain adds to the price at the farm gate, in percent.
_MARKUP = 35
#: Every so many shelves the product is gone again when somebody looks.
_GONE_EVERY = 7


async def fill_shelves(loaded: Case, people: People, *, began: datetime) -> None:
    """Note the stores of every chain that took delivery: the chain says so, the seller looks again."""
    day = began + timedelta(days=loaded.story.meeting.day)
    stores: dict[int, list[int]] = {}
    for store in await stores_of(chains=sorted(people.organisations.values())):
        stores.setdefault(store.chain, []).append(store.id)
    done: set[tuple[int, int, str]] = set()
    deals = await deals_of(organisation_id=people.organisations[loaded.story.town])
    for deal in reversed(deals):
        if deal.state not in SIGNED or not deal.delivered:
            continue
        for place in stores.get(deal.buyer, [])[:2]:
            key = (place, deal.seller, deal.title)
            if key in done:
                continue
            done.add(key)
            await _note(
                deal.seller, deal.buyer, place, deal.produce, deal.title, deal.price, people, day, len(done)
            )


async def grow(loaded: Case, people: People, *, began: datetime) -> None:
    """Write down how the mill grew: as many tanks as before, then those of the case."""
    mill, figures = loaded.story.pressing.mill, loaded.story.figures
    days = clock.now() - began
    for share, tanks in ((0, figures.tanks_before), (60, 15), (95, figures.tanks_after)):
        at = began + days * share / 100
        await note_capacity(
            entry=NewEntry(
                "tank", at.astimezone(clock.CHINA).date(), tanks, Gram(figures.tank_kg * GRAMS_PER_KG)
            ),
            organisation_id=people.organisations[mill],
            actor=people.actor_of(people.organisations[mill]),
            at=at,
        )


async def _note(
    seller: int,
    chain: int,
    site_id: int,
    produce: str,
    title: str,
    price: int,
    people: People,
    day: datetime,
    number: int,
) -> None:
    put, look = day + timedelta(days=PUT_DAYS), day + timedelta(days=LOOK_DAYS)
    on_shelf = FenPerKg(price * (100 + _MARKUP) // 1_000 * 10)
    spell = NewSpell(site_id, seller, produce, title, put.astimezone(clock.CHINA).date(), on_shelf)
    spell_id = await put_on_shelf(spell=spell, organisation_id=chain, actor=people.actor_of(chain), at=put)
    if number % 2:
        kind = GONE if number % _GONE_EVERY == 0 else SEEN
        await see(
            spell_id=spell_id,
            sighting=NewSighting(kind, look.astimezone(clock.CHINA).date()),
            organisation_id=seller,
            actor=people.actor_of(seller),
            at=look,
        )
