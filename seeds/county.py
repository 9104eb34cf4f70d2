"""The county of the case: it looks after everybody, and has checked whom it deals with."""

from datetime import datetime, timedelta

from market.accounts.rules import COUNTY, SELLING_KINDS, TOWN, Actor
from market.clock import CHINA
from market.organisations.verification import adopt, verify
from seeds.case import Case
from seeds.story import People

#: What is checked of whom: a village is no firm, a shop has to have its permits.
_CHECKED = {
    "village": ("collective", "person"),
    "town": ("collective", "person"),
    "cooperative": ("licence", "register", "visit"),
    "mill": ("licence", "register", "permit", "visit"),
    "retailer": ("licence", "register", "permit"),
    "media": ("licence", "register"),
}
#: Verified for longer than any story of the demonstration lasts.
_HOLDS = timedelta(days=540)


async def look_after(loaded: Case, people: People, *, at: datetime) -> None:
    """Let the county take up the town and all that belong to none, and verify them."""
    county = loaded.story.county
    county_id = people.organisations[county]
    verifier = Actor(people.actors[county].person_id, county_id, "verifier")
    for each in loaded.organisations:
        if each.kind == COUNTY:
            continue
        organisation_id = people.organisations[each.id]
        if each.kind == TOWN or each.kind not in SELLING_KINDS:
            await adopt(organisation_id=organisation_id, county_id=county_id, actor=verifier, at=at)
        await verify(
            organisation_id=organisation_id,
            checked=_CHECKED[each.kind],
            until=at.astimezone(CHINA).date() + _HOLDS,
            note="",
            county_id=county_id,
            actor=verifier,
            at=at,
        )
