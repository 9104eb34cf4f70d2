"""One's own organisation: how it stands with the county, what it may do, the evidence that it filed."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market.accounts.rules import CAPABILITIES, KINDS, Viewer
from market.errors import Invalid, NotAllowed
from market.i18n import msg
from market.organisations import rules
from market.organisations.queries import filings_of, own_card, paper_content, papers_of
from market.organisations.verification import NewPaper, file_evidence
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest
from market.web.parts import fields
from market.web.parts.forms import FileField, Filled, Form, Upload
from market.web.parts.pages import redirect
from market.web.parts.pictures import MOST_BYTES
from market.web.parts.scans import SCAN_ENDINGS, paper_from, scan_response
from market.web.parts.trade import KEY, acting, do_filled, new_key, show
from market.web.parts.typed import Wrong

FILING = Form(
    papers=FileField(
        label=msg("营业执照、许可证等"),
        endings=SCAN_ENDINGS,
        most_bytes=MOST_BYTES,
        most_files=rules.MOST_PAPERS,
        hint=msg("照片或 PDF，最多 {n} 份；只有本单位和县里看得到。", n=rules.MOST_PAPERS),
    ),
    words=fields.text(msg("补充说明"), most=rules.LONGEST_WORDS, lines=True, optional=True),
    key=KEY,
)


def keeper(viewer: Viewer) -> Viewer:
    """Raise NotAllowed unless the viewer looks after the organisation."""
    if not viewer.keeps:
        raise NotAllowed(msg("这件事由本单位的书记、采购经理、干部或管理员来办。"))
    return viewer


@get("/organisation")
async def own(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """Show how the organisation stands, and what is to be done about it."""
    return await _draw(request, viewer)


async def _draw(
    request: WebRequest, viewer: Viewer, *, form: Filled | None = None, status: int = 200
) -> Response[str]:
    number = viewer.organisation_id
    card = await own_card(organisation_id=number)
    sees_papers = viewer.keeps
    can_file = (
        viewer.keeps
        and not card.waits
        and bool({"file", "renew"} & set(rules.VERIFICATION.available(state=card.state, by="member")))
        and card.kind != "county"
    )
    return show(
        request,
        "organisation/own.html",
        status=status,
        card=card,
        filings=await filings_of(organisation_id=number) if sees_papers else [],
        papers=await papers_of(organisation_id=number) if sees_papers else [],
        form=(form or FILING.blank(key=new_key())) if can_file else None,
        kinds=KINDS,
        capabilities=CAPABILITIES,
        checks=rules.CHECKS,
        refusals=rules.REFUSALS,
        suspensions=rules.SUSPENSIONS,
        VERIFICATION=rules.VERIFICATION,
    )


@post("/organisation/evidence", request_max_body_size=rules.MOST_PAPERS * MOST_BYTES + 100_000)
async def file(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Hand evidence to the county."""
    filled = await FILING.read(request)
    actor = acting(keeper(viewer), viewer.side)
    try:
        filled.check()
        papers = await read_scans(filled.values["papers"])
        await do_filled(
            viewer,
            filled,
            "file_evidence",
            {"words": filled.values["words"], "papers": [each.content_hash for each in papers]},
            lambda at: file_evidence(
                words=filled.values["words"] or "",
                papers=papers,
                organisation_id=viewer.organisation_id,
                actor=actor,
                at=at,
            ),
        )
    except Invalid as refused:
        return await _draw(request, viewer, form=filled.refused(refused), status=422)
    return redirect(request, "/organisation", toast=msg("材料已交给县里，核验后会通知您。"))


async def read_scans(uploads: tuple[Upload, ...]) -> tuple[NewPaper, ...]:
    """Return what is kept of the scans. Raises: Invalid, with the field ``papers``."""
    try:
        return tuple([await paper_from(each) for each in uploads])
    except Wrong as wrong:
        raise Invalid(wrong.message, {"papers": wrong.message}) from None


@get("/organisation/papers/{paper_id:int}")
async def paper(viewer: SignedIn, paper_id: FromPath[int]) -> Response[bytes]:
    """Return a scan to who looks after the organisation."""
    number = keeper(viewer).organisation_id
    found = await paper_content(paper_id=row_number(paper_id), organisation_id=number)
    return scan_response(found.name, found.media_type, found.content)


routes: list[ControllerRouterHandler] = [own, file, paper]
