"""A meeting with invitations, written down without any planning: what invitations are tested on."""

from datetime import date, datetime, timedelta

import msgspec

from fixtures.factories import Factory, Member
from market import clock
from market.db.session import fetch, fetch_value
from market.i18n import msg
from market.meetings.invitations.links import invitation_token


class Invited(msgspec.Struct, frozen=True):
    """An invitation with its link's token."""

    id: int
    member: Member
    side: str

    async def token(self) -> str:
        version = await fetch_value("SELECT link_version FROM invitation WHERE id = $1", self.id)
        return invitation_token(self.id, version)

    async def state(self) -> str:
        return str(await fetch_value("SELECT state FROM invitation WHERE id = $1", self.id))


class Gathering(msgspec.Struct, frozen=True):
    """A town's meeting in a week, one village and one chain invited."""

    town: Member
    meeting_id: int
    seller: Invited
    buyer: Invited

    @property
    def page(self) -> str:
        return f"/town/meetings/{self.meeting_id}/invitations"


async def meeting_row(
    town: Member,
    *,
    at: datetime,
    held_on: date,
    state: str = "timetabled",
    answer_by: date | None = None,
    is_public: bool = False,
) -> int:
    return int(
        await fetch_value(
            """INSERT INTO meeting (town, title, title_en, held_on, starts_at, slot_minutes, slots, tables,
                                    half_day_after, pause_minutes, days, blocked_slots, venue, venue_en,
                                    programme, programme_en, state, answer_by, is_public, created_at)
               VALUES ($1, '东岗对接会', 'Donggang meeting', $2, 540, 20, 4, 3, 2, 60, 1, '{}', '村部大院',
                       'Village hall', '', '', $3, $4, $5, $6) RETURNING id""",
            town.organisation_id,
            held_on,
            state,
            answer_by,
            is_public,
            at,
        )
    )


async def invited_row(
    meeting_id: int, member: Member, side: str, *, at: datetime, state: str = "needs_action"
) -> Invited:
    number = await fetch_value(
        """INSERT INTO invitation (meeting, organisation, side, state, attendance, reason, created_at)
           VALUES ($1, $2, $3, $4, 'expected', $5, $6) RETURNING id""",
        meeting_id,
        member.organisation_id,
        side,
        state,
        msgspec.json.encode(msg("报名参加。")).decode(),
        at,
    )
    return Invited(int(number), member, side)


async def talk_row(gathering: Gathering, *, slot: int, table: int = 1, at: datetime) -> int:
    return int(
        await fetch_value(
            """INSERT INTO appointment (meeting, seller, buyer, slot, table_number, state, created_at)
               VALUES ($1, $2, $3, $4, $5, 'scheduled', $6) RETURNING id""",
            gathering.meeting_id,
            gathering.seller.member.organisation_id,
            gathering.buyer.member.organisation_id,
            slot,
            table,
            at,
        )
    )


async def gathering(
    factory: Factory, *, at: datetime | None = None, days: int = 7, **changes: object
) -> Gathering:
    at = at or clock.now()
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    buyer = await factory.member(role="buyer")
    held_on = at.astimezone(clock.CHINA).date() + timedelta(days=days)
    number = await meeting_row(town, at=at, held_on=held_on, **changes)  # type: ignore[arg-type]
    return Gathering(
        town,
        number,
        await invited_row(number, seller, "seller", at=at),
        await invited_row(number, buyer, "buyer", at=at),
    )


async def told(member: Member) -> list[str]:
    """Return the kinds of notices that a member's organisation has got."""
    return [
        row["kind"]
        for row in await fetch(
            "SELECT kind FROM notice WHERE organisation = $1 ORDER BY id", member.organisation_id
        )
    ]
