"""The auditor's pages: records by filter, one thing's whole chain, its files, and the check of everything."""

import asyncio
from collections.abc import Sequence
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import COUNTY, Viewer, actor
from market.audit import deeds, words
from market.audit.auditing import (
    MOST_ROWS,
    AuditRow,
    RecordFilters,
    actions_known,
    ask_for_check,
    count_of_records,
    last_checks,
    newest_seal,
    records,
    records_for_file,
)
from market.audit.checking import check
from market.audit.rules import fault_words
from market.documents.papers import KINDS as PAPERS
from market.errors import Invalid, NotFound
from market.exchange.records import lines, records_book, words_for
from market.exchange.table_book import MEDIA_TYPE
from market.i18n import Message, msg
from market.paging import filters_from_query, filters_to_query, printable
from market.web.edge.guards import SignedIn, WebRequest, require
from market.web.edge.language import language_of
from market.web.parts.downloads import attachment
from market.web.parts.pages import redirect
from market.web.parts.pieces import part_asked, piece_of
from market.web.parts.trade import BARE, show

AUDITOR = [require("auditor")]
#: Where a subject has a page that an auditor may open.
_PAGES = {
    "listing": "/listings/{}",
    "organisation": "/county/organisations/{}",
    "account_invitation": "/people",
}
#: Where those who also speak for a town find it.
_TOWN_PAGES = {
    "listing": "/town/listings/{}",
    "deal": "/deals/{}",
    "contacts": "/deals/{}",
    "breach": "/breaches/{}",
    "run": "/town/runs/{}",
    "meeting": "/town/meetings/{}",
    "numbers": "/town/meetings/{}/invitations",
    "case": "/cases/{}",
}
#: Papers that were made are counted by their kind.
_PAPER_NAMES: dict[str, Message] = {code: kind.name for code, kind in PAPERS.items()}
_LABELS: dict[str, Message] = {
    "subject": msg("对象"),
    "person": msg("人员"),
    "organisation": msg("单位"),
    "action": msg("做了什么"),
    "since": msg("从哪天"),
    "until": msg("到哪天"),
}


def _town(viewer: Viewer) -> int | None:
    """Return the town that the viewer's reading is confined to; a county's auditor reads all."""
    return None if viewer.organisation_kind == COUNTY else viewer.organisation_id


def _filters(request: WebRequest) -> tuple[RecordFilters, Invalid | None]:
    pairs = [pair for pair in request.query_params.multi_items() if pair[0] not in ("lang", "part")]
    try:
        return filters_from_query(RecordFilters, pairs), None
    except Invalid as refused:
        return RecordFilters(), refused


def page_of(subject: str, viewer: Viewer) -> str | None:
    """Return the address of the thing itself, where the viewer may open one."""
    kind, _, number = subject.partition(":")
    known = {**_PAGES, **(_TOWN_PAGES if "official" in viewer.sides else {})}
    return known[kind].format(number) if kind in known and number.isdigit() else None


async def _shown(viewer: Viewer, rows: Sequence[AuditRow]) -> dict[str, Any]:
    """Return what the templates say records with."""
    known = await words_for(rows, labels=_PAPER_NAMES)
    return {
        "deed": lambda row: deeds.action_words(row.action) or row.action,
        "thing": deeds.subject_words,
        "said": lambda row: words.said(row.details, known, deed=words.deed_of(row.subject, row.action)),
        "page_of": lambda subject: page_of(subject, viewer),
    }


@get("/audit", guards=AUDITOR)
async def index(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """Records by filter, the newest first, and how the whole record stands."""
    checks = await last_checks()
    busy = bool(checks) and checks[0].finished_at is None
    if "hx-request" in request.headers and request.headers.get("hx-target") == "audit-state":
        return show(request, "audit/index.html", fragment="audit/state.html", **await _state(checks, busy))
    filters, trouble = _filters(request)
    found = await records(filters=filters, town_id=_town(viewer))
    return show(
        request,
        "audit/index.html",
        filters=filters,
        trouble=trouble,
        labels=_LABELS,
        found=found,
        query=filters_to_query(filters, page=1),
        most_rows=MOST_ROWS,
        actions={code: deeds.action_words(code) or code for code in await actions_known()},
        **await _shown(viewer, found.rows),
        **await _state(checks, busy),
    )


async def _state(checks: list[Any], busy: bool) -> dict[str, Any]:
    return {
        "checks": checks,
        "busy": busy,
        "sealed_at": await newest_seal(),
        "fault_words": fault_words,
    }


@get("/audit/subjects/{subject:str}", guards=AUDITOR)
async def one(request: WebRequest, viewer: SignedIn, subject: FromPath[str]) -> Response[str]:
    """One thing's chain, checked while it is read."""
    subject = printable(subject)[:80]
    filters, _ = _filters(request)
    filters = RecordFilters(subject=subject if ":" in subject else f"{subject}:", page=filters.page)
    found = await records(filters=filters, town_id=_town(viewer))
    if not found.total:
        raise NotFound(msg("没有这个对象的留痕。"))
    return show(
        request,
        "audit/subject.html",
        subject=subject,
        found=found,
        findings=await check(subject=subject),
        fault_words=fault_words,
        **await _shown(viewer, found.rows),
    )


@post("/audit/check", guards=AUDITOR)
async def check_all(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Leave a look through everything to a worker."""
    (await BARE.read(request)).check()
    await ask_for_check(actor=actor(viewer, "auditor"), at=clock.now())
    return redirect(request, "/audit", toast=msg("开始核对，可以先做别的。"))


@get("/audit/files/{name:str}", guards=AUDITOR)
async def file(request: WebRequest, viewer: SignedIn, name: FromPath[str]) -> Response[bytes]:
    """What is filtered, as a workbook or as lines of JSON."""
    if name not in ("records.xlsx", "records.jsonl"):
        raise NotFound(msg("没有这个文件。"))
    filters, trouble = _filters(request)
    if trouble is not None:
        raise trouble
    part = part_asked(request)
    rows: list[AuditRow] = [
        row async for row in records_for_file(filters=filters, town_id=_town(viewer), part=part)
    ]
    # tens of thousands of rows: off the event loop
    if name == "records.jsonl":
        return attachment(await asyncio.to_thread(lines, rows), name, "application/x-ndjson")
    total = len(rows)
    if part > 1 or total >= MOST_ROWS:
        total = await count_of_records(filters=filters, town_id=_town(viewer))
    piece = piece_of(request, part=part, most=MOST_ROWS, total=total)
    known = await words_for(rows, labels=_PAPER_NAMES)
    book = await asyncio.to_thread(records_book, rows, language_of(request), piece, known=known)
    return attachment(book, name, MEDIA_TYPE)


routes: list[ControllerRouterHandler] = [index, one, check_all, file]
