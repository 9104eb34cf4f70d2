"""API tokens, over the API: made, listed and revoked by somebody who has signed in, never by a token."""

from typing import Annotated

import msgspec
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from market import clock
from market.accounts.rules import PASSWORD_LENGTH
from market.accounts.tokens import (
    LONGEST_NAME,
    SCOPES,
    Made,
    NewToken,
    TokenRow,
    make_token,
    revoke_token,
    tokens_of,
)
from market.api.handling import deed, read
from market.api.inputs import Code, PathId, SignedIn
from market.api.outputs import Moved

_ONE_LINE = r"^[^\x00-\x1f\x7f]*$"


class TokenRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(max_length=LONGEST_NAME, pattern=_ONE_LINE)]
    scopes: Annotated[tuple[Code, ...], Meta(max_length=len(SCOPES))]
    #: 30, 90 or 365.
    days: Annotated[int, Meta(ge=30, le=365)]
    #: Asked again: a session that somebody took must not make itself at home.
    password: Annotated[str, Meta(max_length=PASSWORD_LENGTH[1])]


@read("/tokens")
async def index(viewer: SignedIn) -> list[TokenRow]:
    """Your tokens, the revoked and the old ones too."""
    return await tokens_of(person_id=viewer.person_id)


@deed("/tokens", body=TokenRequest, status=201, limited=True)
async def make(viewer: SignedIn, data: JSONBody[TokenRequest]) -> Made:
    """Make a token for what you act for now. It is told this once: `Authorization: Bearer <token>`."""
    token = NewToken(name=data.name, scopes=data.scopes, days=data.days)
    return await make_token(viewer=viewer, token=token, password=data.password, at=clock.now())


@deed("/tokens/{token_id:int}/revoke")
async def revoke(viewer: SignedIn, token_id: PathId) -> Moved:
    """Let a token open nothing any more."""
    await revoke_token(viewer=viewer, token_id=token_id, at=clock.now())
    return Moved("revoked")


routes: list[ControllerRouterHandler] = [index, make, revoke]
