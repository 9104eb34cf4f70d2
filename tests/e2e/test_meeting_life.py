"""The demonstration's docking meeting through its whole life, from the matching to the town's report.

Played by the official at a desk, the secretary of the village and the buyer on their phones, and a guest
who only has a link. It is one story: each act begins where the one before it ended.
"""

from collections.abc import Awaitable, Callable

import pytest

from tests.e2e.conftest import Open, Site
from tests.e2e.meeting import afterwards, preparing, the_day
from tests.e2e.meeting.pages import Cast
from tests.e2e.people import BUYER, DESK, OFFICIAL, PHONE, SECRETARY

STORY: list[Callable[[Cast, Site], Awaitable[None]]] = [
    preparing.official_opens_a_meeting_from_the_matching,
    preparing.public_page_is_read_without_signing_in,
    preparing.official_sees_whom_the_system_proposes_and_adds_one,
    preparing.guest_answers_by_the_link_and_names_who_comes,
    preparing.secretary_says_who_comes_and_whom_to_meet_and_whom_never,
    preparing.buyer_wants_the_village_too_and_cannot_come_early,
    preparing.official_lays_the_timetable_by_the_wishes,
    preparing.official_fixes_a_talk_and_publishes,
    preparing.secretary_reads_the_own_timetable_on_the_phone_and_takes_a_note,
    preparing.official_downloads_all_papers_as_one_pdf_and_one_for_word,
    the_day.day_begins_and_a_badge_checks_its_bearer_in,
    the_day.late_buyer_moves_as_few_talks_as_can_be,
    the_day.walk_in_is_let_in_and_meets_who_is_free,
    the_day.results_take_three_taps_each,
    the_day.official_closes_the_meeting_and_the_questions_are_laid,
    afterwards.sample_is_sent_received_and_answered_and_becomes_a_contract,
    afterwards.both_sides_are_asked_after_a_month_and_judge_the_talk,
    afterwards.official_keeps_the_press_and_the_costs,
    afterwards.report_tells_the_same_figures_as_the_page_and_the_books,
]


@pytest.fixture(scope="module")
async def cast(open_browser: Open) -> Cast:
    official, screen = await open_browser(DESK), await open_browser(DESK)
    secretary, buyer, guest = [await open_browser(PHONE) for _ in range(3)]
    for person, phone in ((official, OFFICIAL), (screen, OFFICIAL), (secretary, SECRETARY), (buyer, BUYER)):
        await person.sign_in(phone)
    return Cast(official, secretary, buyer, guest, screen)


@pytest.mark.parametrize("act", STORY, ids=lambda act: act.__name__)
async def test_meeting_life(act: Callable[[Cast, Site], Awaitable[None]], cast: Cast, site: Site) -> None:
    await act(cast, site)
