"""What a town official sees first: where the goods stand, what is stuck, and the one next step."""

from datetime import date
from typing import Any

import msgspec
from litestar import Response, get
from litestar.types import ControllerRouterHandler

from market import clock
from market.dashboard import queries as dashboard
from market.deals.queries import DealRow, deals_of
from market.deals.rules import ACTIVE, BOUND, PARTLY_SIGNED, PENDING
from market.followup.capacity import capacities_of
from market.followup.capacity_rules import KINDS
from market.i18n import Language, Message, in_both, msg, on_day, translate
from market.matching.lifecycle import QUEUED, RUNNING
from market.matching.queries import RunRow, open_proposals, runs_of
from market.meetings.queries import MeetingRow, invitations_of, meetings_of
from market.supply.queries import stock_history
from market.units import Fen, Gram, tonnes, yuan
from market.web.edge.guards import OFFICIAL, SignedIn, WebRequest
from market.web.edge.language import language_of
from market.web.parts import formats
from market.web.parts.next_step import Step
from market.web.parts.told import obstacle
from market.web.parts.trade import show

#: A meeting in one of these states is still ahead.
_TO_PLAN = frozenset({"draft", "announced", "registration", "postponed"})
_MOST_STUCK = 12
_MOST_CAPACITIES = 6


class Follow(msgspec.Struct, frozen=True):
    """Contracts by what they wait for."""

    unsigned: int
    undelivered: int
    unpaid: int

    @property
    def total(self) -> int:
        return self.unsigned + self.undelivered + self.unpaid


def follow_up(deals: list[DealRow]) -> Follow:
    """Count each contract once, under the first thing that it waits for."""
    unsigned = undelivered = unpaid = 0
    for deal in deals:
        if deal.state in (PENDING, PARTLY_SIGNED):
            unsigned += 1
        elif deal.state == ACTIVE and deal.delivered + deal.lost < deal.standing:
            undelivered += 1
        elif deal.state in BOUND and deal.paid < deal.invoiced:
            unpaid += 1
    return Follow(unsigned, undelivered, unpaid)


def _waiting(follow: Follow) -> Message:
    """Say how many contracts wait for what; nothing of what none waits for."""
    counted = (
        (follow.unsigned, msg("{n} 份待签字", n=follow.unsigned)),
        (follow.undelivered, msg("{n} 份待交货", n=follow.undelivered)),
        (follow.unpaid, msg("{n} 份待回款", n=follow.unpaid)),
    )
    said = [words for count, words in counted if count]
    return in_both(
        "，".join(translate(words, "zh") for words in said) + "。",
        ", ".join(translate(words, "en") for words in said) + ".",
    )


def next_step(
    *,
    runs: list[RunRow],
    proposals: int,
    meetings: list[MeetingRow],
    invited: int,
    accepted: int,
    follow: Follow,
    counts: dashboard.Counts,
    today: date,
    language: Language,
) -> Step:
    """Return what the official does next, from matching over the meeting to the last payment."""
    if runs and runs[0].state in (QUEUED, RUNNING):
        return Step(
            msg("撮合正在计算"),
            msg("可以离开这一页，算好会通知您。"),
            msg("看进度"),
            f"/town/runs/{runs[0].id}",
        )
    live = [each for each in meetings if each.state not in ("cancelled", "followed_up")]
    if live:
        meeting = live[0]
        page = f"/town/meetings/{meeting.id}"
        values: dict[str, Any] = {"title": _of(language, meeting.title, meeting.title_en)}
        if meeting.planning:
            return Step(msg("正在排桌"), msg("“{title}”的日程正在计算。", **values), msg("看进度"), page)
        if meeting.state in _TO_PLAN:
            return Step(
                msg("给对接会排桌"),
                msg("“{title}”还没有日程。", **values),
                msg("去排桌"),
                page,
            )
        if meeting.state == "timetabled" and meeting.published_at is None and meeting.held_on >= today:
            return Step(
                msg("发布日程"),
                msg("“{title}”已排好，发布以后各方才看得到自己的日程。", **values),
                msg("去发布"),
                f"{page}/publish",
            )
        if meeting.state == "timetabled" and meeting.held_on > today:
            return Step(
                msg("等各方回复邀请"),
                msg(
                    "“{title}”{day} 举行，{accepted} / {invited} 家已接受。",
                    **values,
                    day=on_day(meeting.held_on),
                    accepted=accepted,
                    invited=invited,
                ),
                msg("看邀请和日程"),
                page,
            )
        if meeting.state == "timetabled":
            return Step(
                msg("对接会今天举行") if meeting.held_on == today else msg("对接会日期已过，还没有开始"),
                msg("先开始会议，再签到、记录洽谈结果。"),
                msg("去开会"),
                page,
            )
        if meeting.state == "in_progress":
            return Step(
                msg("记录洽谈结果"),
                msg("“{title}”正在进行。", **values),
                msg("签到和记录"),
                f"{page}/desk",
            )
        if meeting.state == "closed" and follow.total:
            return Step(
                msg("跟进合同"),
                _waiting(follow),
                msg("看台账"),
                "/town/deals?waiting=1",
            )
    if proposals:
        return Step(
            msg("筹备对接会"),
            msg("有 {n} 条撮合建议，可以请双方坐到一起谈。", n=proposals),
            msg("新建对接会"),
            "/town/meetings/new",
        )
    return Step(
        msg("运行撮合"),
        msg(
            "{listings} 批在售货源，{demands} 条采购需求：算一算谁和谁最合适。",
            listings=counts.listings,
            demands=counts.demands,
        ),
        msg("运行撮合"),
        "/town/runs",
        posts=True,
    )


