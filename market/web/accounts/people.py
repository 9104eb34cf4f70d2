"""The people of the organisations that one looks after: who is there, and who is invited."""

from typing import Any

from litestar import Response, get, post
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules
from market.accounts.inviting import (
    INVITATION_DAYS,
    LONGEST_NAME,
    Given,
    NewInvitation,
    invitation_kept_by,
    invitations_kept_by,
    invite,
    renew_invitation,
    revoke_invitation,
)
from market.accounts.keeping import (
    KeptOrganisation,
    keeps_anybody,
    organisation_kept_by,
    organisations_kept_by,
    people_of,
)
from market.accounts.lifecycle import ACCOUNT_INVITATION
from market.accounts.recovery import recoveries_kept_by
from market.accounts.rules import Viewer
from market.errors import Invalid, NotAllowed
from market.i18n import msg
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, SignInNeeded, WebRequest
from market.web.parts import fields
from market.web.parts.calendars import site_address
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.qr import qr_code
from market.web.parts.shown_once import keep, take
from market.web.parts.trade import BARE, show

JOIN_PATH = "/join/"


def _keeper(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    viewer = connection.user
    if not isinstance(viewer, Viewer):
        raise SignInNeeded
    if not keeps_anybody(viewer):
        raise NotAllowed(msg("您的账号没有这项权限，请换用有权限的账号登录。"))


KEEPERS = [_keeper]


@get("/people", guards=KEEPERS)
async def index(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """What waits, and every organisation that the viewer looks after."""
    now = clock.now()
    return show(
        request,
        "people/index.html",
        invitations=await invitations_kept_by(viewer, at=now),
        recoveries=await recoveries_kept_by(viewer, at=now),
        organisations=await organisations_kept_by(viewer),
        kinds=rules.KINDS,
        ROLES=rules.ROLES,
        INVITATION=ACCOUNT_INVITATION,
        masked=rules.masked,
        now=now,
    )


def _form(organisation: KeptOrganisation, viewer: Viewer) -> Form:
    return Form(
        role=fields.choice(msg("角色"), organisation.roles(viewer), chips=True),
        name=fields.text(msg("姓名"), most=LONGEST_NAME),
        phone=fields.phone(
            msg("手机号"), hint=msg("账号就用这个号码；打开链接的人要填对它才能加入，请逐位核对。")
        ),
    )


@get("/people/organisations/{organisation_id:int}", guards=KEEPERS)
async def one(request: WebRequest, viewer: SignedIn, organisation_id: FromPath[int]) -> Response[str]:
    """Who is in an organisation, and the form that invites somebody else."""
    organisation = await organisation_kept_by(viewer, organisation_id=row_number(organisation_id))
    return await _draw(request, organisation, _form(organisation, viewer).blank())


async def _draw(
    request: WebRequest, organisation: KeptOrganisation, form: Filled, *, status: int = 200
) -> Response[str]:
    return show(
        request,
        "people/organisation.html",
        status=status,
        organisation=organisation,
        people=await people_of(organisation_id=organisation.id),
        form=form,
        kinds=rules.KINDS,
        ROLES=rules.ROLES,
        masked=rules.masked,
        days=INVITATION_DAYS,
    )


@post("/people/organisations/{organisation_id:int}", guards=KEEPERS)
async def add(request: WebRequest, viewer: SignedIn, organisation_id: FromPath[int]) -> Response[Any]:
    """Invite somebody. Sent once more it makes a new link, and the one before opens nothing."""
    organisation = await organisation_kept_by(viewer, organisation_id=row_number(organisation_id))
    filled = await _form(organisation, viewer).read(request)
    try:
        given = await invite(
            viewer=viewer,
            organisation_id=organisation.id,
            invitation=filled.into(NewInvitation),
            at=clock.now(),
        )
    except Invalid as refused:
        return await _draw(request, organisation, filled.refused(refused), status=422)
    return _give(request, given)


@post("/people/invitations/{invitation_id:int}/renew", guards=KEEPERS)
async def renew(request: WebRequest, viewer: SignedIn, invitation_id: FromPath[int]) -> Response[Any]:
    """Give out a new link for an open invitation."""
    (await BARE.read(request)).check()
    given = await renew_invitation(viewer=viewer, invitation_id=row_number(invitation_id), at=clock.now())
    return _give(request, given)


def _give(request: WebRequest, given: Given) -> Response[bytes]:
    """Lead to the page that shows the link, this once: it is stored nowhere."""
    keep(request, f"invitation-{given.id}", given.token)
    return redirect(request, f"/people/invitations/{given.id}/link")


@get("/people/invitations/{invitation_id:int}/link", guards=KEEPERS)
async def link_given(request: WebRequest, viewer: SignedIn, invitation_id: FromPath[int]) -> Response[Any]:
    """Show the link of an invitation that was made just now."""
    row = await invitation_kept_by(viewer, invitation_id=row_number(invitation_id))
    token = take(request, f"invitation-{row.id}", str)
    if token is None:
        gone = msg("链接只显示一次，已经显示过了；弄丢了，就在这里换新链接。")
        return redirect(request, "/people", toast=gone)
    link = site_address(request) + JOIN_PATH + token
    return show(
        request,
        "people/given.html",
        row=row,
        link=link,
        code=qr_code(link),
        ROLES=rules.ROLES,
        masked=rules.masked,
    )


@post("/people/invitations/{invitation_id:int}/revoke", guards=KEEPERS)
async def revoke(request: WebRequest, viewer: SignedIn, invitation_id: FromPath[int]) -> Response[bytes]:
    """Let the link open nothing any more."""
    (await BARE.read(request)).check()
    await revoke_invitation(viewer=viewer, invitation_id=row_number(invitation_id), at=clock.now())
    return redirect(request, "/people", toast=msg("邀请已撤回，链接和二维码都打不开了。"))


routes: list[ControllerRouterHandler] = [index, one, add, renew, link_given, revoke]
