"""Keeps the worry book of the case: what was stuck, what was tried, and how it climbed."""

from datetime import datetime, timedelta

from market import clock
from market.cases.operations import add_entry, put_in_charge
from market.cases.queries import CaseRow, cases_of
from market.cases.rounds import round_of_cases
from seeds.case import Case
from seeds.story import People

#: Days after the story's beginning on which the book was looked through.
ROUNDS = (2, 18, 34)
#: What the village tried first, in the case's own words.
_TRIED = (
    ("visit", "书记背着样品挨家跑商超，对方都说没听过这个牌子，不肯上架。"),
    ("product", "问了几位店长：定位不清、包装太大。准备重新定位，改成小包装。"),
    ("sample", "换了小包装，给三家店送样试销，等回话。"),
)
_DECIDED = "镇里出面请商超到田间地头看货，样品和检验报告一并带上。"


async def open_book(*, at: datetime) -> None:
    """Open a case for whatever the matching left."""
    await round_of_cases(at=at)


async def keep_book(loaded: Case, people: People, *, began: datetime) -> None:
    """Tell what was done about what is stuck, up to today: the diary, the town's meeting, the climbing."""
    town = loaded.story.town
    town_id, official = people.organisations[town], people.actors[town]
    await open_book(at=began + timedelta(days=ROUNDS[0]))
    for case in await cases_of(organisation_id=town_id):
        await _try(case, people, at=began + timedelta(days=ROUNDS[0] + 1))
    for day in ROUNDS[1:]:
        at = began + timedelta(days=day)
        await round_of_cases(at=at)
        for case in await cases_of(organisation_id=town_id):
            if case.level == "town" and not case.decided and case.id % 2:
                await put_in_charge(
                    case_id=case.id,
                    owner_id=town_id,
                    in_charge=loaded.story.meeting.contact_zh,
                    due_on=at.astimezone(clock.CHINA).date() + timedelta(days=30),
                    note=_DECIDED,
                    decided=True,
                    town_id=town_id,
                    actor=official,
                    at=at + timedelta(hours=2),
                )


async def _try(case: CaseRow, people: People, *, at: datetime) -> None:
    actor = people.actor_of(case.seller)
    for place, (kind, note) in enumerate(_TRIED[: 1 + case.id % len(_TRIED)]):
        await add_entry(
            case_id=case.id,
            kind=kind,
            note=note,
            organisation_id=case.seller,
            actor=actor,
            at=at + timedelta(days=3 * place),
        )