@get("/town", guards=OFFICIAL)
async def overview(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """Show where the town's goods stand. Every figure is the sum of rows that the pages behind it list."""
    town, today, language = viewer.organisation_id, clock.today(), language_of(request)
    funnel = await dashboard.funnel(town_id=town)
    money = await dashboard.money(town_id=town)
    counts = await dashboard.counts(town_id=town)
    stuck = await dashboard.stuck(town_id=town)
    runs = await runs_of(town_id=town)
    meetings = await meetings_of(organisation_id=town)
    proposals = await open_proposals(town_id=town)
    deals = await deals_of(organisation_id=town)
    ahead = next((each for each in meetings if each.state == "timetabled"), None)
    guests = await invitations_of(meeting_id=ahead.id) if ahead else []
    days = await stock_history(town, until=today)
    done = next((each for each in runs if each.state == "done"), None)
    return show(
        request,
        "town/overview.html",
        funnel=funnel,
        money=money,
        counts=counts,
        stuck=stuck[:_MOST_STUCK],
        stuck_count=len(stuck),
        stuck_mass=Gram(sum(each.remaining - each.promised for each in stuck)),
        run=done,
        step=next_step(
            runs=runs,
            proposals=len(proposals),
            meetings=meetings,
            invited=sum(each.side != "guest" and each.state != "revoked" for each in guests),
            accepted=sum(each.side != "guest" and each.state == "accepted" for each in guests),
            follow=follow_up(deals),
            counts=counts,
            today=today,
            language=language,
        ),
        points=[(each.day, Gram(each.remaining)) for each in days],
        stages=[
            (msg("上架"), Gram(funnel.listed)),
            (msg("已配上"), Gram(funnel.matched)),
            (msg("已洽谈"), Gram(funnel.met)),
            (msg("已签约"), Gram(funnel.signed)),
            (msg("已交货"), Gram(funnel.delivered)),
        ],
        flows=[
            (
                _of(language, each.seller, each.seller_en),
                _of(language, each.buyer, each.buyer_en),
                Gram(each.grams),
            )
            for each in await dashboard.flows(town_id=town)
        ],
        capacities=(await capacities_of(organisation_id=town))[:_MOST_CAPACITIES],
        capacity_kinds=KINDS,
        obstacle=obstacle,
        big=lambda grams: formats.plain(tonnes(Gram(grams)), places=1),
        big_money=lambda fen: money_parts(Fen(fen), language),
    )


def _of(language: Language, zh: str, en: str) -> str:
    return en if language == "en" and en else zh


def money_parts(total: Fen, language: Language) -> tuple[str, Message | None]:
    """Return a sum as a short figure and its unit, which English writes into the figure: ``¥2.94m``."""
    if language == "en":
        return formats.money_short(total, language), None
    return formats.plain(yuan(total) / 10_000, places=1), msg("万元")


routes: list[ControllerRouterHandler] = [overview]
