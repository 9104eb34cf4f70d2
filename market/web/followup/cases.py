"""The worry book (心病台账): what is stuck and since when, by village; the agenda of each joint meeting."""

from collections import defaultdict
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Viewer
from market.cases import rules
from market.cases.operations import open_case
from market.cases.queries import CaseRow, EntryRow, agenda_of, cases_of, diaries_of, openable_by
from market.errors import Invalid, NotFound
from market.i18n import Language, Message, msg
from market.matching.findings import first_diagnoses_of
from market.paging import printable
from market.units import Gram
from market.web.edge.guards import SignedIn, WebRequest, require
from market.web.edge.language import language_of
from market.web.parts import fields, formats
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.told import finding_told, obstacle, words_for
from market.web.parts.trade import KEY, acting, do_once, name_in, new_key, show

#: Who keeps the book.
KEEPERS = [require("seller", "official", "county")]
#: Lines of a diary that the agenda repeats.
_LINES = 4
#: What a lot that was never on sale is chosen by, before its number; all others by their listing's.
_LOT = "lot-"
_LONGEST_SEARCH = 40
_STATES = {"open": rules.OPEN, "closed": rules.CLOSED}


def side_of(viewer: Viewer) -> str:
    """Return the side that the viewer keeps the book for."""
    return "official" if viewer.sides & {"official", "county"} else "seller"


def why_of(case: CaseRow, viewer: Viewer) -> str:
    """Return where the viewer reads why a case's goods do not sell; "": nowhere."""
    if case.listing is None:
        # never on sale: all that can be done is with its owner
        return f"/selling/lots/{case.lot}" if viewer.organisation_id == case.seller else ""
    if viewer.organisation_id == case.seller:
        return f"/selling/{case.listing}/why"
    if viewer.is_county:
        return f"/listings/{case.listing}"
    return f"/town/listings/{case.listing}"


def by_seller(cases: list[CaseRow]) -> list[list[CaseRow]]:
    """Return the cases village by village, the one with the most goods stuck first."""
    villages: dict[int, list[CaseRow]] = defaultdict(list)
    for case in cases:
        villages[case.seller].append(case)
    return sorted(villages.values(), key=lambda rows: (-sum(each.remaining for each in rows), rows[0].seller))


