"""The papers of a meeting: what there is, what has changed since it was printed, one click to all of it."""

import asyncio
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules as accounts
from market.documents.binding import bound, poster
from market.documents.cards import lot_content, poster_content
from market.documents.contents import drafts_of
from market.documents.gathering import fair_of, lot_of, photos_of
from market.documents.operations import KEPT, Wanted, print_papers
from market.documents.overview import shelves
from market.documents.papers import KINDS, Draft, Numbered
from market.documents.queries import bundle_file, bundles_of
from market.errors import Conflict, NotFound
from market.i18n import Message, msg
from market.meetings.numbering import papers_of
from market.meetings.queries import MeetingRow, meeting_of
from market.meetings.rules import MEETING
from market.settings import settings
from market.supply.queries import listing_page
from market.web.edge.addresses import row_number
from market.web.edge.guards import OFFICIAL, Anybody, SignedIn, WebRequest
from market.web.meetings.running import own_meeting
from market.web.meetings.steps import steps_of
from market.web.parts import fields
from market.web.parts.downloads import attachment
from market.web.parts.forms import Form
from market.web.parts.pages import redirect
from market.web.parts.trade import KEY, do_once, show

#: Papers of a kind that a sample shows: a sheet of badges is full.
_SAMPLES = 8
#: Where the pages that were printed before have gone.
_FORMER = {
    "programme": "programme",
    "timetable": "schedule",
    "participants": "timetable",
    "tables": "table_card",
    "signin": "sign_in",
}
FORMS: dict[str, Message | str] = {"pdf": "PDF", "docx": "Word", "zip": "ZIP"}
ALL = "all"

PRINT = Form(
    kind=fields.choice(msg("材料"), {ALL: msg("全部"), **{code: kind.name for code, kind in KINDS.items()}}),
    form=fields.choice(msg("文件格式"), FORMS),
    only_changed=fields.tick(msg("只打印有变化的")),
    key=KEY,
)


def origin_of(request: WebRequest) -> str:
    """Return what links on paper begin with: the site's public address, else the one it was called by."""
    return (settings().public_url or str(request.base_url)).rstrip("/")


