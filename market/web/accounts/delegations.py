"""代录: whom an organisation lets act for it, and for whom one may act oneself."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import DEEDS, Viewer
from market.accounts.sessions import switch_organisation
from market.catalogue.persons import person_in
from market.errors import Invalid, NotAllowed, NotFound
from market.i18n import Message, msg
from market.organisations import delegating
from market.organisations.delegating import AGENT_ROLES, Sheet, agents_for, given_by, held_by
from market.web.accounts.organisation import keeper
from market.web.accounts.signin import keep_session
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest
from market.web.edge.language import language_of
from market.web.parts import fields
from market.web.parts.forms import FileField, Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.pictures import ENDINGS, MOST_BYTES, picture_from
from market.web.parts.scans import scan_response
from market.web.parts.trade import BARE, KEY, acting, do_filled, name_in, new_key, show
from market.web.parts.typed import Wrong


def _what() -> dict[str, fields.Field]:
    return {
        "deeds": fields.choices(msg("可以代办什么"), DEEDS, required=True),
        "until": fields.day(msg("到哪天为止"), hint=msg("最长一年，随时可以撤销。")),
        "words": fields.text(msg("备注"), most=delegating.LONGEST_WORDS, lines=True, optional=True),
    }


HOUSEHOLD = Form(
    name=fields.text(msg("户主姓名"), most=delegating.LONGEST_NAME),
    **_what(),
    sheet=FileField(
        label=msg("签了字的委托书照片"),
        endings=ENDINGS,
        most_bytes=MOST_BYTES,
        hint=msg("户主亲笔签名或按手印，写明可以代办什么、到哪天。"),
    ),
    key=KEY,
)


async def _grant_form(request: WebRequest, viewer: Viewer) -> Form:
    language = language_of(request)
    agents: dict[str, Message | str] = {
        str(each.person): " · ".join(
            (
                person_in(name_in(language, each, "name"), language),
                name_in(language, each, "organisation_name"),
            )
        )
        for each in await agents_for(organisation_id=viewer.organisation_id)
    }
    return Form(agent=fields.choice(msg("请谁代办"), agents), **_what(), key=KEY)


def _takes_households(viewer: Viewer) -> bool:
    return viewer.delegation_id is None and bool(viewer.roles & set(AGENT_ROLES))


@get("/delegations")
async def index(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """Show who acts for the organisation, and for whom the viewer acts."""
    return await _draw(request, viewer)


async def _draw(
    request: WebRequest, viewer: Viewer, *, refused: tuple[str, Filled] | None = None, status: int = 200
) -> Response[str]:
    grant = await _grant_form(request, viewer)
    forms = {"grant": grant.blank(key=new_key()), "household": HOUSEHOLD.blank(key=new_key())}
    if refused:
        forms[refused[0]] = refused[1]
    own = viewer.delegation_id is None
    number = viewer.organisation_id
    return show(
        request,
        "organisation/delegations.html",
        status=status,
        forms=forms,
        given=await given_by(organisation_id=number) if viewer.keeps else [],
        held=await held_by(person_id=viewer.person_id, organisation_id=number) if own else [],
        can_grant=viewer.keeps and bool(grant.fields["agent"].options),  # type: ignore[union-attr]
        takes_households=_takes_households(viewer),
        names=DEEDS,
    )


@post("/delegations")
async def grant(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Let an agent act for the organisation."""
    actor = acting(keeper(viewer), viewer.side)
    filled = await (await _grant_form(request, viewer)).read(request)
    try:
        filled.check()
        given = {name: filled.values[name] for name in ("deeds", "until")}
        await do_filled(
            viewer,
            filled,
            "delegate",
            {"typed": {name: typed for name, typed in filled.typed.items() if name != "key"}},
            lambda at: delegating.grant(
                agent_id=int(filled.values["agent"]),
                words=filled.values["words"] or "",
                organisation_id=viewer.organisation_id,
                actor=actor,
                at=at,
                **given,
            ),
        )
    except Invalid as error:
        return await _draw(request, viewer, refused=("grant", filled.refused(error)), status=422)
    return redirect(request, "/delegations", toast=msg("已委托，对方会收到通知；随时可以撤销。"))