@get("/cases", guards=KEEPERS)
async def index(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """List what is stuck and since when, village by village."""
    asked = request.query_params
    state = _STATES.get(asked.get("state", ""), rules.OPEN)
    level = asked["level"] if asked.get("level") in rules.LEVELS else ""
    every = await cases_of(organisation_id=viewer.organisation_id, state=None)
    opened = [each for each in every if each.state == rules.OPEN]
    found = [each for each in every if each.state == state and level in ("", each.level)]
    today = clock.today()
    return show(
        request,
        "cases/index.html",
        villages=by_seller(found),
        count=len(found),
        has_any=bool(every),
        state=state,
        level=level,
        opened=opened,
        stuck=Gram(sum(each.remaining for each in opened)),
        late=sum(each.is_late(today) for each in opened),
        at_level={name: sum(each.level == name for each in opened) for name in rules.LEVELS},
        closed=sum(each.state == rules.CLOSED for each in every),
        levels=rules.LEVELS,
        meetings=rules.JOINT_MEETINGS,
        causes=rules.CAUSES,
        reasons=rules.REASONS,
        obstacle=obstacle,
        why_of=lambda case: why_of(case, viewer),
        side=side_of(viewer),
    )


@get("/cases/agenda/{level:str}", guards=KEEPERS)
async def agenda(request: WebRequest, viewer: SignedIn, level: FromPath[str]) -> Response[str]:
    """Show what the joint meeting of a level has to talk about, to be printed."""
    if level not in rules.LEVELS:
        raise NotFound(msg("没有这一级。"))
    rows = await agenda_of(organisation_id=viewer.organisation_id, level=level)
    lines: dict[int, list[EntryRow]] = defaultdict(list)
    for line in await diaries_of(case_ids=[each.id for each in rows], organisation_id=viewer.organisation_id):
        lines[line.about].append(line)
    return show(
        request,
        "cases/agenda.html",
        rows=rows,
        lines={case: each[-_LINES:] for case, each in lines.items()},
        advice=await first_advice(rows, viewer, language_of(request)),
        mass=Gram(sum(each.remaining for each in rows)),
        fresh=sum(not each.decided for each in rows),
        level=level,
        levels=rules.LEVELS,
        meetings=rules.JOINT_MEETINGS,
        causes=rules.CAUSES,
        kinds={**rules.ENTRY_KINDS, **rules.DEEDS},
        obstacle=obstacle,
        why_of=lambda case: why_of(case, viewer),
    )


async def first_advice(cases: list[CaseRow], viewer: Viewer, language: Language) -> dict[int, Message]:
    """Return the cheapest change that the newest run found for the goods of each case, where it found one."""
    listings = [case.listing for case in cases if case.listing is not None]
    findings = await first_diagnoses_of(listing_ids=listings, organisation_id=viewer.organisation_id)
    if not findings:
        return {}
    words = await words_for(language, findings)
    told = {each.listing: finding_told(each, words) for each in findings}
    return {case.id: told[case.listing] for case in cases if case.listing in told}


class _Choice(msgspec.Struct, frozen=True):
    """The form that opens a case, with the goods that ``text`` found, ``listed`` of ``total``."""

    form: Form
    text: str
    listed: int
    total: int

    def draw(self, request: WebRequest, form: Filled, *, status: int = 200) -> Response[str]:
        return show(
            request,
            "cases/new.html",
            form=form,
            text=self.text,
            listed=self.listed,
            total=self.total,
            status=status,
        )


async def _choice(request: WebRequest, viewer: Viewer, chosen: str) -> _Choice:
    """``chosen``: the option that is or was chosen, which is there whatever else is found."""
    language = language_of(request)
    text = printable(request.query_params.get("q", ""))[:_LONGEST_SEARCH]
    number = chosen.removeprefix(_LOT)
    known = int(number) if number.isascii() and number.isdigit() and len(number) < 19 else None
    by = "lot_id" if chosen.startswith(_LOT) else "listing_id"
    found = await openable_by(organisation_id=viewer.organisation_id, text=text, **{by: known})
    options: dict[str, Message | str] = {}
    for each in found.rows:
        parts = [name_in(language, each, "title"), formats.mass(Gram(each.remaining), language)]
        if side_of(viewer) == "official":
            parts.insert(0, name_in(language, each, "seller_name"))
        if each.listing is None:
            options[f"{_LOT}{each.lot}"] = msg("{goods}（从未上架）", goods=" · ".join(parts))
        else:
            options[str(each.listing)] = " · ".join(parts)
    form = Form(
        listing=fields.choice(msg("哪一批货"), options),
        note=fields.text(
            msg("为什么立案"),
            most=rules.LONGEST_NOTE,
            lines=True,
            hint=msg("卡在哪里、已经试过什么，写一两句。"),
        ),
        key=KEY,
    )
    return _Choice(form, text, len(found.rows), found.total)


@get("/cases/new", guards=KEEPERS)
async def new(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """Draw the form that opens a case by hand."""
    chosen = request.query_params.get("listing", "")
    choice = await _choice(request, viewer, chosen)
    options = choice.form.fields["listing"].options  # type: ignore[union-attr]
    picked = {"listing": chosen} if chosen in options else {}
    return choice.draw(request, choice.form.blank(**picked, key=new_key()))


@post("/cases/new", guards=KEEPERS)
async def create(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Open a case by hand."""
    choice = await _choice(request, viewer, str((await request.form()).get("listing", "")))
    filled = await choice.form.read(request)
    at = clock.now()
    try:
        filled.check()
        chosen, note = filled.values["listing"], filled.values["note"]
        by = "lot_id" if chosen.startswith(_LOT) else "listing_id"
        goods = {by: int(chosen.removeprefix(_LOT))}
        case_id = await do_once(
            viewer=viewer,
            key=filled.values["key"],
            name="open_case",
            about={**goods, "note": note},
            deed=lambda: open_case(
                **goods,
                note=note,
                organisation_id=viewer.organisation_id,
                actor=acting(viewer, side_of(viewer)),
                at=at,
            ),
            at=at,
        )
    except Invalid as refused:
        return choice.draw(request, filled.refused(refused), status=422)
    return redirect(request, f"/cases/{case_id}", toast=msg("已记入心病台账。"))


routes: list[ControllerRouterHandler] = [index, agenda, new, create]
