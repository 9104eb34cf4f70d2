"""Contracts signed on paper: their scans, as base64 within JSON."""

import base64
import binascii
from typing import Annotated, Literal

import msgspec
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from market import clock
from market.api.deals import actor_in
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
from market.errors import Invalid
from market.i18n import msg
from market.pictures import MOST_BYTES

#: Base64 takes four signs for three bytes.
_MOST_SIGNS = (MOST_BYTES + 2) // 3 * 4
_MOST_BODY = MOST_FILES * _MOST_SIGNS + 100_000
_MOVES = {"present": present_scan, "confirm": confirm_scan, "withdraw": withdraw_scan}


class ScannedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A PDF, JPEG, PNG or WebP; `content` is base64."""

    name: Annotated[str, Meta(min_length=1, max_length=80, pattern=ONE_LINE)]
    content: Annotated[str, Meta(min_length=4, max_length=_MOST_SIGNS, pattern="^[A-Za-z0-9+/]+={0,2}$")]


class ScanToUpload(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`mark`: the eight signs at the foot of the paper's pages; not asked for once both sides have signed."""

    files: Annotated[tuple[ScannedFile, ...], Meta(min_length=1, max_length=MOST_FILES)]
    mark: Annotated[str, Meta(max_length=20, pattern=ONE_LINE)] = ""


class Objection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why this is not what was signed. The other side sees it."""

    reason: Literal[
        "not_signed", "other_text", "missing_pages", "unclear", "no_seal", "other_contract", "other"
    ]
    note: Note = ""


class Uploaded(msgspec.Struct, frozen=True):
    scan_id: int


class FileContent(msgspec.Struct, frozen=True):
    """`content` is base64, `content_hash` its SHA-256 before that."""

    name: str
    media_type: str
    content_hash: str
    content: str


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
    content = base64.b64encode(found.content).decode()
    return FileContent(found.name, found.media_type, found.content_hash, content)


@deed("/deals/{deal_id:int}/scans", body=ScanToUpload, status=201, most_bytes=_MOST_BODY)
async def upload(
    viewer: SignedIn, deal_id: PathId, data: JSONBody[ScanToUpload], key: IdempotencyKey = None
) -> Uploaded:
    """Upload a scan. It signs nothing before it is presented; where both have signed, it is filed at once."""
    by, at = await actor_in(viewer, deal_id), clock.now()
    check_open((await deal_of(deal_id=deal_id, organisation_id=viewer.organisation_id)).state)
    files = await read_files([(each.name, _decoded(each)) for each in data.files])

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


def _decoded(file: ScannedFile) -> bytes:
    try:
        return base64.b64decode(file.content, validate=True)
    except binascii.Error:
        problem = msg("“{name}”不是完整的 base64。", name=file.name)
        raise Invalid(problem, {"files": problem}) from None


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
