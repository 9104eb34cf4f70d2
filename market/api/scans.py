"""Contracts signed on paper: their scans, as base64 within JSON."""

from typing import Annotated, Literal

import msgspec
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from market import clock
from market.api.deals import actor_in
from market.api.files import MOST_SIGNS, FileContent, SentFile, decoded, file_content
from market.api.handling import deed, do_once, read
from market.api.inputs import ONE_LINE, IdempotencyKey, Note, PathId, SignedIn
from market.api.outputs import Moved
from market.db.replay import once
from market.deals.queries import deal_of
from market.deals.scans.operations import (
    check_open,
    confirm_scan,
    present_scan,
    refuse_scan,
    upload_scan,
    withdraw_scan,
)
from market.deals.scans.queries import ScanRow, scan_content, scans_of
from market.deals.scans.reading import read_files
from market.deals.scans.rules import MOST_FILES

_MOST_BODY = MOST_FILES * MOST_SIGNS + 100_000
_MOVES = {"present": present_scan, "confirm": confirm_scan, "withdraw": withdraw_scan}


class ScanToUpload(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`mark`: the eight signs at the foot of the paper's pages; not asked for once both sides have signed."""

    files: Annotated[tuple[SentFile, ...], Meta(min_length=1, max_length=MOST_FILES)]
    mark: Annotated[str, Meta(max_length=20, pattern=ONE_LINE)] = ""


class Objection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why this is not what was signed. The other side sees it."""

    reason: Literal[
        "not_signed", "other_text", "missing_pages", "unclear", "no_seal", "other_contract", "other"
    ]
    note: Note = ""


class Uploaded(msgspec.Struct, frozen=True):
    scan_id: int


class _Upload(msgspec.Struct, frozen=True):
    deal_id: int
    mark: str
    files: list[str]


@read("/deals/{deal_id:int}/scans")
async def index(viewer: SignedIn, deal_id: PathId) -> list[ScanRow]:
    """Scans of the contract as it was signed on paper, newest first."""
    await deal_of(deal_id=deal_id, organisation_id=viewer.organisation_id)
    return await scans_of(deal_id=deal_id, organisation_id=viewer.organisation_id)


@read("/deals/{deal_id:int}/scans/{scan_id:int}/files/{file_id:int}")
async def one(viewer: SignedIn, deal_id: PathId, scan_id: PathId, file_id: PathId) -> FileContent:
    """One file of a scan."""
    await deal_of(deal_id=deal_id, organisation_id=viewer.organisation_id)
    found = await scan_content(
        deal_id=deal_id, scan_id=scan_id, file_id=file_id, organisation_id=viewer.organisation_id
    )
    return file_content(found.name, found.media_type, found.content_hash, found.content)


@deed("/deals/{deal_id:int}/scans", body=ScanToUpload, status=201, most_bytes=_MOST_BODY)
async def upload(
    viewer: SignedIn, deal_id: PathId, data: JSONBody[ScanToUpload], key: IdempotencyKey = None
) -> Uploaded:
    """Upload a scan. It signs nothing before it is presented; where both have signed, it is filed at once."""
    by, at = await actor_in(viewer, deal_id), clock.now()
    check_open((await deal_of(deal_id=deal_id, organisation_id=viewer.organisation_id)).state)
    files = await read_files([(each.name, decoded(each, "files")) for each in data.files])

    async def do() -> Uploaded:
        return Uploaded(
            await upload_scan(
                deal_id=deal_id,
                mark=data.mark,
                files=files,
                organisation_id=viewer.organisation_id,
                actor=by,
                at=at,
            )
        )

    return await once(
        key=key,
        person_id=viewer.person_id,
        request=_Upload(deal_id, data.mark, [each.sent_hash for each in files]),
        reply_type=Uploaded,
        deed=do,
        at=at,
    )


@deed("/deals/{deal_id:int}/scans/{scan_id:int}/refuse", body=Objection)
async def refuse(
    viewer: SignedIn,
    deal_id: PathId,
    scan_id: PathId,
    data: JSONBody[Objection],
    key: IdempotencyKey = None,
) -> Moved:
    """Say why the other side's scan is not what you have signed; of a filed one, it stands beside it."""
    by = await actor_in(viewer, deal_id)
    return await do_once(
        viewer=viewer,
        key=key,
        name="refuse_scan",
        about={"scan": scan_id, "reason": data.reason, "note": data.note},
        do=lambda at: refuse_scan(
            deal_id=deal_id,
            scan_id=scan_id,
            reason=data.reason,
            note=data.note,
            organisation_id=viewer.organisation_id,
            actor=by,
            at=at,
        ),
    )


@deed("/deals/{deal_id:int}/scans/{scan_id:int}/{step:str}")
async def move(
    viewer: SignedIn,
    deal_id: PathId,
    scan_id: PathId,
    step: FromPath[Literal["present", "confirm", "withdraw"]],
    key: IdempotencyKey = None,
) -> Moved:
    """`present` your scan: your signature. `confirm` the other side's: yours, too. Or `withdraw` your own."""
    by = await actor_in(viewer, deal_id)
    return await do_once(
        viewer=viewer,
        key=key,
        name=f"{step}_scan",
        about={"scan": scan_id},
        do=lambda at: _MOVES[step](
            deal_id=deal_id, scan_id=scan_id, organisation_id=viewer.organisation_id, actor=by, at=at
        ),
    )


routes: list[ControllerRouterHandler] = [index, one, upload, refuse, move]
