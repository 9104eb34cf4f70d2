"""``market run matching`` and ``market meeting plan``: the main job on the database, in two commands."""

import argparse
import asyncio
import sys
from datetime import date
from typing import Any

import msgspec

from market import clock
from market.accounts.queries import town_by_name
from market.accounts.rules import Actor
from market.cli import add_language, language, say
from market.db.migrate import migrate_forwards
from market.db.session import started_pool
from market.errors import Conflict, Invalid
from market.i18n import Language, msg, translate
from market.matching.operations import run_now
from market.matching.queries import run_of
from market.meetings.commands import usual_meeting
from market.meetings.planning.plan import WouldLose, open_meeting, plan_now
from market.meetings.queries import invitations_of, left_out_of, meeting_of
from market.units import Gram, tonnes


def add_run(commands: Any) -> None:
    lang = language(sys.argv[1:])
    parser = commands.add_parser("run", help=translate(msg("在数据库上撮合：market run matching"), lang))
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    matching = actions.add_parser("matching", help=translate(msg("为一个镇的货源撮合"), lang))
    matching.add_argument("--town", required=True, help=translate(msg("镇的名称或编号"), lang))
    add_language(matching, lang)
    matching.set_defaults(run=lambda arguments: asyncio.run(_match(arguments.town, arguments.lang)))


def add_meeting(commands: Any) -> None:
    lang = language(sys.argv[1:])
    parser = commands.add_parser(
        "meeting", help=translate(msg("在数据库上排对接会：market meeting plan"), lang)
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    plan = actions.add_parser("plan", help=translate(msg("从撮合结果排一场对接会"), lang))
    plan.add_argument(
        "--meeting", type=int, default=None, help=translate(msg("重新排这一场（编号），不新建"), lang)
    )
    plan.add_argument(
        "--sure",
        action="store_true",
        help=translate(msg("已发布的日程里有洽谈会取消，也照样重排"), lang),
    )
    plan.add_argument("--town", required=True, help=translate(msg("镇的名称或编号"), lang))
    plan.add_argument("--title", default=None, help=translate(msg("会议名称"), lang))
    plan.add_argument("--venue", default=None, help=translate(msg("会议地点"), lang))
    plan.add_argument(
        "--date", default=None, help=translate(msg("会议日期，如 2026-12-07；默认两周后"), lang)
    )
    plan.add_argument("--slots", type=int, default=10, help=translate(msg("时段数（默认 10）"), lang))
    plan.add_argument("--tables", type=int, default=20, help=translate(msg("桌数（默认 20）"), lang))
    plan.add_argument(
        "--slot-minutes", type=int, default=20, help=translate(msg("每个时段的分钟数（默认 20）"), lang)
    )
    add_language(plan, lang)
    plan.set_defaults(run=lambda arguments: asyncio.run(_plan(arguments)))


def _actor(town_id: int) -> Actor:
    """Whoever may run commands on the server acts for the town; the record shows that nobody signed in."""
    return Actor(None, town_id, "official")


async def _match(name: str, lang: Language) -> int:
    async with started_pool(as_owner=True):
        await migrate_forwards()
        town = await town_by_name(name=name)
        run_id = await run_now(town_id=town.id, actor=_actor(town.id), at=clock.now())
        run = await run_of(run_id=run_id, town_id=town.id)
    certificate = run.certificate or {}
    say(
        msg(
            "撮合 {run} 完成：{count} 条建议，共 {mass} 吨，差距 {gap}，可在 /town/runs/{run} 查看。",
            run=run_id,
            count=run.matches,
            mass=f"{tonnes(Gram(run.grams)):,.3f}",
            gap=f"{float(certificate.get('gap_with_limits', 0)):.4%}",
        ),
        lang,
    )
    return 0


async def _plan(arguments: argparse.Namespace) -> int:
    lang: Language = arguments.lang
    now = clock.now()
    async with started_pool(as_owner=True):
        await migrate_forwards()
        town = await town_by_name(name=arguments.town)
        usual = usual_meeting(town=town.name, town_en=town.name_en, today=clock.today())
        asked = {
            "title": arguments.title,
            "venue": arguments.venue,
            "held_on": _day(arguments.date),
            "slots": arguments.slots,
            "tables": arguments.tables,
            "slot_minutes": arguments.slot_minutes,
        }
        given = {name: value for name, value in asked.items() if value is not None}
        half = arguments.slots // 2 if arguments.slots > 1 else None
        meeting_id = arguments.meeting or await open_meeting(
            meeting=msgspec.structs.replace(usual, **given, half_day_after=half),
            town_id=town.id,
            actor=_actor(town.id),
            at=now,
        )
        try:
            await plan_now(
                meeting_id=meeting_id,
                town_id=town.id,
                actor=_actor(town.id),
                at=now,
                sure=arguments.sure,
            )
        except WouldLose as asked:
            raise Conflict(msg("{question}确认照样重排，请加 --sure。", question=asked.message)) from asked
        meeting = await meeting_of(meeting_id=meeting_id, organisation_id=town.id)
        invited = await invitations_of(meeting_id=meeting_id)
        left_out = await left_out_of(meeting_id=meeting_id)
    proof = meeting.timetable or {}
    say(
        msg(
            "对接会 {meeting} 已排好：邀请 {invited} 家，洽谈 {count} 场，空档 {breaks} 次"
            "（至少 {bound} 次），未排入 {left} 对，可在 /town/meetings/{meeting} 查看。",
            meeting=meeting_id,
            invited=len(invited),
            count=proof.get("appointments", 0),
            breaks=proof.get("breaks", 0),
            bound=proof.get("lower_bound_breaks", 0),
            left=len(left_out),
        ),
        lang,
    )
    return 0


def _day(written: str | None) -> date | None:
    if written is None:
        return None
    try:
        return date.fromisoformat(written)
    except ValueError as wrong:
        raise Invalid(msg("日期“{text}”读不懂，请写成 2026-12-07 的样子。", text=written)) from wrong
