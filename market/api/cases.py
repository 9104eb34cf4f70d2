"""The worry book: goods that do not move, what is done about them, and who has to by when."""

from datetime import date, datetime
from typing import Annotated, Any

import msgspec
from litestar import Response
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from market.accounts.rules import Actor, Viewer, require
from market.api.handling import acting, deed, do_once, marked_as, read, seen_in, unless_changed
from market.api.inputs import Code, IdempotencyKey, IfMatch, PathId, Reader, RowId, SignedIn
from market.api.outputs import Moved, told
from market.cases import operations, rules
from market.cases.queries import CaseRow, case_of, cases_of, diaries_of
from market.errors import Invalid
from market.i18n import msg
from market.meanwhile import marks_of

CaseNote = Annotated[
    str, Meta(max_length=rules.LONGEST_NOTE, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")
]


class EntryView(msgspec.Struct, frozen=True):
    """A line of a diary: `message` is the book's own word, `note` somebody's."""

    id: int
    kind: str
    level: str
    message: str | None
    note: str
    person: str | None
    person_en: str | None
    organisation: str | None
    organisation_en: str | None
    at: datetime


class CaseWithDiary(msgspec.Struct, frozen=True):
    case: CaseRow
    diary: list[EntryView]


class NewCase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Goods by a listing, or by their lot, which may never have been on sale: one of both."""

    note: CaseNote
    listing_id: RowId | None = None
    lot_id: RowId | None = None


class NewEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`kind`: visit, call, sample, terms, product, talk, other."""

    kind: Code
    note: CaseNote


class Closing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`reason`: elsewhere, own_use, processed, spoiled, not_selling, mistaken."""

    reason: Code
    note: CaseNote = ""


class Word(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    note: CaseNote


class NewCharge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`owner`: the seller or the town; `decided`: its level's joint meeting said so, `note` says what."""

    owner: RowId
    due_on: date
    in_charge: Annotated[str, Meta(max_length=rules.LONGEST_NAME)] = ""
    decided: bool = False
    note: CaseNote = ""


def _by(viewer: Viewer) -> Actor:
    require(viewer, "seller", "official", "county")
    return acting(viewer, "official" if viewer.sides & {"official", "county"} else "seller")


@read("/cases")
async def mine(viewer: SignedIn) -> list[CaseRow]:
    """Your open cases and those of your town's sellers, by seller, the longest stuck first."""
    return await cases_of(organisation_id=viewer.organisation_id)


@read("/cases/{case_id:int}")
async def one(viewer: SignedIn, language: Reader, case_id: PathId) -> CaseWithDiary:
    """One case with its diary, the oldest line first; for the seller and the town."""
    row = await case_of(case_id=case_id, organisation_id=viewer.organisation_id)
    lines = await diaries_of(case_ids=[case_id], organisation_id=viewer.organisation_id)
    return CaseWithDiary(row, [told(EntryView, line, language) for line in lines])


@deed("/cases", body=NewCase)
async def open_one(viewer: SignedIn, data: JSONBody[NewCase], key: IdempotencyKey = None) -> Moved:
    """Open the case of goods by hand; the reply is its state, and `GET /cases` has it."""
    by = _by(viewer)
    if (data.listing_id is None) == (data.lot_id is None):
        problem = msg("请写 listing_id 或 lot_id，只写一个。")
        raise Invalid(problem, {"listing_id": problem, "lot_id": problem})

    async def do(at: datetime) -> str:
        await operations.open_case(
            listing_id=data.listing_id,
            lot_id=data.lot_id,
            note=data.note,
            organisation_id=viewer.organisation_id,
            actor=by,
            at=at,
        )
        return rules.OPEN

    return await do_once(viewer=viewer, key=key, name="open_case", about=msgspec.structs.asdict(data), do=do)


@deed("/cases/{case_id:int}/entries", body=NewEntry)
async def write(
    viewer: SignedIn, case_id: PathId, data: JSONBody[NewEntry], key: IdempotencyKey = None
) -> Moved:
    """Write a line into the diary of an open case."""
    by = _by(viewer)

    async def do(at: datetime) -> str:
        await operations.add_entry(
            case_id=case_id,
            kind=data.kind,
            note=data.note,
            organisation_id=viewer.organisation_id,
            actor=by,
            at=at,
        )
        return rules.OPEN

    return await do_once(viewer=viewer, key=key, name="case_entry", about=_about(case_id, data), do=do)


@deed("/cases/{case_id:int}/close", body=Closing)
async def close(
    viewer: SignedIn, case_id: PathId, data: JSONBody[Closing], key: IdempotencyKey = None
) -> Moved:
    """Close a case though something is left, saying why; what is sold out closes by itself."""
    by = _by(viewer)

    async def do(at: datetime) -> str:
        await operations.close(
            case_id=case_id,
            reason=data.reason,
            note=data.note,
            organisation_id=viewer.organisation_id,
            actor=by,
            at=at,
        )
        return rules.CLOSED

    return await do_once(viewer=viewer, key=key, name="case_close", about=_about(case_id, data), do=do)


@deed("/cases/{case_id:int}/reopen", body=Word)
async def reopen(
    viewer: SignedIn, case_id: PathId, data: JSONBody[Word], key: IdempotencyKey = None
) -> Moved:
    """Open a closed case again, at the level where it was."""
    by = _by(viewer)

    async def do(at: datetime) -> str:
        await operations.reopen(
            case_id=case_id, note=data.note, organisation_id=viewer.organisation_id, actor=by, at=at
        )
        return rules.OPEN

    return await do_once(viewer=viewer, key=key, name="case_reopen", about=_about(case_id, data), do=do)


@read("/cases/{case_id:int}/charge", marked=True)
async def charge_now(viewer: SignedIn, case_id: PathId) -> Response[rules.Charge]:
    """Who has to solve a case and until when, with its ETag."""
    case = await case_of(case_id=case_id, organisation_id=viewer.organisation_id)
    return marked_as(case.charge, marks_of(case.charge))


@deed("/cases/{case_id:int}/charge", body=NewCharge, matched=True)
async def put_in_charge(
    viewer: SignedIn,
    case_id: PathId,
    data: JSONBody[NewCharge],
    key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> Moved:
    """Say who has to solve an open case and until when; the town, and the county from its level on."""
    by = _above(viewer)

    async def do(at: datetime) -> str:
        await operations.put_in_charge(
            case_id=case_id,
            owner_id=data.owner,
            in_charge=data.in_charge,
            due_on=data.due_on,
            note=data.note,
            decided=data.decided,
            town_id=viewer.organisation_id,
            actor=by,
            at=at,
            seen=seen_in(if_match),
        )
        return rules.OPEN

    with unless_changed(if_match):
        return await do_once(viewer=viewer, key=key, name="case_charge", about=_about(case_id, data), do=do)


@deed("/cases/{case_id:int}/climb", body=Word)
async def climb(viewer: SignedIn, case_id: PathId, data: JSONBody[Word], key: IdempotencyKey = None) -> Moved:
    """Send an open case one level up before its time, onto the agenda of that level's joint meeting."""
    by = _above(viewer)

    async def do(at: datetime) -> str:
        await operations.climb(
            case_id=case_id, note=data.note, town_id=viewer.organisation_id, actor=by, at=at
        )
        return rules.OPEN

    return await do_once(viewer=viewer, key=key, name="case_climb", about=_about(case_id, data), do=do)


def _above(viewer: Viewer) -> Actor:
    """Return who acts for those that decide on cases of others: a town, or its county."""
    require(viewer, "official", "county")
    return acting(viewer, "official")


def _about(case_id: int, data: msgspec.Struct) -> dict[str, Any]:
    return {"case": case_id, **msgspec.structs.asdict(data)}


routes: list[ControllerRouterHandler] = [
    *(mine, one, open_one, write, close, reopen),
    *(charge_now, put_in_charge, climb),
]
