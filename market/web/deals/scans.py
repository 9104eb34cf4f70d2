"""A contract signed on paper: its scan uploaded, confirmed or refused by the other side, and handed out."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.deals.scans.operations import (
    check_open,
    confirm_scan,
    present_scan,
    refuse_scan,
    upload_scan,
    withdraw_scan,
)
from market.deals.scans.queries import scan_content, scans_of
from market.deals.scans.reading import read_files
from market.deals.scans.rules import FILED, MOST_FILES, SCAN, TO_SIGN
from market.errors import Invalid, NotFound
from market.i18n import msg
from market.pictures import MOST_BYTES
from market.transitions import WrongState
from market.web.deals.scan_forms import REFUSAL, upload_form
from market.web.deals.sheet import deal_and_side, draw, party
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest
from market.web.parts.pages import redirect
from market.web.parts.scans import scan_response
from market.web.parts.trade import BARE, acting, do_filled, do_once

_MOST_BODY = MOST_FILES * MOST_BYTES + 100_000
_MOVES = {"present": present_scan, "confirm": confirm_scan, "withdraw": withdraw_scan}
_DONE = {
    "present": msg("已交给对方确认，我方算签了字。"),
    "confirm": msg("已确认，双方都签了字，合同生效。"),
    "withdraw": msg("已撤回。"),
}


@post("/deals/{deal_id:int}/scans", request_max_body_size=_MOST_BODY)
async def upload(request: WebRequest, viewer: SignedIn, deal_id: FromPath[int]) -> Response[Any]:
    """Upload a scan: as one's own signature, or to be filed with a contract that both have signed."""
    deal, side = await party(deal_id, viewer)
    check_open(deal.state)
    filled = await upload_form(deal).read(request)
    actor, organisation = acting(viewer, side), viewer.organisation_id
    try:
        filled.check()
        files = await read_files([(each.name, each.content) for each in filled.values["files"]])
        mark = filled.values.get("mark") or ""
        scan_id = int(
            await do_filled(
                viewer,
                filled,
                "upload_scan",
                {"deal": deal.id, "mark": mark, "files": [each.sent_hash for each in files]},
                lambda at: upload_scan(
                    deal_id=deal.id,
                    mark=mark,
                    files=files,
                    organisation_id=organisation,
                    actor=actor,
                    at=at,
                ),
            )
        )
    except Invalid as refused:
        return await draw(request, viewer, deal, scanning=filled.refused(refused), status=422)
    if deal.state not in TO_SIGN:
        return redirect(request, f"/deals/{deal.id}#scans", toast=msg("已归档，对方看得到。"))
    at, key = clock.now(), filled.values["key"]
    state = await do_once(
        viewer=viewer,
        key=key and f"{key}:present",
        name="present_scan",
        about={"scan": scan_id},
        deed=lambda: present_scan(
            deal_id=deal.id, scan_id=scan_id, organisation_id=organisation, actor=actor, at=at
        ),
        at=at,
    )
    toast = msg("双方已签字，合同生效。") if state == FILED else _DONE["present"]
    return redirect(request, f"/deals/{deal.id}#scans", toast=toast)


@post("/deals/{deal_id:int}/scans/{scan_id:int}/refuse")
async def refuse(
    request: WebRequest, viewer: SignedIn, deal_id: FromPath[int], scan_id: FromPath[int]
) -> Response[Any]:
    """Say with a coded reason that this is not what was signed."""
    filled = await REFUSAL.read(request)
    deal, side = await party(deal_id, viewer)
    values = filled.values
    try:
        filled.check()
        await do_filled(
            viewer,
            filled,
            "refuse_scan",
            {"scan": scan_id, "reason": values["reason"], "note": values["note"]},
            lambda at: refuse_scan(
                deal_id=deal.id,
                scan_id=row_number(scan_id),
                reason=values["reason"],
                note=values["note"],
                organisation_id=viewer.organisation_id,
                actor=acting(viewer, side),
                at=at,
            ),
        )
    except Invalid as error:
        again = (scan_id, "refuse_scan", filled.refused(error))
        return await draw(request, viewer, deal, refused=again, status=422)
    return redirect(request, f"/deals/{deal.id}#scans", toast=msg("已告诉对方，原因对方看得到。"))


@post("/deals/{deal_id:int}/scans/{scan_id:int}/{move:str}")
async def move_one(
    request: WebRequest,
    viewer: SignedIn,
    deal_id: FromPath[int],
    scan_id: FromPath[int],
    move: FromPath[str],
) -> Response[Any]:
    """Present one's own scan, confirm the other's, or withdraw: a press of a button."""
    if move not in _MOVES:
        raise NotFound(msg("没有这一步，请回到合同页面操作。"))
    filled = await BARE.read(request)
    filled.check()
    deal, side = await party(deal_id, viewer)
    number = row_number(scan_id)
    try:
        await do_filled(
            viewer,
            filled,
            f"{move}_scan",
            {"scan": number},
            lambda at: _MOVES[move](
                deal_id=deal.id,
                scan_id=number,
                organisation_id=viewer.organisation_id,
                actor=acting(viewer, side),
                at=at,
            ),
        )
    except WrongState:
        # pressed twice: it is done
        rows = await scans_of(deal_id=deal.id, organisation_id=viewer.organisation_id)
        target = next(each.target for each in SCAN.moves if each.name == move)
        own = move != "confirm"
        if not any(
            each.id == number
            and each.state == target
            and (each.organisation == viewer.organisation_id) is own
            for each in rows
        ):
            raise
    return redirect(request, f"/deals/{deal.id}#scans", toast=_DONE[move])


@get("/deals/{deal_id:int}/scans/{scan_id:int}/files/{file_id:int}")
async def file(
    viewer: SignedIn, deal_id: FromPath[int], scan_id: FromPath[int], file_id: FromPath[int]
) -> Response[bytes]:
    """Return a page of a scan to whoever may see the contract."""
    deal, _ = await deal_and_side(deal_id, viewer)
    found = await scan_content(
        deal_id=deal.id,
        scan_id=row_number(scan_id),
        file_id=row_number(file_id),
        organisation_id=viewer.organisation_id,
    )
    return scan_response(found.name, found.media_type, found.content)


routes: list[ControllerRouterHandler] = [upload, refuse, move_one, file]
