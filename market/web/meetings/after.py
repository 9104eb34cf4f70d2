"""After a meeting, for its official: what it has brought, what is open, media, budget, the lists behind."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules as accounts
from market.accounts.rules import Viewer
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Language, Message, msg
from market.meanwhile import ChangedMeanwhile, marks_of, settled
from market.meetings.after.coverage import (
    LONGEST_TITLE,
    LONGEST_URL,
    NewBudgetLine,
    NewCoverage,
    add_coverage,
    remove_budget_line,
    remove_coverage,
    set_budget_line,
)
from market.meetings.after.following import LONGEST_NOTE, OVER, answer_follow_up
from market.meetings.after.queries import BudgetRow, FollowUpRow, budget_of
from market.meetings.after.report import FATES, LISTS, Line, contract_fen, listed, spoken_fen
from market.meetings.after.report_queries import Report, report_of
from market.meetings.rules import FOLLOW_UP_DAYS, FOLLOW_UP_LEVELS, MEETING, OUTCOMES, SAMPLE, SAMPLE_VERDICTS
from market.web.edge.addresses import row_number
from market.web.edge.guards import OFFICIAL, SignedIn, WebRequest
from market.web.edge.language import language_of
from market.web.meetings.running import own_meeting
from market.web.meetings.steps import steps_of
from market.web.parts import fields
from market.web.parts.changed_meanwhile import SEEN, merged, saved_with
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.told import plain, words_for
from market.web.parts.trade import BARE, KEY, do_once, new_key, show

#: Lists about talks, not about single goods: they show one row for each talk.
BY_TALK = frozenset({"talks", "held", "missed", "waiting", *(f"outcome_{code}" for code in OUTCOMES)})
#: So many answers that are missing are shown on the page; the rest have a list.
SHOWN = 8
ANSWER = Form(
    level=fields.choice(msg("现在怎么样"), FOLLOW_UP_LEVELS),
    note=fields.text(msg("补充说明"), most=LONGEST_NOTE, optional=True),
    key=KEY,
)


def coverage_form() -> Form:
    return Form(
        outlet=fields.text(msg("媒体"), most=60, hint=msg("例如“辽宁日报”。")),
        title=fields.text(msg("报道标题"), most=LONGEST_TITLE),
        published_on=fields.day(msg("发布日期"), latest=clock.today()),
        url=fields.text(msg("链接"), most=LONGEST_URL, optional=True, hint=msg("从浏览器地址栏复制。")),
        key=KEY,
    )


BUDGET = Form(
    name=fields.text(msg("用途"), most=60, hint=msg("例如“搭棚”“午餐”。")),
    planned=fields.money(msg("预算")),
    spent=fields.money(msg("实际支出"), optional=True, hint=msg("还没花就留空。")),
    line_id=fields.hidden(int, optional=True),
    seen=SEEN,
    key=KEY,
)


def _as_line(row: BudgetRow) -> NewBudgetLine:
    return NewBudgetLine(row.name, row.planned, row.spent)


def _line_form(row: BudgetRow) -> Filled:
    return BUDGET.blank(
        name=row.name,
        planned=row.planned,
        spent=row.spent,
        line_id=row.id,
        seen=marks_of(_as_line(row)),
        key=new_key(),
    )


class FollowUpState(msgspec.Struct, frozen=True):
    """How one round of questions stands."""

    days: int
    rows: list[FollowUpRow]
    levels: dict[str, int]
    answered: int
    is_due: bool

    @property
    def first_due(self) -> FollowUpRow:
        return self.rows[0]


def rounds_of(rows: Sequence[FollowUpRow]) -> list[FollowUpState]:
    """Return the rounds of questions that there are, the first first."""
    found = []
    for days in FOLLOW_UP_DAYS:
        of_round = [row for row in rows if row.days == days]
        if of_round:
            levels = Counter(row.level for row in of_round if row.level)
            found.append(
                FollowUpState(
                    days,
                    of_round,
                    {level: levels[level] for level in FOLLOW_UP_LEVELS},
                    sum(levels.values()),
                    of_round[0].due_on <= clock.today(),
                )
            )
    return found


@get("/town/meetings/{meeting_id:int}/after", guards=OFFICIAL)
async def after(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[str]:
    """Show what a meeting has brought so far, and what is still to be done about it."""
    return await _draw(request, viewer, meeting_id)


async def _draw(
    request: WebRequest,
    viewer: Viewer,
    meeting_id: int,
    *,
    coverage: Filled | None = None,
    budget: Filled | None = None,
    status: int = 200,
) -> Response[str]:
    report = await with_names(await _report(meeting_id, viewer), language_of(request))
    today = clock.today()
    figures = report.figures
    asked = budget.text("line_id") if budget else request.query_params.get("line", "")
    line = next((each for each in report.budget if str(each.id) == asked), None)
    if budget is None and line is not None:
        budget = _line_form(line)
    due = [row for row in report.follow_ups if row.is_due(today)]
    return show(
        request,
        "after/show.html",
        status=status,
        meeting=report.meeting,
        steps=await steps_of(request, report.meeting),
        report=report,
        figures=figures,
        over=report.meeting.state in OVER,
        stages=[
            (msg("建议"), figures.proposed.grams),
            (msg("意向"), figures.intents.grams),
            (msg("已签合同"), figures.contracts.grams),
            (msg("发货（已验收）"), figures.delivered.grams),
        ],
        rounds=rounds_of(report.follow_ups),
        due=due,
        shown=due[:SHOWN],
        late=[each for each in report.samples if each.is_late(today)],
        sample_states=Counter(each.state for each in report.samples),
        can_finish="finish_follow_up" in MEETING.available(state=report.meeting.state, by="official"),
        open_answers=sum(row.level is None for row in report.follow_ups),
        open_samples=sum(each.due_on is not None for each in report.samples),
        coverage_form=coverage or coverage_form().blank(published_on=today, key=new_key()),
        budget_form=budget or BUDGET.blank(key=new_key()),
        editing=line,
        fates=FATES,
        names=OUTCOMES,
        levels=FOLLOW_UP_LEVELS,
        verdicts=SAMPLE_VERDICTS,
        MEETING=MEETING,
        SAMPLE=SAMPLE,
    )


async def _report(meeting_id: int, viewer: Viewer) -> Report:
    return await report_of(meeting_id=row_number(meeting_id), town_id=viewer.organisation_id, at=clock.now())


async def with_names(report: Report, language: Language) -> Report:
    """Return the report with names in place of the codes that the engine's advice has."""
    words = await words_for(language, messages=[lot.change for lot in report.stuck if lot.change])
    stuck = [
        msgspec.structs.replace(lot, change=plain(lot.change, words)) if lot.change else lot
        for lot in report.stuck
    ]
    return msgspec.structs.replace(report, stuck=stuck)


