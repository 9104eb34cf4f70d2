"""A meeting that is under way, laid by hand, with the persons who come: for the tests of its day."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from fixtures.factories import STORY, TODAY, Factory, Member
from market.db.session import execute, fetch, fetch_value
from market.meetings.invitations.persons import NewAttendee, attendees_of, set_attendees

#: (seller, buyer, slot, table), by their place among the sellers and the buyers.
TALKS = ((0, 0, 1, 1), (1, 1, 1, 2), (1, 0, 2, 1), (0, 1, 2, 2))


class Day:
    """Two sellers and two buyers; by default four talks in four slots of 20 minutes from nine o'clock."""

    #: Nine o'clock in China, when the first slot begins.
    nine = datetime.fromisoformat("2026-11-23T01:00:00+00:00")

    def __init__(self, factory: Factory) -> None:
        self.factory = factory
        self.meeting_id = 0
        #: Name -> badge's code.
        self.codes: dict[str, str] = {}

    async def begun(
        self, *, talks: Sequence[tuple[int, int, int, int]] = TALKS, slots: int = 4, tables: int = 2
    ) -> "Day":
        make = self.factory
        self.town = await make.member(role="official")
        town = self.town.organisation_id
        self.sellers = [await make.member(role="secretary", town_id=town) for _ in range(2)]
        self.buyers = [await make.member(role="buyer") for _ in range(2)]
        self.listings = [await make.listing(each) for each in self.sellers]
        self.demands = [await make.demand(each) for each in self.buyers]
        self.meeting_id = await fetch_value(
            """INSERT INTO meeting (town, title, held_on, starts_at, slot_minutes, slots, tables, venue,
                                    state, published_at, created_at)
               VALUES ($1, '对接会', $2, 540, 20, $3, $4, '村部', 'in_progress', $5, $5) RETURNING id""",
            town,
            TODAY,
            slots,
            tables,
            STORY,
        )
        for side, members in (("seller", self.sellers), ("buyer", self.buyers)):
            for member in members:
                await self.invite(member, side)
        self.talks = [await self.talk(*each) for each in talks]
        return self

    async def invite(self, member: Member, side: str, *, attendance: str = "expected") -> int:
        number: int = await fetch_value(
            """INSERT INTO invitation (meeting, organisation, side, state, attendance, reason, created_at)
               VALUES ($1, $2, $3, 'accepted', $4, '{"text": ""}', $5) RETURNING id""",
            self.meeting_id,
            member.organisation_id,
            side,
            attendance,
            STORY,
        )
        return number

    async def talk(self, seller: int, buyer: int, slot: int, table: int) -> int:
        """Write a talk of these two about the seller's listing; return its number."""
        number: int = await fetch_value(
            """INSERT INTO appointment (meeting, seller, buyer, slot, table_number, state, created_at)
               VALUES ($1, $2, $3, $4, $5, 'scheduled', $6) RETURNING id""",
            self.meeting_id,
            self.sellers[seller].organisation_id,
            self.buyers[buyer].organisation_id,
            slot,
            table,
            STORY,
        )
        await execute(
            "INSERT INTO topic (appointment, listing, demand) VALUES ($1, $2, $3)",
            number,
            self.listings[seller],
            self.demands[buyer],
        )
        return number

    async def with_persons(self) -> "Day":
        for seller, names in zip(self.sellers, (("赵一", "钱二"), ("孙三",)), strict=True):
            await set_attendees(
                meeting_id=self.meeting_id,
                organisation_id=seller.organisation_id,
                persons=[NewAttendee(name) for name in names],
                actor=self.town.actor,
                at=STORY,
            )
        self.codes |= {each.name: each.code for each in await attendees_of(meeting_id=self.meeting_id)}
        return self

    def minute(self, minutes: float) -> datetime:
        """Return so many minutes after the first slot begins."""
        return self.nine + timedelta(minutes=minutes)

    async def state_of(self, who: str | int) -> str:
        """Return how a person (by name) or an organisation (by number) stands."""
        if isinstance(who, str):
            return str(await fetch_value("SELECT attendance FROM attendee WHERE name = $1", who))
        return str(
            await fetch_value(
                "SELECT attendance FROM invitation WHERE meeting = $1 AND organisation = $2",
                self.meeting_id,
                who,
            )
        )

    async def places(self) -> dict[int, tuple[int, int]]:
        """Return talk -> (slot, table) of those that have a place."""
        rows = await fetch(
            "SELECT id, slot, table_number FROM appointment WHERE meeting = $1 AND slot IS NOT NULL",
            self.meeting_id,
        )
        return {row["id"]: (row["slot"], row["table_number"]) for row in rows}

    async def count(self, table: str) -> int:
        return int(await fetch_value(f"SELECT count(*) FROM {table}"))
