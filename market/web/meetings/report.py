"""The town's report on a meeting, as a file to keep."""

import asyncio
from collections.abc import Callable

from litestar import Response, get
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.documents.report import report_pdf, report_word
from market.meetings.after.report_queries import Report, report_of
from market.web.edge.addresses import row_number
from market.web.edge.guards import OFFICIAL, SignedIn
from market.web.meetings.after import with_names
from market.web.parts.downloads import attachment

_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


async def _file(
    viewer: SignedIn, meeting_id: int, make: Callable[[Report], bytes], ending: str, media_type: str
) -> Response[bytes]:
    report = await report_of(
        meeting_id=row_number(meeting_id), town_id=viewer.organisation_id, at=clock.now()
    )
    # papers are Chinese whoever prints them
    report = await with_names(report, "zh", viewer.organisation_id)
    # setting type takes the processor: the event loop goes on
    content = await asyncio.to_thread(make, report)
    return attachment(content, f"meeting-{report.meeting.id}-report.{ending}", media_type)


@get("/town/meetings/{meeting_id:int}/report.pdf", guards=OFFICIAL)
async def as_pdf(viewer: SignedIn, meeting_id: FromPath[int]) -> Response[bytes]:
    """Return the report as PDF."""
    return await _file(viewer, meeting_id, report_pdf, "pdf", "application/pdf")


@get("/town/meetings/{meeting_id:int}/report.docx", guards=OFFICIAL)
async def as_word(viewer: SignedIn, meeting_id: FromPath[int]) -> Response[bytes]:
    """Return the report as a Word file."""
    return await _file(viewer, meeting_id, report_word, "docx", _WORD)


routes: list[ControllerRouterHandler] = [as_pdf, as_word]
