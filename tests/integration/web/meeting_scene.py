"""A town whose goods and demands are matched, and what its official does with a meeting in a browser."""

from uuid import uuid4

from fixtures.factories import Member
from market import clock
from market.db.jobs import Worker
from market.db.session import fetch
from tests.integration.web.conftest import Browser, faults

Form = dict[str, str]


def form(**changes: str) -> Form:
    """What a usual form sends."""
    given = {
        "title": "东岗对接会",
        "held_on": clock.today().isoformat(),
        "starts_at": "09:00",
        "venue": "村部大院",
        "slot_minutes": "20",
        "slots": "4",
        "tables": "3",
        "half_day_after": "2",
        "pause_minutes": "60",
        "most_appointments": "",
        "invite_media": "1",
        "programme": "",
        "key": str(uuid4()),
    }
    return {**given, **changes}


class Scene:
    """A town with two villages, two chains and the media, matched, and its official's browser."""

    def __init__(
        self, official: Member, sellers: list[Member], buyers: list[Member], browser: Browser
    ) -> None:
        self.official, self.sellers, self.buyers, self.browser = official, sellers, buyers, browser
        self.page = ""

    async def open(self, **changes: str) -> None:
        answer = await self.browser.post("/town/meetings/new", form(**changes))
        assert answer.status_code == 303, faults(answer)
        self.page = answer.headers["location"]
        assert await Worker().work_once() is True

    async def publish(self) -> None:
        answer = await self.browser.post(f"{self.page}/publish")
        assert answer.headers["location"] == self.page

    async def start(self) -> None:
        await self.open()
        await self.publish()
        answer = await self.browser.post(f"{self.page}/move/start")
        assert answer.headers["location"] == f"{self.page}/desk"

    async def talk(self) -> tuple[str, int]:
        """Return the page of a talk about a match, and that match's topic."""
        row = (
            await fetch(
                """SELECT topic.appointment, topic.id FROM topic WHERE match IS NOT NULL
                   ORDER BY topic.id LIMIT 1"""
            )
        )[0]
        return f"{self.page}/talks/{row['appointment']}", row["id"]

    @property
    def number(self) -> str:
        """The meeting's number, as the addresses of the invited have it."""
        return self.page.rpartition("/")[2]
