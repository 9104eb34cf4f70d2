"""What an official notes about a meeting afterwards: reports in the media, and the budget."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
from litestar import Response, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules as accounts
from market.accounts.rules import Viewer
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg
from market.meanwhile import ChangedMeanwhile, settled
from market.meetings.after.coverage import (
    NewBudgetLine,
    NewCoverage,
    add_coverage,
    remove_budget_line,
    remove_coverage,
    set_budget_line,
)
from market.meetings.after.queries import BudgetRow, budget_of
from market.web.edge.addresses import row_number
from market.web.edge.guards import OFFICIAL, SignedIn, WebRequest
from market.web.edge.language import language_of
from market.web.meetings.after import draw
from market.web.meetings.noted_forms import BUDGET, as_line, coverage_form, line_form
from market.web.meetings.running import own_meeting
from market.web.parts.changed_meanwhile import merged, saved_with
from market.web.parts.forms import Filled
from market.web.parts.pages import redirect
from market.web.parts.trade import BARE, do_once


async def _once(
    request: WebRequest, viewer: Viewer, filled: Filled, name: str, meeting_id: int, deed: Callable[[], Any]
) -> Response[Any] | None:
    """Check the form and do the deed once; None when it is done, else the page with what to mend."""

    async def again(mended: Filled, status: int) -> Response[Any]:
        coverage, budget = (mended, None) if name == "add_coverage" else (None, mended)
        return await draw(request, viewer, meeting_id, coverage=coverage, budget=budget, status=status)

    try:
        filled.check()
        await do_once(
            viewer=viewer,
            key=filled.values["key"],
            name=name,
            about={"meeting": meeting_id, "form": {key: filled.typed[key] for key in sorted(filled.typed)}},
            deed=deed,
            at=clock.now(),
        )
    except Invalid as refused:
        return await again(filled.refused(refused), 422)
    except ChangedMeanwhile:
        raise
    except Conflict as refused:
        return await again(
            msgspec.structs.replace(filled, errors={**filled.errors, "": refused.message}), 409
        )
    return None


@post("/town/meetings/{meeting_id:int}/after/coverage", guards=OFFICIAL)
async def note_coverage(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[Any]:
    """Note a report in the media."""
    meeting = await own_meeting(meeting_id, viewer)
    filled = await coverage_form().read(request)

    async def deed() -> int:
        values = {name: filled.values[name] for name in ("outlet", "title", "published_on", "url")}
        return await add_coverage(
            meeting_id=meeting.id,
            coverage=NewCoverage(**values),
            town_id=viewer.organisation_id,
            actor=accounts.actor(viewer, "official"),
            at=clock.now(),
        )

    refused = await _once(request, viewer, filled, "add_coverage", meeting.id, deed)
    return refused or _back(request, meeting.id, "coverage", msg("已记下这篇报道。"))


@post("/town/meetings/{meeting_id:int}/after/budget", guards=OFFICIAL)
async def note_budget(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[Any]:
    """Add a line to the budget, or write one anew."""
    meeting = await own_meeting(meeting_id, viewer)
    filled, theirs = await BUDGET.read(request), frozenset[str]()
    row = await _line_now(meeting.id, filled.values.get("line_id"))
    if row is not None and not filled.errors:
        try:
            theirs = settled(_line_in(filled), now=as_line(row), seen=filled.values["seen"]).theirs
        except ChangedMeanwhile as changed:
            theirs = changed.theirs

    async def deed() -> int:
        return await set_budget_line(
            meeting_id=meeting.id,
            line=_line_in(filled),
            town_id=viewer.organisation_id,
            actor=accounts.actor(viewer, "official"),
            at=clock.now(),
            line_id=filled.values["line_id"],
            seen=filled.values["seen"],
        )

    try:
        refused = await _once(request, viewer, filled, "set_budget_line", meeting.id, deed)
    except ChangedMeanwhile as changed:
        row = await _line_now(meeting.id, filled.values["line_id"])
        if row is None:
            raise
        form = merged(filled, changed, fresh=line_form(row), language=language_of(request))
        return await draw(request, viewer, meeting.id, budget=form, status=409)
    except NotFound:
        if filled.values["line_id"] is None:
            raise
        return await draw(request, viewer, meeting.id, budget=_as_new(filled), status=409)
    done = saved_with(msg("预算已更新。"), filled, theirs)
    return refused or _back(request, meeting.id, "budget", done)


def _as_new(filled: Filled) -> Filled:
    """Return the form of a line that others have deleted, to be added anew with what was typed."""
    typed = {name: texts for name, texts in filled.typed.items() if name not in ("line_id", "seen")}
    told = msg("这一行别人刚删了，没有保存。填的都还在：再保存一次，就重新加上这一行。")
    return msgspec.structs.replace(filled, typed=typed, errors={**filled.errors, "": told})


def _line_in(filled: Filled) -> NewBudgetLine:
    return NewBudgetLine(filled.values["name"], filled.values["planned"], filled.values["spent"])


async def _line_now(meeting_id: int, line_id: int | None) -> BudgetRow | None:
    return next((row for row in await budget_of(meeting_id=meeting_id) if row.id == line_id), None)


@post("/town/meetings/{meeting_id:int}/after/coverage/{row_id:int}/remove", guards=OFFICIAL)
async def drop_coverage(
    request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int], row_id: FromPath[int]
) -> Response[bytes]:
    """Take a report in the media off."""
    deed = partial(remove_coverage, coverage_id=row_number(row_id))
    return await _drop(request, viewer, meeting_id, "coverage", deed)


@post("/town/meetings/{meeting_id:int}/after/budget/{row_id:int}/remove", guards=OFFICIAL)
async def drop_budget(
    request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int], row_id: FromPath[int]
) -> Response[bytes]:
    """Take a line of the budget off."""
    deed = partial(remove_budget_line, line_id=row_number(row_id))
    return await _drop(request, viewer, meeting_id, "budget", deed)


async def _drop(
    request: WebRequest, viewer: Viewer, meeting_id: int, part: str, deed: Callable[..., Awaitable[object]]
) -> Response[bytes]:
    (await BARE.read(request)).check()
    meeting = await own_meeting(meeting_id, viewer)
    await deed(
        meeting_id=meeting.id,
        town_id=viewer.organisation_id,
        actor=accounts.actor(viewer, "official"),
        at=clock.now(),
    )
    return _back(request, meeting.id, part, msg("已删除。"))


def _back(request: WebRequest, meeting_id: int, part: str, toast: Message) -> Response[bytes]:
    return redirect(request, f"/town/meetings/{meeting_id}/after#{part}", toast=toast)


routes: list[ControllerRouterHandler] = [note_coverage, note_budget, drop_coverage, drop_budget]
