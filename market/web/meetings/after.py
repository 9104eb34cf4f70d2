"""After a meeting, for its official: what it has brought, what is open, media, budget, the lists behind."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules as accounts
from market.accounts.rules import Viewer
from market.errors import Invalid, NotFound
from market.i18n import Language, msg
from market.matching.findings import first_diagnoses_of
from market.meetings.after.following import LONGEST_NOTE, OVER, answer_follow_up
from market.meetings.after.intents import LATER
from market.meetings.after.queries import FollowUpRow
from market.meetings.after.report import FATES, LISTS, Line, contract_fen, listed, spoken_fen
from market.meetings.after.report_queries import Report, report_of
from market.meetings.rules import FOLLOW_UP_DAYS, FOLLOW_UP_LEVELS, MEETING, OUTCOMES, SAMPLE, SAMPLE_VERDICTS
from market.web.edge.addresses import row_number
from market.web.edge.guards import OFFICIAL, SignedIn, WebRequest
from market.web.edge.language import language_of
from market.web.meetings.noted_forms import BUDGET, coverage_form, line_form
from market.web.meetings.running import own_meeting
from market.web.meetings.steps import steps_of
from market.web.parts import fields
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.told import finding_told, plain, words_for
from market.web.parts.trade import KEY, new_key, show

#: Lists about talks, not about single goods: they show one row for each talk.
BY_TALK = frozenset({"talks", "held", "missed", "waiting", *(f"outcome_{code}" for code in OUTCOMES)})
#: So many answers that are missing are shown on the page; the rest have a list.
SHOWN = 8
ANSWER = Form(
    level=fields.choice(msg("现在怎么样"), FOLLOW_UP_LEVELS),
    note=fields.text(msg("补充说明"), most=LONGEST_NOTE, optional=True),
    key=KEY,
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
    return await draw(request, viewer, meeting_id)


async def draw(
    request: WebRequest,
    viewer: Viewer,
    meeting_id: int,
    *,
    coverage: Filled | None = None,
    budget: Filled | None = None,
    answers: dict[int, Filled] | None = None,
    status: int = 200,
) -> Response[str]:
    """Draw the page; ``coverage``, ``budget``, ``answers``: forms that were sent and are to be mended."""
    report = await with_names(await _report(meeting_id, viewer), language_of(request), viewer.organisation_id)
    today = clock.today()
    figures = report.figures
    asked = budget.text("line_id") if budget else request.query_params.get("line", "")
    line = next((each for each in report.budget if str(each.id) == asked), None)
    if budget is None and line is not None:
        budget = line_form(line)
    due = [row for row in report.follow_ups if row.is_due(today)]
    mended = [row for row in report.follow_ups if row.id in (answers or {})]
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
        shown=[*mended, *(row for row in due[:SHOWN] if row not in mended)],
        answers=answers or {},
        late=[each for each in report.samples if each.is_late(today)],
        sample_states=Counter(each.state for each in report.samples),
        can_finish="finish_follow_up" in MEETING.available(state=report.meeting.state, by="official"),
        open_answers=sum(row.level is None and not row.is_passed(today) for row in report.follow_ups),
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


async def with_names(report: Report, language: Language, town: int) -> Report:
    """Return the report with names in place of the codes that the engine's advice has."""
    found = await first_diagnoses_of(listing_ids=[lot.listing for lot in report.stuck], organisation_id=town)
    words = await words_for(language, found, messages=[lot.change for lot in report.stuck if lot.change])
    newest = {finding.listing: finding_told(finding, words) for finding in found}
    stuck = [
        msgspec.structs.replace(lot, change=newest.get(lot.listing) or plain(lot.change, words))
        if lot.change
        else lot
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
            "owed": sum(row.owed for row in rows),
        },
        contract_fen=contract_fen,
        spoken_fen=spoken_fen,
        later=LATER,
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
) -> Response[Any]:
    """Write down what a side says on the telephone; the last answer counts."""
    filled = await ANSWER.read(request)
    meeting = await own_meeting(meeting_id, viewer)
    try:
        filled.check()
        await answer_follow_up(
            follow_up_id=row_number(follow_up_id),
            level=filled.values["level"],
            note=filled.values["note"],
            organisation_id=viewer.organisation_id,
            actor=accounts.actor(viewer, "official"),
            at=clock.now(),
        )
    except Invalid as refused:
        again = {row_number(follow_up_id): filled.refused(refused)}
        return await draw(request, viewer, meeting_id, answers=again, status=422)
    return redirect(request, f"/town/meetings/{meeting.id}/after#answers", toast=msg("已记下回访。"))


routes: list[ControllerRouterHandler] = [
    after,
    lines,
    proposals,
    answers,
    answer,
]
