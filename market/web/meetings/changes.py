"""The living timetable's pages: what happened, what the rest of the day would become, do it, take it back."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules as accounts
from market.accounts.rules import KINDS as ORGANISATIONS
from market.errors import Conflict, Invalid
from market.i18n import Language, Message, msg, translate
from market.meetings.alike import told_apart
from market.meetings.day.board import Talk, hour_of, talks_of_day
from market.meetings.day.disruptions import KINDS, Change
from market.meetings.day.incidents import incidents_of, undo_last
from market.meetings.day.replanning import Preview, apply_change, preview_change
from market.meetings.day.walk_ins import (
    LONGEST_ANSWER,
    SIDE_OF,
    Suggestion,
    WalkIn,
    known_names,
    let_in,
    suggestions_for,
)
from market.meetings.queries import InvitationRow, MeetingRow, appointments_of_meeting, invitations_of
from market.meetings.rules import MEETING
from market.web.edge.addresses import row_number
from market.web.edge.guards import OFFICIAL, SignedIn, WebRequest
from market.web.edge.language import language_of
from market.web.meetings.running import own_meeting
from market.web.meetings.steps import steps_of
from market.web.parts import fields
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.trade import BARE, KEY, name_in, new_key, show

#: What each kind is about, in a line.
HINTS: dict[str, Message] = {
    "late": msg("到之前的洽谈往后挪"),
    "absent": msg("取消余下的洽谈"),
    "overrun": msg("占着桌子再谈一段"),
    "walk_in": msg("没请的单位来了"),
    "table_broken": msg("换到别的桌"),
    "slot_lost": msg("停电、领导讲话等"),
    "swap": msg("换时段、换桌、两场对调"),
}
#: The field without which a change cannot be told, and what is said where nothing can be chosen in it.
EMPTY: dict[str, tuple[str, Message]] = {
    "overrun": ("appointment", msg("现在没有正在谈、也没有刚到时间的洽谈。")),
    "swap": ("appointment", msg("没有还没开始的洽谈可以调换。")),
    "late": ("until", msg("后面没有时段了，迟到不影响日程。")),
    "slot_lost": ("slot", msg("后面没有时段了。")),
}
_MOST_OVER = 3

_WALK_IN = Form(
    name=fields.text(msg("来的单位"), most=LONGEST_ANSWER, hint=msg("写全称；名册里有的会自动认出。")),
    kind=fields.choice(
        msg("新单位是哪一类"),
        {kind: ORGANISATIONS[kind] for kind in SIDE_OF},
        optional=True,
        hint=msg("名册里没有的单位才要选。"),
        chips=True,
    ),
    key=KEY,
)


class Day(msgspec.Struct, frozen=True):
    """What the forms offer to choose from. ``since``: the slot that runs, or the next one."""

    guests: list[InvitationRow]
    talks: list[Talk]
    since: int
    from_slot: int
    suggestions: Sequence[Suggestion] = ()
    #: How those are called that share a name.
    alike: Mapping[int, Message] = {}

    def name(self, language: Language, row: object, organisation: int) -> str:
        """Return what an organisation is called among the others of the day."""
        apart = self.alike.get(organisation)
        return translate(apart, language) if apart else name_in(language, row, "name")


async def _day(meeting: MeetingRow, organisation: str) -> Day:
    hour = hour_of(meeting, clock.now())
    from_slot = hour.next or meeting.all_slots + 1
    suggestions: list[Suggestion] = []
    if organisation.isdecimal() and len(organisation) < 18:
        suggestions = await suggestions_for(meeting_id=meeting.id, organisation_id=int(organisation))
    invited = await invitations_of(meeting_id=meeting.id)
    return Day(
        [
            each
            for each in invited
            if each.side != "guest" and each.state not in ("revoked", "declined", "delegated", "expired")
        ],
        await talks_of_day(meeting_id=meeting.id),
        hour.now or from_slot,
        from_slot,
        suggestions,
        await told_apart([each.organisation for each in invited]),
    )


def change_form(kind: str, meeting: MeetingRow, day: Day, language: Language) -> Form:
    """Return the form of one kind of change, with what can be chosen on this day."""
    guests = {
        str(each.organisation): day.name(language, each, each.organisation)
        for each in day.guests
        if each.attendance not in ("no_show", "left") or kind == "walk_in"
    }
    slots = {
        str(slot): meeting.slot_label(slot)
        for slot in range(day.from_slot, meeting.all_slots + 1)
        if slot not in meeting.blocked_slots
    }
    later = {slot: label for slot, label in slots.items() if int(slot) > day.from_slot}
    tables = {str(n): translate(msg("{n} 号桌", n=n), language) for n in range(1, meeting.tables + 1)}
    organisation = fields.choice(msg("哪一家"), guests)
    given: dict[str, fields.Field] = {"kind": fields.hidden()}
    match kind:
        case "late":
            given |= {"organisation": organisation, "until": fields.choice(msg("几点能到"), later)}
        case "absent":
            given |= {"organisation": organisation}
        case "overrun":
            given |= {
                "appointment": fields.choice(msg("哪一场"), _talks(meeting, day, language, to_come=False)),
                "slots": fields.choice(
                    msg("还要几个时段"), {str(n): str(n) for n in range(1, _MOST_OVER + 1)}, chips=True
                ),
            }
        case "walk_in":
            given |= {
                "organisation": fields.choice(msg("哪一家"), guests),
                "counterparts": fields.choices(
                    msg("要见谁"),
                    {
                        str(each.organisation): _suggested(
                            each, day.name(language, each, each.organisation), language
                        )
                        for each in day.suggestions
                    },
                    hint=msg("按买卖对得上的程度排；空着的时段会自动安排。"),
                ),
            }
        case "table_broken":
            given |= {
                "table": fields.choice(msg("哪张桌"), tables),
                "until": fields.choice(
                    msg("到几点能用"), later, optional=True, hint=msg("不选就是今天都不能用。")
                ),
            }
        case "slot_lost":
            given |= {"slot": fields.choice(msg("哪个时段"), slots)}
        case "swap":
            talks = _talks(meeting, day, language, to_come=True)
            given |= {
                "appointment": fields.choice(msg("哪一场"), talks),
                "other": fields.choice(msg("和哪一场对调"), talks, optional=True),
                "slot": fields.choice(
                    msg("或挪到哪个时段"), slots, optional=True, hint=msg("对调时不用选。")
                ),
                "table": fields.choice(msg("哪张桌"), tables, optional=True, hint=msg("不选就用空着的桌。")),
            }
    return Form(**given)


def _talks(meeting: MeetingRow, day: Day, language: Language, *, to_come: bool) -> dict[str, str]:
    """Return the talks that can still be moved, or those that may be running over now."""
    return {
        str(each.id): "{when} · {table} · {buyer} – {seller}".format(
            when=meeting.slot_label(each.slot),
            table=translate(msg("{n} 号桌", n=each.table), language),
            buyer=day.name(language, each.buyer, each.buyer.organisation),
            seller=day.name(language, each.seller, each.seller.organisation),
        )
        for each in day.talks
        if each.state == "scheduled"
        and (
            (each.slot >= day.from_slot and each.started_at is None)
            if to_come
            else (each.slot <= day.since and each.ended_at is None)
        )
    }


def _suggested(each: Suggestion, name: str, language: Language) -> str:
    if not each.shared:
        return name
    return translate(msg("{name}（{n} 种货对得上）", name=name, n=each.shared), language)


def change_of(values: Mapping[str, Any]) -> Change:
    """Return the change that a filled form stands for."""

    def number(name: str) -> int | None:
        return int(values[name]) if values.get(name) else None

    return Change(
        values["kind"],
        number("organisation"),
        number("until"),
        number("appointment"),
        number("other"),
        number("slots") or 1,
        number("table"),
        number("slot"),
        tuple(int(each) for each in values.get("counterparts") or ()),
    )


async def _page(
    request: WebRequest,
    meeting: MeetingRow,
    *,
    kind: str = "",
    form: Filled | None = None,
    walk_in: Filled | None = None,
    preview: Preview | None = None,
    moved_on: bool = False,
    status: int = 200,
) -> Response[str]:
    return show(
        request,
        "meetings/changes.html",
        status=status,
        meeting=meeting,
        steps=await steps_of(request, meeting),
        kinds=KINDS,
        hints=HINTS,
        kind=kind,
        form=form,
        walk_in=walk_in or _WALK_IN.blank(key=new_key()),
        known=await known_names(language_of(request)) if kind == "walk_in" else [],
        preview=preview,
        moved_on=moved_on,
        incidents=await incidents_of(meeting_id=meeting.id),
        parties={each.organisation: each for each in await invitations_of(meeting_id=meeting.id)},
        pairs={
            each.id: (each.buyer, each.seller)
            for each in await appointments_of_meeting(meeting_id=meeting.id)
        },
        empty=EMPTY.get(kind),
        is_on=meeting.state in ("timetabled", "in_progress"),
        MEETING=MEETING,
    )


@get("/town/meetings/{meeting_id:int}/changes", guards=OFFICIAL)
async def changes(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[str]:
    """Ask what happened, and once that is said show what the rest of the day would become."""
    meeting = await own_meeting(meeting_id, viewer)
    asked = request.query_params
    kind = asked.get("kind", "")
    if kind not in KINDS:
        return await _page(request, meeting)
    form = change_form(
        kind, meeting, await _day(meeting, asked.get("organisation", "")), language_of(request)
    )
    filled = form.query(request)
    if kind == "walk_in" and "ask" in asked and not asked.get("organisation"):
        fault = msg("请先选哪一家。")
        return await _page(
            request,
            meeting,
            kind=kind,
            form=msgspec.structs.replace(filled, errors={"organisation": fault}),
            status=422,
        )
    if "go" not in asked:
        return await _page(request, meeting, kind=kind, form=msgspec.structs.replace(filled, errors={}))
    return await _previewed(request, viewer, meeting, filled)


async def _previewed(
    request: WebRequest, viewer: SignedIn, meeting: MeetingRow, filled: Filled, *, moved_on: bool = False
) -> Response[str]:
    kind = filled.text("kind")
    try:
        filled.check()
        preview = await preview_change(
            meeting_id=meeting.id,
            change=change_of(filled.values),
            town_id=viewer.organisation_id,
            at=clock.now(),
        )
    except Invalid as refused:
        return await _page(request, meeting, kind=kind, form=filled.refused(refused), status=422)
    return await _page(
        request,
        meeting,
        kind=kind,
        form=filled,
        preview=preview,
        moved_on=moved_on,
        status=409 if moved_on else 200,
    )


@post("/town/meetings/{meeting_id:int}/changes", guards=OFFICIAL)
async def apply(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[Any]:
    """Do what was previewed; where the day has moved on since, show what it would be now."""
    meeting = await own_meeting(meeting_id, viewer)
    sent = await request.form()
    kind = str(sent.get("kind", ""))
    if kind not in KINDS:
        return await _page(request, meeting, status=422)
    day = await _day(meeting, str(sent.get("organisation", "")))
    form = change_form(kind, meeting, day, language_of(request))
    form.fields["token"] = fields.hidden()
    filled = await form.read(request)
    path = f"/town/meetings/{meeting.id}/changes"
    try:
        filled.check()
        await apply_change(
            meeting_id=meeting.id,
            change=change_of(filled.values),
            token=filled.values["token"],
            town_id=viewer.organisation_id,
            actor=accounts.actor(viewer, "official"),
            at=clock.now(),
        )
    except (Invalid, Conflict) as refused:
        if await _is_done(meeting, sent):
            # the button was pressed twice, or a colleague was quicker
            return redirect(request, path, toast=msg("已经改过了。"))
        if isinstance(refused, Conflict):
            return await _previewed(request, viewer, meeting, filled, moved_on=True)
        return await _page(request, meeting, kind=kind, form=filled.refused(refused), status=422)
    if meeting.published_at is None:
        return redirect(request, path, toast=msg("已改排。日程还没有发布，谁都没有通知。"))
    return redirect(request, path, toast=msg("已改排，有变动的单位都收到了通知。"))


async def _is_done(meeting: MeetingRow, sent: FormMultiDict) -> bool:
    """Tell whether what was sent is the last change that stands: what was chosen is not offered any more."""
    done = await incidents_of(meeting_id=meeting.id)
    if not done or done[0].undone_at is not None:
        return False
    try:
        return done[0].details.change == change_of(
            {**dict(sent), "counterparts": sent.getall("counterparts", [])}
        )
    except (KeyError, TypeError, ValueError):
        return False


@post("/town/meetings/{meeting_id:int}/changes/walk-in", guards=OFFICIAL)
async def walk_in(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[Any]:
    """Put somebody on the list who was not invited; then one chooses whom they meet."""
    meeting = await own_meeting(meeting_id, viewer)
    filled = await _WALK_IN.read(request)
    try:
        filled.check()
        organisation = await let_in(
            meeting_id=meeting.id,
            walk_in=WalkIn(filled.values["name"], filled.values["kind"] or ""),
            town_id=viewer.organisation_id,
            actor=accounts.actor(viewer, "official"),
            at=clock.now(),
        )
    except Invalid as refused:
        form = change_form("walk_in", meeting, await _day(meeting, ""), language_of(request))
        return await _page(
            request,
            meeting,
            kind="walk_in",
            form=form.blank(kind="walk_in"),
            walk_in=filled.refused(refused),
            status=422,
        )
    path = f"/town/meetings/{meeting.id}/changes?kind=walk_in&organisation={organisation}"
    return redirect(request, path, toast=msg("已登记并签到，请选要见谁。"))


@post("/town/meetings/{meeting_id:int}/changes/{incident_id:int}/undo", guards=OFFICIAL)
async def undo(
    request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int], incident_id: FromPath[int]
) -> Response[bytes]:
    """Take the latest change back, where nothing of it has begun."""
    (await BARE.read(request)).check()
    meeting = await own_meeting(meeting_id, viewer)
    await undo_last(
        meeting_id=meeting.id,
        incident_id=row_number(incident_id),
        town_id=viewer.organisation_id,
        actor=accounts.actor(viewer, "official"),
        at=clock.now(),
    )
    return redirect(
        request, f"/town/meetings/{meeting.id}/changes", toast=msg("已撤销，日程恢复到改排之前。")
    )


routes: list[ControllerRouterHandler] = [changes, apply, walk_in, undo]
