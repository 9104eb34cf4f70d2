"""Signing in for a token, and who one is."""

from typing import Annotated, Any

import msgspec
from litestar import Request
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from market import clock
from market.accounts import queries
from market.accounts.devices import PROGRAM
from market.accounts.queries import SiteRow
from market.accounts.rules import PASSWORD_LENGTH, SESSION_DAYS
from market.accounts.second_factor import show_code
from market.accounts.sessions import sign_out as end_session
from market.accounts.signing_in import sign_in as begin
from market.api.handling import deed, read
from market.api.inputs import SignedIn
from market.api.outputs import Moved
from market.errors import Invalid, MarketError
from market.i18n import msg


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    phone: Annotated[str, Meta(max_length=20, pattern=r"^[^\x00-\x1f\x7f]*$")]
    password: Annotated[str, Meta(max_length=PASSWORD_LENGTH[1])]
    #: Of the authenticator app, or a backup code; only where the account asks for one.
    code: Annotated[str, Meta(max_length=20, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""


class Session(msgspec.Struct, frozen=True):
    """Send it as `Authorization: Bearer <token>`."""

    token: str
    days: int


class Me(msgspec.Struct, frozen=True):
    """The person, the organisation acted for, and the sites of it that demands may name."""

    person: int
    name: str
    language: str
    organisation: int
    organisation_name: str
    organisation_name_en: str
    organisation_kind: str
    roles: list[str]
    sides: list[str]
    sites: list[SiteRow]


@deed("/sign-in", body=SignIn, status=201, guests=True)
async def sign_in(request: Request[Any, Any, Any], data: JSONBody[SignIn]) -> Session:
    """Begin a session and return its token."""
    opened = await begin(
        phone=data.phone,
        password=data.password,
        address=request.client.host if request.client else "-",
        at=clock.now(),
        device=PROGRAM,
    )
    if not opened.awaits:
        return Session(opened.token, SESSION_DAYS)
    try:
        token = await show_code(token=opened.token, code=data.code, at=clock.now())
    except MarketError:
        await end_session(token=opened.token)
        raise
    return Session(token, SESSION_DAYS)


@deed("/sign-out")
async def sign_out(request: Request[Any, Any, Any], viewer: SignedIn) -> Moved:  # noqa: ARG001  for the signed-in
    """End the session of the bearer token."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise Invalid(msg("请用 Authorization: Bearer 带上要结束的令牌。"))
    await end_session(token=token.strip())
    return Moved("signed_out")


@read("/me")
async def me(viewer: SignedIn) -> Me:
    """Who you are here."""
    return Me(
        person=viewer.person_id,
        name=viewer.name,
        language=viewer.language,
        organisation=viewer.organisation_id,
        organisation_name=viewer.organisation_name,
        organisation_name_en=viewer.organisation_name_en,
        organisation_kind=viewer.organisation_kind,
        roles=sorted(viewer.roles),
        sides=sorted(viewer.sides),
        sites=await queries.sites_of(organisation_id=viewer.organisation_id),
    )


routes: list[ControllerRouterHandler] = [sign_in, sign_out]
#: Programs may ask who they are.
open_to_tokens: list[ControllerRouterHandler] = [me]