@get("/town/meetings/{meeting_id:int}/papers", guards=OFFICIAL)
async def index(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[str]:
    """Show every kind of paper, and the files that were made of them."""
    meeting = await own_meeting(meeting_id, viewer)
    files = await bundles_of(meeting_id=meeting.id, since=clock.now() - KEPT)
    context: dict[str, Any] = {"meeting": meeting, "files": files, "kinds": KINDS, "all_kinds": len(KINDS)}
    busy = any(each.finished_at is None for each in files)
    if "hx-request" in request.headers:
        return show(request, "papers/index.html", fragment="papers/files.html", busy=busy, **context)
    fair = await fair_of(meeting)
    found = await asyncio.to_thread(shelves, fair, await papers_of(meeting_id=meeting.id))
    return show(
        request,
        "papers/index.html",
        busy=busy,
        steps=await steps_of(request, meeting),
        shelves=found,
        papers=sum(each.papers for each in found),
        to_print=sum(each.to_print for each in found),
        was_printed=any(each.papers > each.new for each in found),
        only_changed=request.query_params.get("show") == "changed",
        MEETING=MEETING,
        **context,
    )


@post("/town/meetings/{meeting_id:int}/papers", guards=OFFICIAL)
async def make(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[bytes]:
    """Number the papers and leave their binding to a worker; the same form once more prints nothing twice."""
    filled = await PRINT.read(request)
    filled.check()
    meeting = await own_meeting(meeting_id, viewer)
    kind, form, only_changed = (filled.values[name] for name in ("kind", "form", "only_changed"))
    wanted = Wanted(tuple(KINDS) if kind == ALL else (kind,), form, bool(only_changed))
    actor, at = accounts.actor(viewer, "official"), clock.now()

    async def deed() -> int:
        return await print_papers(
            meeting=meeting, wanted=wanted, origin=origin_of(request), actor=actor, at=at
        )

    page = f"/town/meetings/{meeting.id}/papers"
    try:
        await do_once(
            viewer=viewer,
            key=filled.values["key"],
            name="print_papers",
            about={"meeting": meeting.id, "kind": kind, "form": form, "only_changed": wanted.only_changed},
            deed=deed,
            at=at,
        )
    except Conflict as nothing:
        return redirect(request, page, toast=nothing.message)
    return redirect(request, f"{page}#files", toast=msg("正在生成，好了就在这里下载。"))


@get("/town/meetings/{meeting_id:int}/papers/files/{file_id:int}", guards=OFFICIAL)
async def file(viewer: SignedIn, meeting_id: FromPath[int], file_id: FromPath[int]) -> Response[bytes]:
    """Return a file that is ready."""
    meeting = await own_meeting(meeting_id, viewer)
    found = await bundle_file(bundle_id=row_number(file_id), town_id=viewer.organisation_id)
    what = KINDS[found.kinds[0]].name.text if len(found.kinds) == 1 else "会议材料"
    return attachment(found.content, f"{meeting.title}-{what}.{found.form}")


@get("/town/meetings/{meeting_id:int}/papers/samples/{name:str}", guards=OFFICIAL)
async def sample(
    request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int], name: FromPath[str]
) -> Response[bytes]:
    """Show the first papers of a kind as they would be printed, without giving out numbers."""
    kind, _, ending = name.partition(".")
    if kind not in KINDS or ending != "pdf":
        raise NotFound(msg("没有这种会议材料，请从文件中心选择。"))
    meeting = await own_meeting(meeting_id, viewer)
    fair = await fair_of(meeting)
    drafts = drafts_of(fair, (kind,))[:_SAMPLES]
    if not drafts:
        raise NotFound(msg("还没有这种材料：请先发出邀请、排好桌。"))
    known = await papers_of(meeting_id=meeting.id)
    papers = [
        Numbered(each, row.serial, row.edition)
        if (row := known.get((kind, each.subject)))
        else Numbered(each)
        for each in drafts
    ]
    photos = await photos_of(fair.lots[:_SAMPLES]) if kind == "lot_card" else {}
    title = f"{meeting.title}-{KINDS[kind].name.text}"
    made = await asyncio.to_thread(bound, papers, title=title, origin=origin_of(request), photos=photos)
    return attachment(made, f"{title}.pdf", inline=True)


@get("/town/meetings/{meeting_id:int}/poster.png", guards=OFFICIAL)
async def meeting_poster(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[bytes]:
    """Draw the meeting's poster, to be sent round."""
    meeting = await own_meeting(meeting_id, viewer)
    content = poster_content(await fair_of(meeting))
    made = await asyncio.to_thread(poster, "poster", content, origin=origin_of(request))
    return attachment(made, f"{meeting.title}-海报.png", inline=True)


@get("/listings/{listing_id:int}/poster.png")
async def listing_poster(request: WebRequest, guest: Anybody, listing_id: FromPath[int]) -> Response[bytes]:
    """Draw a batch's poster for whoever may see the batch."""
    number = row_number(listing_id)
    await listing_page(number, guest.organisation_id if guest else None)
    lot = await lot_of(number)
    photos = await photos_of([lot])
    made = await asyncio.to_thread(
        poster, "lot_poster", lot_content(lot), origin=origin_of(request), photos=photos
    )
    return attachment(made, f"{lot.title}-海报.png", inline=True)


@get("/meetings/{meeting_id:int}/timetable.pdf")
async def own_timetable(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[bytes]:
    """Return the viewer's own timetable as the town would print it, once it is published."""
    meeting = await meeting_of(meeting_id=row_number(meeting_id), organisation_id=viewer.organisation_id)
    subject = f"organisation:{viewer.organisation_id}"
    drafts = await _published(meeting, subject)
    row = (await papers_of(meeting_id=meeting.id)).get(("timetable", subject))
    papers = [Numbered(each, row.serial, row.edition) if row else Numbered(each, "—") for each in drafts]
    title = f"{meeting.title}-日程"
    made = await asyncio.to_thread(bound, papers, title=title, origin=origin_of(request))
    return attachment(made, f"{title}.pdf", inline=True)


async def _published(meeting: MeetingRow, subject: str) -> list[Draft]:
    drafts = [] if meeting.published_at is None else drafts_of(await fair_of(meeting), ("timetable",))
    found = [each for each in drafts if each.subject == subject]
    if not found:
        raise NotFound(msg("还没有您的日程：日程发布后才能下载。"))
    return found


@get("/town/meetings/{meeting_id:int}/print", guards=OFFICIAL)
async def former(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[bytes]:
    """Lead from the address that papers were printed at before to where they are now."""
    meeting = await own_meeting(meeting_id, viewer)
    what = _FORMER.get(request.query_params.get("what", "programme"))
    if what is None:
        raise NotFound(msg("没有这种会议材料，请从文件中心选择。"))
    return redirect(request, f"/town/meetings/{meeting.id}/papers#{what}")


routes: list[ControllerRouterHandler] = [
    index,
    make,
    file,
    sample,
    meeting_poster,
    listing_poster,
    own_timetable,
    former,
]