def talks_of(lines: Sequence[Line]) -> list[list[Line]]:
    """Return the lines talk by talk."""
    found: dict[int, list[Line]] = {}
    for line in lines:
        found.setdefault(line.appointment, []).append(line)
    return list(found.values())


@get("/town/meetings/{meeting_id:int}/after/lines", guards=OFFICIAL)
async def lines(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[str]:
    """List the lines behind one figure; they add up to it."""
    name = request.query_params.get("of", "contracts")
    if name not in LISTS:
        raise NotFound(msg("没有这个清单，请从跟进页面选择。"))
    report = await _report(meeting_id, viewer)
    rows = listed(report.lines, name)
    return show(
        request,
        "after/lines.html",
        meeting=report.meeting,
        name=name,
        label=LISTS[name][0],
        rows=rows,
        talks=talks_of(rows) if name in BY_TALK else None,
        sums={
            "spoken": sum(map(spoken_fen, rows)),
            "spoken_grams": sum(row.spoken[0] for row in rows),
            "contract": sum(map(contract_fen, rows)),
            "contract_grams": sum(row.stands for row in rows),
            "delivered_grams": sum(row.delivered for row in rows),
            "invoiced": sum(row.invoiced for row in rows),
            "paid": sum(row.paid for row in rows),
        },
        contract_fen=contract_fen,
        spoken_fen=spoken_fen,
        names=OUTCOMES,
    )


@get("/town/meetings/{meeting_id:int}/after/proposals", guards=OFFICIAL)
async def proposals(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[str]:
    """List what the engine had proposed, and what became of each."""
    fate = request.query_params.get("fate", "")
    if fate and fate not in FATES:
        raise NotFound(msg("没有这个清单，请从跟进页面选择。"))
    report = await _report(meeting_id, viewer)
    return show(
        request,
        "after/proposals.html",
        meeting=report.meeting,
        fate=fate,
        fates=FATES,
        counts=report.figures.fates,
        all=report.figures.proposed,
        ended=report.fates,
        rows=[each for each in report.proposals if not fate or report.fates[each.match] == fate],
    )


@get("/town/meetings/{meeting_id:int}/after/answers", guards=OFFICIAL)
async def answers(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[str]:
    """List the questions of one round or all, with what was answered, and who has not."""
    asked = request.query_params.get("days", "")
    level = request.query_params.get("level", "")
    report = await _report(meeting_id, viewer)
    rows = [
        row
        for row in report.follow_ups
        if (not asked or str(row.days) == asked) and (not level or (row.level or "none") == level)
    ]
    return show(
        request,
        "after/answers.html",
        meeting=report.meeting,
        rows=rows,
        rounds=rounds_of(report.follow_ups),
        asked=asked,
        level=level,
        levels=FOLLOW_UP_LEVELS,
    )


@post("/town/meetings/{meeting_id:int}/after/answers/{follow_up_id:int}", guards=OFFICIAL)
async def answer(
    request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int], follow_up_id: FromPath[int]
) -> Response[bytes]:
    """Write down what a side says on the telephone; the last answer counts."""
    filled = await ANSWER.read(request)
    filled.check()
    meeting = await own_meeting(meeting_id, viewer)
    await answer_follow_up(
        follow_up_id=row_number(follow_up_id),
        level=filled.values["level"],
        note=filled.values["note"],
        organisation_id=viewer.organisation_id,
        actor=accounts.actor(viewer, "official"),
        at=clock.now(),
    )
    return redirect(request, f"/town/meetings/{meeting.id}/after#answers", toast=msg("已记下回访。"))


async def _once(
    request: WebRequest, viewer: Viewer, filled: Filled, name: str, meeting_id: int, deed: Callable[[], Any]
) -> Response[Any] | None:
    """Check the form and do the deed once; None when it is done, else the page with what to mend."""
    form = "coverage" if name == "add_coverage" else "budget"
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
        return await _draw(request, viewer, meeting_id, status=422, **{form: filled.refused(refused)})
    except ChangedMeanwhile:
        raise
    except Conflict as refused:
        again = msgspec.structs.replace(filled, errors={**filled.errors, "": refused.message})
        return await _draw(request, viewer, meeting_id, status=409, **{form: again})
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
            theirs = settled(_line_in(filled), now=_as_line(row), seen=filled.values["seen"]).theirs
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
        form = merged(filled, changed, fresh=_line_form(row), language=language_of(request))
        return await _draw(request, viewer, meeting.id, budget=form, status=409)
    done = saved_with(msg("预算已更新。"), filled, theirs)
    return refused or _back(request, meeting.id, "budget", done)


def _line_in(filled: Filled) -> NewBudgetLine:
    return NewBudgetLine(filled.values["name"], filled.values["planned"], filled.values["spent"])


async def _line_now(meeting_id: int, line_id: int | None) -> BudgetRow | None:
    return next((row for row in await budget_of(meeting_id=meeting_id) if row.id == line_id), None)


@post("/town/meetings/{meeting_id:int}/after/coverage/{row_id:int}/remove", guards=OFFICIAL)
async def drop_coverage(
    request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int], row_id: FromPath[int]
) -> Response[bytes]:
    """Take a report in the media off."""
    (await BARE.read(request)).check()
    meeting = await own_meeting(meeting_id, viewer)
    await remove_coverage(
        coverage_id=row_number(row_id),
        meeting_id=meeting.id,
        town_id=viewer.organisation_id,
        actor=accounts.actor(viewer, "official"),
        at=clock.now(),
    )
    return _back(request, meeting.id, "coverage", msg("已删除。"))


@post("/town/meetings/{meeting_id:int}/after/budget/{row_id:int}/remove", guards=OFFICIAL)
async def drop_budget(
    request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int], row_id: FromPath[int]
) -> Response[bytes]:
    """Take a line of the budget off."""
    (await BARE.read(request)).check()
    meeting = await own_meeting(meeting_id, viewer)
    await remove_budget_line(
        line_id=row_number(row_id),
        meeting_id=meeting.id,
        town_id=viewer.organisation_id,
        actor=accounts.actor(viewer, "official"),
        at=clock.now(),
    )
    return _back(request, meeting.id, "budget", msg("已删除。"))


def _back(request: WebRequest, meeting_id: int, part: str, toast: Message) -> Response[bytes]:
    return redirect(request, f"/town/meetings/{meeting_id}/after#{part}", toast=toast)


routes: list[ControllerRouterHandler] = [
    after,
    lines,
    proposals,
    answers,
    answer,
    note_coverage,
    note_budget,
    drop_coverage,
    drop_budget,
]