@post("/delegations/households", request_max_body_size=MOST_BYTES + 100_000)
async def household(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Take in a household without a phone, by its signed sheet."""
    if not _takes_households(viewer):
        raise NotAllowed(msg("只有书记和驻村干部能给农户代办。"))
    filled = await HOUSEHOLD.read(request)
    try:
        filled.check()
        try:
            sheet = Sheet((await picture_from(filled.values["sheet"])).image)
        except Wrong as wrong:
            raise Invalid(wrong.message, {"sheet": wrong.message}) from None
        given = {name: filled.values[name] for name in ("name", "deeds", "until")}
        await do_filled(
            viewer,
            filled,
            "household",
            {"typed": {name: typed for name, typed in filled.typed.items() if name != "key"}},
            lambda at: delegating.register_household(
                words=filled.values["words"] or "",
                sheet=sheet,
                village_id=viewer.organisation_id,
                actor=acting(viewer, "seller"),
                at=at,
                **given,
            ),
        )
    except Invalid as error:
        return await _draw(request, viewer, refused=("household", filled.refused(error)), status=422)
    return redirect(request, "/delegations", toast=msg("农户已登记，可以开始代办。"))


@get("/delegations/{delegation_id:int}/sheet")
async def sheet(viewer: SignedIn, delegation_id: FromPath[int]) -> Response[bytes]:
    """Return the picture of the signed sheet."""
    if viewer.delegation_id is not None:
        raise NotFound(msg("没有找到这份委托书，它可能已到留存期。"))
    image = await delegating.sheet_of(
        delegation_id=row_number(delegation_id),
        person_id=viewer.person_id,
        organisation_id=viewer.organisation_id,
        keeps=viewer.keeps,
    )
    return scan_response("sheet.webp", "image/webp", image)


@post("/delegations/{delegation_id:int}/act")
async def act(request: WebRequest, viewer: SignedIn, delegation_id: FromPath[int]) -> Response[Any]:
    """Go on for the principal, under a new token."""
    (await BARE.read(request)).check()
    token = await delegating.begin_acting(
        delegation_id=row_number(delegation_id),
        session_id=viewer.session_id,
        person_id=viewer.person_id,
        at=clock.now(),
    )
    keep_session(request, token)
    return redirect(request, "/", toast=msg("现在代对方办理；每一步都记下是您代录的。"))


@post("/delegations/stop")
async def stop(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Go back to one's own organisation, under a new token."""
    (await BARE.read(request)).check()
    home = await delegating.home_of(delegation_id=viewer.delegation_id or 0, person_id=viewer.person_id)
    token = await switch_organisation(
        session_id=viewer.session_id, person_id=viewer.person_id, organisation_id=home
    )
    keep_session(request, token)
    return redirect(request, "/", toast=msg("已回到自己的单位。"))


@post("/delegations/{delegation_id:int}/revoke")
async def revoke(request: WebRequest, viewer: SignedIn, delegation_id: FromPath[int]) -> Response[Any]:
    """End it at once."""
    filled = await BARE.read(request)
    filled.check()
    actor = acting(keeper(viewer), viewer.side)
    number = row_number(delegation_id)
    await do_filled(
        viewer,
        filled,
        "revoke_delegation",
        {"delegation": number},
        lambda at: delegating.revoke(
            delegation_id=number, organisation_id=viewer.organisation_id, actor=actor, at=at
        ),
    )
    return redirect(request, "/delegations", toast=msg("委托已撤销，马上失效。"))


routes: list[ControllerRouterHandler] = [index, grant, household, sheet, act, stop, revoke]
