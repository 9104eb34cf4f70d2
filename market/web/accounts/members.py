"""The people of an organisation and their limits: for who looks after it, in it, in its town or county."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market.accounts.keeping import KeptOrganisation, organisation_kept_by
from market.accounts.rules import ADMINISTRATOR, BUY, ROLES, Standing, Viewer, masked
from market.errors import Invalid, NotAllowed
from market.i18n import msg
from market.meanwhile import ChangedMeanwhile, marks_of
from market.organisations import members
from market.organisations.members import Limit, MemberRow, Part, members_of
from market.organisations.queries import own_card
from market.units import Fen
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest
from market.web.edge.language import language_of
from market.web.parts import fields
from market.web.parts.changed_meanwhile import SEEN, merged
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.trade import BARE, KEY, acting, do_filled, new_key, show

LIMIT = Form(
    limit=fields.money(
        msg("采购员单笔限额"), optional=True, hint=msg("超过的要采购经理审批；不填就是不限。")
    ),
    key=KEY,
    seen=SEEN,
)


def buys(kept: KeptOrganisation) -> bool:
    """Whether the organisation is able to buy, so that limits mean something in it."""
    return BUY in Standing(kept.kind, granted=kept.granted, withheld=kept.withheld).capabilities


def role_form(kept: KeptOrganisation, viewer: Viewer) -> Form:
    """Return the form that gives a member another role."""
    further = {}
    if buys(kept):
        further["most"] = fields.money(
            msg("审批限额"), optional=True, hint=msg("只对采购经理有用；不填就是不限。")
        )
    return Form(role=fields.choice(msg("角色"), kept.roles(viewer)), **further, key=KEY, seen=SEEN)


def may_change(kept: KeptOrganisation, member: MemberRow, viewer: Viewer) -> bool:
    """Whether the viewer changes a member's role: an administrator's only who may make one."""
    return ADMINISTRATOR not in member.roles or ADMINISTRATOR in kept.roles(viewer)


@get("/people/organisations/{organisation_id:int}/members")
async def index(request: WebRequest, viewer: SignedIn, organisation_id: FromPath[int]) -> Response[str]:
    """List the people of an organisation with what may be changed."""
    kept = await organisation_kept_by(viewer, organisation_id=row_number(organisation_id))
    return await _draw(request, viewer, kept)


async def _draw(
    request: WebRequest,
    viewer: Viewer,
    kept: KeptOrganisation,
    *,
    refused: tuple[str, Filled] | None = None,
    status: int = 200,
) -> Response[str]:
    people = await members_of(organisation_id=kept.id)
    forms = await _forms(kept, people, viewer)
    if refused:
        forms[refused[0]] = refused[1]
    return show(
        request,
        "organisation/people.html",
        status=status,
        kept=kept,
        people=people,
        forms=forms,
        buys=buys(kept),
        roles=ROLES,
        masked=masked,
        changeable={each.person for each in people if may_change(kept, each, viewer)},
    )


async def _forms(kept: KeptOrganisation, people: list[MemberRow], viewer: Viewer) -> dict[str, Filled]:
    """Return the forms of the page with what stands now in them."""
    most = (await own_card(organisation_id=kept.id)).buyer_limit
    limit = LIMIT.blank(limit=None if most is None else Fen(most), key=new_key(), seen=marks_of(Limit(most)))
    return {"limit": limit} | {f"role-{each.person}": _role_blank(kept, each, viewer) for each in people}


def _role_blank(kept: KeptOrganisation, member: MemberRow, viewer: Viewer) -> Filled:
    seen = marks_of(Part(member.roles[0], member.most))
    form, values = role_form(kept, viewer), {"role": member.roles[0], "key": new_key(), "seen": seen}
    if "most" in form.fields and member.most:
        return form.blank(**values, most=Fen(member.most))
    return form.blank(**values)


async def _change(
    request: WebRequest,
    viewer: Viewer,
    kept: KeptOrganisation,
    filled: Filled,
    which: str,
    about: dict[str, Any],
    deed: Any,
) -> Response[Any]:
    """Do what a form of the page asks for."""
    actor = acting(viewer, viewer.side)
    people = await members_of(organisation_id=kept.id)
    if not all(may_change(kept, each, viewer) for each in people if each.person == about.get("person")):
        raise NotAllowed(msg("管理员的角色由管理员或县里来改。"))
    typed = {name: given for name, given in filled.typed.items() if name != "key"}
    try:
        filled.check()
        await do_filled(
            viewer,
            filled,
            which.partition("-")[0],
            {"organisation": kept.id, **about, "typed": typed},
            lambda at: deed(organisation_id=kept.id, actor=actor, at=at),
        )
    except Invalid as error:
        return await _draw(request, viewer, kept, refused=(which, filled.refused(error)), status=422)
    except ChangedMeanwhile as changed:
        fresh = (await _forms(kept, await members_of(organisation_id=kept.id), viewer))[which]
        again = merged(filled, changed, fresh=fresh, language=language_of(request))
        return await _draw(request, viewer, kept, refused=(which, again), status=409)
    return redirect(request, f"/people/organisations/{kept.id}/members", toast=msg("已保存。"))


@post("/people/organisations/{organisation_id:int}/members/{person_id:int}/role")
async def set_role(
    request: WebRequest, viewer: SignedIn, organisation_id: FromPath[int], person_id: FromPath[int]
) -> Response[Any]:
    """Give a member another role."""
    kept = await organisation_kept_by(viewer, organisation_id=row_number(organisation_id))
    filled = await role_form(kept, viewer).read(request)
    number = row_number(person_id)

    async def deed(**given: Any) -> None:
        role, most = filled.values["role"], filled.values.get("most")
        await members.set_role(person_id=number, role=role, most=most, seen=filled.values["seen"], **given)

    return await _change(request, viewer, kept, filled, f"role-{number}", {"person": number}, deed)


@post("/people/organisations/{organisation_id:int}/members/{person_id:int}/end")
async def end(
    request: WebRequest, viewer: SignedIn, organisation_id: FromPath[int], person_id: FromPath[int]
) -> Response[Any]:
    """Let a member leave; its sessions for this organisation end."""
    kept = await organisation_kept_by(viewer, organisation_id=row_number(organisation_id))
    filled = await BARE.read(request)
    number = row_number(person_id)

    async def deed(**given: Any) -> None:
        await members.end_membership(person_id=number, **given)

    answer = await _change(request, viewer, kept, filled, "end", {"person": number}, deed)
    # who has ended their own membership has no page here any more
    return redirect(request, "/") if number == viewer.person_id and answer.status_code == 303 else answer


@post("/people/organisations/{organisation_id:int}/limit")
async def set_limit(request: WebRequest, viewer: SignedIn, organisation_id: FromPath[int]) -> Response[Any]:
    """Say up to which sum a buyer commits the organisation alone."""
    kept = await organisation_kept_by(viewer, organisation_id=row_number(organisation_id))
    filled = await LIMIT.read(request)

    async def deed(**given: Any) -> None:
        await members.set_buyer_limit(limit=filled.values["limit"], seen=filled.values["seen"], **given)

    return await _change(request, viewer, kept, filled, "limit", {}, deed)


routes: list[ControllerRouterHandler] = [index, set_role, end, set_limit]
