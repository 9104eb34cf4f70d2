"""The county: the organisations that it looks after: verified, refused, suspended, what they may do."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import CAPABILITIES, KINDS, SUSPENDED, Viewer
from market.audit.queries import history
from market.errors import Invalid, NotFound
from market.i18n import Message, msg
from market.meanwhile import ChangedMeanwhile, marks_of
from market.organisations import rules, verification
from market.organisations.queries import (
    OrganisationCard,
    card_of_county,
    cards_of_county,
    filings_of,
    paper_content,
    papers_of,
)
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest, require
from market.web.edge.language import language_of
from market.web.parts import fields
from market.web.parts.changed_meanwhile import SEEN, merged
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.scans import scan_response
from market.web.parts.trade import BARE, KEY, acting, do_filled, new_key, show

#: Who sees whom the county looks after; who decides.
COUNTY = [require("county", "verifier", "auditor")]
VERIFIER = [require("county", "verifier")]
_WORDS = {"most": rules.LONGEST_WORDS, "lines": True}
#: What the record's words mean to people.
DEEDS: dict[str, Message] = {
    "file": msg("交核验材料"),
    "renew": msg("交新的核验材料"),
    "verify": msg("核验通过"),
    "refuse": msg("核验未通过"),
    "refuse_renewal": msg("新材料未通过，原核验仍有效"),
    "expire": msg("核验过期"),
    "suspend": msg("暂停了"),
    "reinstate": msg("恢复了资格"),
    "reinstate_verified": msg("恢复，核验仍有效"),
    "set_capabilities": msg("调整了资格"),
    "adopt": msg("归了本县管"),
    "add_member": msg("添加成员"),
    "set_role": msg("改角色"),
    "end_member": msg("成员离开"),
    "set_limit": msg("改审批限额"),
    "delegate": msg("委托了代办"),
    "revoke_delegation": msg("收回委托"),
}
#: A usual verification holds for a year.
_USUAL = timedelta(days=365)

VERIFY = Form(
    checked=fields.choices(msg("核对过什么"), rules.CHECKS, hint=msg("会显示给和它打交道的人。")),
    until=fields.day(msg("有效期至")),
    note=fields.text(msg("备注"), optional=True, **_WORDS),  # type: ignore[arg-type]
    key=KEY,
)
REFUSE = Form(
    reason=fields.choice(msg("原因"), rules.REFUSALS),
    note=fields.text(msg("补充说明"), optional=True, **_WORDS),  # type: ignore[arg-type]
    key=KEY,
)
SUSPEND = Form(
    reason=fields.choice(msg("原因"), rules.SUSPENSIONS),
    note=fields.text(msg("补充说明"), optional=True, **_WORDS),  # type: ignore[arg-type]
    key=KEY,
)
REINSTATE = Form(note=fields.text(msg("说明"), optional=True, **_WORDS), key=KEY)  # type: ignore[arg-type]
CAPABLE = Form(
    granted=fields.choices(msg("另外授予"), CAPABILITIES),
    withheld=fields.choices(msg("收回"), CAPABILITIES),
    key=KEY,
    seen=SEEN,
)
_FORMS: dict[str, Form] = {
    "verify": VERIFY,
    "refuse": REFUSE,
    "suspend": SUSPEND,
    "reinstate": REINSTATE,
    "capabilities": CAPABLE,
    "adopt": BARE,
}
_TOLD: dict[str, Message] = {
    "verify": msg("已核验，对方会收到通知。"),
    "refuse": msg("已退回，对方会看到原因。"),
    "suspend": msg("已暂停，对方会收到通知。"),
    "reinstate": msg("已恢复，对方会收到通知。"),
    "capabilities": msg("资格已调整，对方会收到通知。"),
    "adopt": msg("已归本县管。"),
}


@get("/county/organisations", guards=COUNTY)
async def organisations(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """List whom the county looks after; what waits for it first."""
    asked = request.query_params
    state = asked["state"] if asked.get("state") in rules.VERIFICATION.states else ""
    kind = asked["kind"] if asked.get("kind") in KINDS else ""
    every = await cards_of_county(county_id=viewer.organisation_id)
    return show(
        request,
        "county/organisations.html",
        cards=[each for each in every if state in ("", each.state) and kind in ("", each.kind)],
        waiting=sum(each.waits for each in every),
        count={name: sum(each.state == name for each in every) for name in rules.VERIFICATION.labels},
        state=state,
        kind=kind,
        kinds=KINDS,
        VERIFICATION=rules.VERIFICATION,
    )


@get("/county/organisations/{organisation_id:int}", guards=COUNTY)
async def one(request: WebRequest, viewer: SignedIn, organisation_id: FromPath[int]) -> Response[str]:
    """Show one organisation with its evidence and what may be decided."""
    card = await _card(organisation_id, viewer)
    return await _draw(request, viewer, card)


async def _card(organisation_id: int, viewer: Viewer) -> OrganisationCard:
    return await card_of_county(organisation_id=row_number(organisation_id), county_id=viewer.organisation_id)


def _capable(card: OrganisationCard) -> Filled:
    """Return the form of what it may do, as it stands."""
    now = verification.Capable(tuple(card.granted), tuple(card.withheld))
    return CAPABLE.blank(granted=now.granted, withheld=now.withheld, key=new_key(), seen=marks_of(now))


async def _draw(
    request: WebRequest,
    viewer: Viewer,
    card: OrganisationCard,
    *,
    refused: tuple[str, Filled] | None = None,
    status: int = 200,
) -> Response[str]:
    decides = bool(viewer.sides & {"county", "verifier"})
    forms = {name: form.blank(key=new_key()) for name, form in _FORMS.items()}
    forms["verify"] = VERIFY.blank(checked=card.checked, until=clock.today() + _USUAL, key=new_key())
    forms["capabilities"] = _capable(card)
    if refused:
        forms[refused[0]] = refused[1]
    moves = rules.VERIFICATION.available(state=card.state, by="verifier") if decides else ()
    return show(
        request,
        "county/organisation.html",
        status=status,
        card=card,
        forms=forms,
        is_suspended=card.state == SUSPENDED,
        can_verify="verify" in moves,
        can_refuse=card.waits and bool({"refuse", "refuse_renewal"} & set(moves)),
        can_suspend="suspend" in moves,
        can_reinstate="reinstate" in moves,
        decides=decides,
        filings=await filings_of(organisation_id=card.id) if decides else [],
        papers=await papers_of(organisation_id=card.id) if decides else [],
        steps=await history(subjects=[f"organisation:{card.id}"]),
        deeds=DEEDS,
        kinds=KINDS,
        capabilities=CAPABILITIES,
        checks=rules.CHECKS,
        refusals=rules.REFUSALS,
        suspensions=rules.SUSPENSIONS,
        VERIFICATION=rules.VERIFICATION,
    )


@post("/county/organisations/{organisation_id:int}/{deed:str}", guards=VERIFIER)
async def decide(
    request: WebRequest, viewer: SignedIn, organisation_id: FromPath[int], deed: FromPath[str]
) -> Response[Any]:
    """Verify, refuse, suspend, reinstate, or set what it may do."""
    if deed not in _FORMS:
        raise NotFound(msg("没有找到这一步。"))
    filled = await _FORMS[deed].read(request)
    card = await _card(organisation_id, viewer)
    try:
        filled.check()
        about = {
            "organisation": card.id,
            "typed": {name: typed for name, typed in filled.typed.items() if name != "key"},
        }
        await do_filled(viewer, filled, f"organisation_{deed}", about, _work(deed, filled, card, viewer))
    except Invalid as refused:
        again = filled.refused(refused)
        return await _draw(request, viewer, card, refused=(deed, again), status=422)
    except ChangedMeanwhile as changed:
        card = await _card(organisation_id, viewer)
        again = merged(filled, changed, fresh=_capable(card), language=language_of(request))
        return await _draw(request, viewer, card, refused=(deed, again), status=409)
    return redirect(request, f"/county/organisations/{card.id}", toast=_TOLD[deed])


def _work(
    deed: str, filled: Filled, card: OrganisationCard, viewer: Viewer
) -> Callable[[datetime], Awaitable[object]]:
    """Return the operation of a deed, waiting for its moment."""
    values = {name: value for name, value in filled.values.items() if name != "key"}
    if "note" in values:
        values["note"] = values["note"] or ""
    side = "county" if "county" in viewer.sides else "verifier"
    actor = acting(viewer, side)
    operations: dict[str, Callable[..., Awaitable[object]]] = {
        "verify": verification.verify,
        "refuse": verification.refuse,
        "suspend": verification.suspend,
        "reinstate": verification.reinstate,
        "capabilities": verification.set_capabilities,
        "adopt": verification.adopt,
    }
    return lambda at: operations[deed](
        organisation_id=card.id, county_id=viewer.organisation_id, actor=actor, at=at, **values
    )


@get("/county/organisations/{organisation_id:int}/papers/{paper_id:int}", guards=VERIFIER)
async def paper(viewer: SignedIn, organisation_id: FromPath[int], paper_id: FromPath[int]) -> Response[bytes]:
    """Return a scan to who decides on it."""
    card = await _card(organisation_id, viewer)
    found = await paper_content(paper_id=row_number(paper_id), organisation_id=card.id)
    return scan_response(found.name, found.media_type, found.content)


routes: list[ControllerRouterHandler] = [organisations, one, decide, paper]
