"""A contract's terms: in force, proposed, and what is unfair in them; and the contract as a file."""

import asyncio
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market.accounts.rules import Viewer
from market.deals.clauses import Terms
from market.deals.open_terms import ProposedMeanwhile
from market.deals.queries import DealRow
from market.deals.rules import CHANGEABLE, PROPOSED, TERMS
from market.deals.terms import (
    LONGEST_NOTE,
    Version,
    answer_terms,
    propose_terms,
    terms_in_force,
    versions_of,
)
from market.deals.unfair import LEVELS, advice_on
from market.deals.wording import Line, changed_fields, lines_of
from market.documents.contract import contract_docx, contract_of, contract_pdf
from market.errors import Invalid, NotFound
from market.i18n import msg, on_day
from market.meanwhile import ChangedMeanwhile
from market.transitions import WrongState
from market.units import FenPerKg
from market.web.deals.sheet import deal_and_side, party
from market.web.deals.terms_form import MILESTONES, SECTIONS, blank_form, terms_from
from market.web.deals.terms_form import TERMS as FORM
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest
from market.web.edge.language import language_of
from market.web.parts import fields
from market.web.parts.changed_meanwhile import merged
from market.web.parts.downloads import attachment
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.trade import KEY, acting, do_filled, new_key, refusal_form, show

ANSWER = Form(reply=fields.text(msg("回话"), most=LONGEST_NOTE, optional=True), key=KEY)
_DONE = {
    "agree": msg("双方都签了，新条款现已生效。"),
    "refuse": msg("已回绝，对方会看到原因；仍按原条款。"),
    "withdraw": msg("已撤回。"),
}


@get("/deals/{deal_id:int}/terms")
async def index(request: WebRequest, viewer: SignedIn, deal_id: FromPath[int]) -> Response[str]:
    """Show the terms in force and every proposal; a side may propose others."""
    deal, side = await deal_and_side(deal_id, viewer)
    return await _draw(request, viewer, deal, side)


async def _draw(
    request: WebRequest,
    viewer: Viewer,
    deal: DealRow,
    side: str | None,
    *,
    form: Filled | None = None,
    refusal: Filled | None = None,
    status: int = 200,
) -> Response[str]:
    version, terms = await terms_in_force(deal_id=deal.id)
    versions = await versions_of(deal_id=deal.id)
    waiting = next((each for each in versions if each.state == PROPOSED), None)
    is_own = waiting is not None and waiting.proposer == viewer.organisation_id
    replaces = waiting.version if waiting else 0
    begun = waiting.terms if waiting and is_own else terms
    return show(
        request,
        "deals/terms.html",
        status=status,
        deal=deal,
        side=side,
        version=version,
        lines=lines_of(terms, price=FenPerKg(deal.price)),
        advice=advice_on(terms),
        levels=LEVELS,
        versions=[
            (each, _changes(each, versions, deal), advice_on(each.terms) if each.state == PROPOSED else [])
            for each in versions
        ],
        can_change=side is not None and deal.state in CHANGEABLE,
        moves_of=lambda each: _moves(each, viewer, deal, side),
        waiting=waiting,
        is_own=is_own,
        # a better proposal begins with one's own that is still open
        form=form or blank_form(begun, base=version, key=new_key(), replaces=replaces),
        is_open=form is not None,
        refusal=refusal or (await refusal_form(request, side)).blank(key=new_key()),
        sections=SECTIONS,
        TERMS=TERMS,
    )


def _moves(version: Version, viewer: Viewer, deal: DealRow, side: str | None) -> tuple[str, ...]:
    if side is None or deal.state not in CHANGEABLE or version.state != PROPOSED:
        return ()
    by = "proposer" if version.proposer == viewer.organisation_id else "other"
    return TERMS.available(state=version.state, by=by)


def _changes(version: Version, versions: list[Version], deal: DealRow) -> list[tuple[Line, Line]]:
    """Return (before, after) of the clauses that a proposal changes, against what was agreed before it."""
    agreed = [each for each in versions if each.version < version.version and each.state == "agreed"]
    if not agreed:
        return []
    before = max(agreed, key=lambda each: each.version).terms
    return changes_between(before, version.terms, deal)


def changes_between(before: Terms, after: Terms, deal: DealRow) -> list[tuple[Line, Line]]:
    """Return the clauses that differ, as they were and as they would be."""
    changed = changed_fields(before, after)
    price = FenPerKg(deal.price)
    pairs = zip(lines_of(before, price=price), lines_of(after, price=price), strict=True)
    told = [(old, new) for old, new in pairs if changed & set(new.fields)]
    if changed & {"deliver_from", "deliver_to"}:
        told.insert(0, (_dates(before), _dates(after)))
    return told


