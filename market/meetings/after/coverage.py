"""What the media said of a meeting, and what the meeting cost."""

from datetime import date, datetime
from urllib.parse import urlsplit

import msgspec

from market.accounts.rules import Actor
from market.audit.operations import record
from market.clock import CHINA
from market.db.session import execute, fetch, transaction
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg
from market.meanwhile import settled

LONGEST_TITLE = 120
LONGEST_URL = 500
MOST_LINES = 60
#: 10 million yuan, in fen: more is a slip of the pen.
MOST_MONEY = 10_000_000 * 100


class NewCoverage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A report; ``organisation_id`` where the outlet is one of the invited."""

    outlet: str
    title: str
    published_on: date
    url: str = ""
    organisation_id: int | None = None


class NewBudgetLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fen; ``spent`` is None as long as nothing was."""

    name: str
    planned: int
    spent: int | None = None


def safe_url(url: str) -> bool:
    """Tell whether ``url`` leads to a web page and nowhere else: no script, no user, no hidden sign."""
    if len(url) > LONGEST_URL or any(sign.isspace() or not sign.isprintable() for sign in url):
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    named = bool(parts.hostname) and "." in (parts.hostname or "") and "\\" not in url
    return parts.scheme in ("http", "https") and named and "@" not in parts.netloc and port != 0


def coverage_problems(new: NewCoverage, *, today: date) -> dict[str, Message]:
    """Return field -> what is wrong and how to mend it."""
    problems: dict[str, Message] = {}
    if not new.outlet.strip() or len(new.outlet) > 60:
        problems["outlet"] = msg("请写哪家媒体，最多 {most} 个字。", most=60)
    if not new.title.strip() or len(new.title) > LONGEST_TITLE:
        problems["title"] = msg("请写报道的标题，最多 {most} 个字。", most=LONGEST_TITLE)
    if new.url and not safe_url(new.url):
        problems["url"] = msg("链接要以 http:// 或 https:// 开头，从浏览器地址栏整条复制。")
    if new.published_on > today:
        problems["published_on"] = msg("发布日期还没有到，请写已经发出的报道。")
    return problems


async def add_coverage(
    *, meeting_id: int, coverage: NewCoverage, town_id: int, actor: Actor, at: datetime
) -> int:
    """Note a report in the media; return its number.

    Raises:
        NotFound: no such meeting of this town.
        Invalid: with every field that is wrong.
        Conflict: the same report of the same outlet is there already.
    """
    problems = coverage_problems(coverage, today=at.astimezone(CHINA).date())
    async with transaction():
        await _own(meeting_id, town_id)
        if coverage.organisation_id is not None and not await fetch(
            "SELECT id FROM invitation WHERE meeting = $1 AND organisation = $2",
            meeting_id,
            coverage.organisation_id,
        ):
            problems["organisation_id"] = msg("这家不在邀请名单里，请留空或另选。")
        if problems:
            raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
        if await fetch(
            "SELECT id FROM coverage WHERE meeting = $1 AND outlet = $2 AND title = $3 AND url = $4",
            meeting_id,
            coverage.outlet,
            coverage.title,
            coverage.url,
        ):
            raise Conflict(msg("这篇报道已经记过了。"))
        rows = await fetch(
            """INSERT INTO coverage (meeting, organisation, outlet, title, url, published_on, created_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id""",
            meeting_id,
            coverage.organisation_id,
            coverage.outlet,
            coverage.title,
            coverage.url,
            coverage.published_on,
            at,
        )
        await record(
            subject=f"meeting:{meeting_id}",
            action="add_coverage",
            actor=actor,
            at=at,
            details={"coverage": int(rows[0]["id"]), "outlet": coverage.outlet},
        )
    return int(rows[0]["id"])


