"""Telling of the tour: the villages when a bus comes, the invited when it leaves; nobody the same twice."""

from datetime import datetime

import msgspec

from market.accounts.rules import Actor
from market.audit.operations import record
from market.db.session import fetch, transaction
from market.errors import Conflict
from market.i18n import Message, in_both, msg, on_day, translate
from market.meetings.route.problem import clock
from market.meetings.tour.queries import FieldRouteRow, Kept, Told
from market.meetings.tour.touring import own_title, route_there, write_kept
from market.notices.operations import notify


class Word(msgspec.Struct, frozen=True):
    """What an organisation is to know; ``off``: said instead where a bus was promised and comes no more."""

    message: Message
    visits: bool = False
    off: Message | None = None

    @property
    def told(self) -> Told:
        return Told(msgspec.json.encode(self.message, order="deterministic").decode(), self.visits)


async def tell_route(*, meeting_id: int, town_id: int, actor: Actor, at: datetime) -> int:
    """Tell whoever does not know it yet: a village its time, the invited the departure.

    Returns how many organisations were told.

    Raises:
        NotFound: no such tour of this town.
        Conflict: it is not planned, or the meeting is over.
    """
    async with transaction():
        title = await own_title(meeting_id, town_id)
        route = await route_there(meeting_id)
        news = await news_of(route, title=title)
        for organisation, word in news.items():
            await notify(
                organisation_id=organisation,
                kind="field_route",
                message=word.off or word.message,
                link=f"/meetings/{meeting_id}/tour",
                at=at,
            )
        told = {**route.result.told, **{str(each): word.told for each, word in news.items()}}
        await write_kept(route.id, Kept(route.result.plan, told))
        await record(
            subject=f"meeting:{meeting_id}",
            action="tell_route",
            actor=actor,
            at=at,
            details={"told": len(news)},
        )
    return len(news)


async def news_of(route: FieldRouteRow, *, title: Message) -> dict[int, Word]:
    """Return organisation -> what it does not know yet.

    Raises:
        Conflict: the tour is not planned.
    """
    plan = route.result.plan
    if plan is None:
        raise Conflict(msg("路线还没有规划好，规划以后才能通知。"))
    invited = [
        row["organisation"]
        for row in await fetch(
            """SELECT organisation FROM invitation
               WHERE meeting = $1 AND state NOT IN ('revoked', 'declined', 'expired')
               ORDER BY organisation""",
            route.meeting,
        )
    ]
    general = msg(
        "“{title}”安排田间走访：{day} {leaves} 从{start}出发，走访 {n} 处，{back} 返回。",
        title=title,
        day=on_day(route.on),
        leaves=clock(route.leaves_at),
        start=in_both(route.start_name, route.start_name_en),
        n=len(route.visited),
        back=clock(plan.ends),
    )
    off = msg("“{title}”的走访路线有调整，车不到您这里了。", title=title)
    words = {each: Word(general) for each in invited}
    for organisation, told in route.result.told.items():
        if told.visits:
            words[int(organisation)] = Word(general if int(organisation) in words else off, off=off)
    for stop in route.visited:
        if stop.organisation is not None and stop.begins_at is not None and stop.leaves_at is not None:
            words[stop.organisation] = Word(
                msg(
                    "“{title}”的走访车 {day} {begins} 到“{name}”，{leaves} 离开，请备好要看的货。",
                    title=title,
                    day=on_day(route.on),
                    begins=clock(stop.begins_at),
                    name=in_both(stop.name, stop.name_en),
                    leaves=clock(stop.leaves_at),
                ),
                visits=True,
            )
    known = route.result.told
    return {each: word for each, word in words.items() if not _knows(known.get(str(each)), word)}


def _knows(told: Told | None, word: Word) -> bool:
    """Tell whether what was told says the same: a name that has its English since is nothing new."""
    if told is None or told.visits != word.visits:
        return False
    return translate(msgspec.json.decode(told.text, type=Message), "zh") == translate(word.message, "zh")