def _dates(terms: Terms) -> Line:
    words = msg("{first} 至 {last}", first=on_day(terms.deliver_from), last=on_day(terms.deliver_to))
    return Line(("deliver_from", "deliver_to"), msg("交货时间"), (words,))


@post("/deals/{deal_id:int}/terms")
async def propose(request: WebRequest, viewer: SignedIn, deal_id: FromPath[int]) -> Response[Any]:
    """Propose other terms, and sign them for one's own side."""
    filled = await FORM.read(request)
    deal, side = await party(deal_id, viewer)
    try:
        terms = terms_from(filled)
        await do_filled(
            viewer,
            filled,
            "propose_terms",
            {"deal": deal.id, "typed": filled.typed},
            lambda at: propose_terms(
                deal_id=deal.id,
                base=filled.values["base"],
                terms=terms,
                note=filled.values["note"],
                organisation_id=viewer.organisation_id,
                actor=acting(viewer, side),
                at=at,
                replaces=int(filled.values["replaces"] or 0),
            ),
        )
    except Invalid as refused:
        again = filled.refused(_beside_first_row(refused))
        return await _draw(request, viewer, deal, side, form=again, status=422)
    except ChangedMeanwhile as changed:
        version, now = await terms_in_force(deal_id=deal.id)
        replaces = int(filled.values["replaces"] or 0)
        if isinstance(changed, ProposedMeanwhile):
            # what waits for a signature is told beside what was typed; the next save has seen it
            now, replaces = changed.proposed, changed.version
        again = merged(
            filled,
            changed,
            fresh=blank_form(now, base=version, key=new_key(), replaces=replaces),
            language=language_of(request),
            controls={"milestones": MILESTONES},
        )
        return await _draw(request, viewer, deal, side, form=again, status=409)
    return redirect(request, f"/deals/{deal.id}/terms", toast=msg("已提议并代表本方签字，等对方签字后生效。"))


def _beside_first_row(refused: Invalid) -> Invalid:
    """The form has no field for all milestones together: their fault stands beside the first share."""
    if "milestones" not in refused.fields:
        return refused
    named = {("share1" if name == "milestones" else name): text for name, text in refused.fields.items()}
    return Invalid(refused.message, named)


@post("/deals/{deal_id:int}/terms/{version:int}/{move:str}")
async def answer(
    request: WebRequest,
    viewer: SignedIn,
    deal_id: FromPath[int],
    version: FromPath[int],
    move: FromPath[str],
) -> Response[Any]:
    """Sign a proposal, refuse it, or withdraw one's own."""
    if move not in _DONE:
        raise NotFound(msg("没有这一步，请回到合同页面操作。"))
    deal, side = await party(deal_id, viewer)
    refuses = move == "refuse"
    filled = await (await refusal_form(request, side) if refuses else ANSWER).read(request)
    said: dict[str, Any] = {}
    try:
        filled.check()
        said["reply"] = filled.values["note" if refuses else "reply"] or ""
        if refuses:
            said["reason"] = filled.values["reason"]
        await do_filled(
            viewer,
            filled,
            f"{move}_terms",
            {"deal": deal.id, "version": version, **said},
            lambda at: answer_terms(
                deal_id=deal.id,
                version=row_number(version),
                move=move,
                organisation_id=viewer.organisation_id,
                actor=acting(viewer, side),
                at=at,
                **said,
            ),
        )
    except Invalid as refused:
        if not refuses:
            raise
        return await _draw(request, viewer, deal, side, refusal=filled.refused(refused), status=422)
    except WrongState:
        target = next(each.target for each in TERMS.moves if each.name == move)
        reached = {each.version: each.state for each in await versions_of(deal_id=deal.id)}
        if reached.get(version) != target:
            raise
    return redirect(request, f"/deals/{deal.id}/terms", toast=_DONE[move])


@get(["/deals/{deal_id:int}/contract.pdf", "/deals/{deal_id:int}/contract.docx"])
async def as_file(request: WebRequest, viewer: SignedIn, deal_id: FromPath[int]) -> Response[bytes]:
    """Return the contract with the terms in force."""
    deal, _ = await deal_and_side(deal_id, viewer)
    contract = await contract_of(deal)
    form = "pdf" if request.url.path.endswith(".pdf") else "docx"
    content = await asyncio.to_thread(contract_pdf if form == "pdf" else contract_docx, contract)
    return attachment(content, f"购销合同-{deal.number}.{form}")


routes: list[ControllerRouterHandler] = [index, propose, answer, as_file]