async def remove_coverage(
    *, coverage_id: int, meeting_id: int, town_id: int, actor: Actor, at: datetime
) -> None:
    """Take a report off that was noted by mistake.

    Raises:
        NotFound: no such report of this town's meeting.
    """
    async with transaction():
        await _own(meeting_id, town_id)
        gone = await fetch(
            "DELETE FROM coverage WHERE id = $1 AND meeting = $2 RETURNING outlet, title",
            coverage_id,
            meeting_id,
        )
        if not gone:
            raise NotFound(msg("没有找到这篇报道。"))
        await record(
            subject=f"meeting:{meeting_id}",
            action="remove_coverage",
            actor=actor,
            at=at,
            details={"outlet": gone[0]["outlet"], "title": gone[0]["title"]},
        )


def budget_problems(line: NewBudgetLine) -> dict[str, Message]:
    """Return field -> what is wrong and how to mend it."""
    problems: dict[str, Message] = {}
    if not line.name.strip() or len(line.name) > 60:
        problems["name"] = msg("请写用途，例如“搭棚”，最多 {most} 个字。", most=60)
    for field, value in (("planned", line.planned), ("spent", line.spent or 0)):
        if not 0 <= value <= MOST_MONEY:
            problems[field] = msg("金额须在 0 到 {most} 元之间。", most=f"{MOST_MONEY // 100:,}")
    return problems


async def set_budget_line(
    *,
    meeting_id: int,
    line: NewBudgetLine,
    town_id: int,
    actor: Actor,
    at: datetime,
    line_id: int | None = None,
    seen: str | None = None,
) -> int:
    """Add a line to the budget, or with ``line_id`` write one anew; return its number.

    ``seen`` are the marks of the line as it was read, where that is known.

    Raises:
        NotFound: no such meeting of this town, or no such line in it.
        ChangedMeanwhile: what is changed here was changed meanwhile.
        Invalid: with every field that is wrong, or there are too many lines.
    """
    problems = budget_problems(line)
    if problems:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
    async with transaction():
        await _own(meeting_id, town_id)
        if line_id is None:
            count = await fetch("SELECT count(*) AS n FROM budget_line WHERE meeting = $1", meeting_id)
            if count[0]["n"] >= MOST_LINES:
                raise Invalid(msg("预算最多 {most} 行，请合并后再加。", most=MOST_LINES))
            rows = await fetch(
                """INSERT INTO budget_line (meeting, name, planned, spent) VALUES ($1, $2, $3, $4)
                   RETURNING id""",
                meeting_id,
                line.name,
                line.planned,
                line.spent,
            )
        else:
            rows = await fetch(
                """SELECT id, name, planned, spent FROM budget_line
                   WHERE id = $2 AND meeting = $1 FOR UPDATE""",
                meeting_id,
                line_id,
            )
            if not rows:
                raise NotFound(msg("没有找到这行预算。"))
            now = NewBudgetLine(rows[0]["name"], rows[0]["planned"], rows[0]["spent"])
            line = settled(line, now=now, seen=seen).value
            await execute(
                "UPDATE budget_line SET name = $2, planned = $3, spent = $4 WHERE id = $1",
                line_id,
                line.name,
                line.planned,
                line.spent,
            )
        await record(
            subject=f"meeting:{meeting_id}",
            action="set_budget_line",
            actor=actor,
            at=at,
            details={"line": int(rows[0]["id"]), **msgspec.to_builtins(line)},
        )
    return int(rows[0]["id"])


async def remove_budget_line(
    *, line_id: int, meeting_id: int, town_id: int, actor: Actor, at: datetime
) -> None:
    """Raises: NotFound."""
    async with transaction():
        await _own(meeting_id, town_id)
        gone = await fetch(
            "DELETE FROM budget_line WHERE id = $1 AND meeting = $2 RETURNING name", line_id, meeting_id
        )
        if not gone:
            raise NotFound(msg("没有找到这行预算。"))
        await record(
            subject=f"meeting:{meeting_id}",
            action="remove_budget_line",
            actor=actor,
            at=at,
            details={"name": gone[0]["name"]},
        )


async def _own(meeting_id: int, town_id: int) -> None:
    # one after the other: whether a report is noted already, and how many lines there are, is looked at here
    known = "SELECT id FROM meeting WHERE id = $1 AND town = $2 FOR NO KEY UPDATE"
    if not await fetch(known, meeting_id, town_id):
        raise NotFound(msg("没有找到这场对接会。"))
