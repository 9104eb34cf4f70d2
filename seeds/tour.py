"""The tour of the case's meeting: two buses call at the villages whose goods are stuck."""

from datetime import datetime

from msgspec.structs import replace

from market.accounts.rules import Actor
from market.meetings.route.asked import TourSettings
from market.meetings.tour.planning import plan_tour
from market.meetings.tour.telling import tell_route
from market.meetings.tour.touring import propose_route, route_there, save_route

BUSES, SEATS = 2, 19


async def lead_to_the_fields(*, meeting_id: int, town_id: int, actor: Actor, at: datetime) -> None:
    """Propose, plan and tell of the tour; nothing happens where no village has anything stuck."""
    if not await propose_route(meeting_id=meeting_id, town_id=town_id, actor=actor, at=at):
        return
    route = await route_there(meeting_id)
    usual = TourSettings(**{name: getattr(route, name) for name in TourSettings.__struct_fields__})
    await save_route(
        meeting_id=meeting_id,
        tour=replace(usual, buses=BUSES, seats=SEATS),
        stops=(),
        town_id=town_id,
        actor=actor,
        at=at,
    )
    await plan_tour(meeting_id=meeting_id, town_id=town_id, actor=actor, at=at)
    await tell_route(meeting_id=meeting_id, town_id=town_id, actor=actor, at=at)
