"""Who is looking, and what a handler asks of them.

A handler that takes ``viewer: SignedIn`` is for people who have signed in; one that takes
``guest: Anybody`` is for all. ``guards=[require("official")]`` asks for a role or a side.
"""

from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

from litestar import Request
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.middleware.authentication import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.types import Guard

from market.accounts import rules
from market.accounts.rules import Viewer, token_hash
from market.accounts.second_factor import is_required
from market.errors import MarketError, NotAllowed
from market.i18n import Language, msg
from market.notices.readers import hearing
from market.privacy.rules import VERSION
from market.web.edge import cookies
from market.web.edge.addresses import is_own, own_path
from market.web.edge.agents import check_agent
from market.web.edge.cookies import Connection
from market.web.edge.csrf import SESSION, bearer
from market.web.edge.language import language_of

#: Finds the viewer of a session by the SHA-256 of its token; told whether a whole page is asked for.
FindViewer = Callable[[bytes, bool], Awaitable[Viewer | None]]

WebRequest = Request[Viewer | None, int, State]
SignedIn = NamedDependency[Viewer]
Anybody = NamedDependency[Viewer | None]


class SignInNeeded(MarketError):
    """Nobody is signed in. Browsers are led to the sign-in page and from there back again."""

    def __init__(self) -> None:
        super().__init__(msg("请先登录。"))


class SecondFactorNeeded(NotAllowed):
    """The installation asks this role for a second factor. Browsers are led to where one is made."""

    def __init__(self) -> None:
        super().__init__(msg("您的角色必须先开第二重验证：请在“我的账号”里开。"))


#: What is open to somebody who has yet to make a second factor.
_FACTOR_PATHS = ("/account/second-factor", "/account/language", "/sign-out", "/api/v1/sign-out")


def _lead_to_factor(path: str) -> None:
    if not path.startswith(_FACTOR_PATHS):
        raise SecondFactorNeeded


class LoadViewer(AbstractAuthenticationMiddleware):
    """Read the session cookie (or a bearer token) once; ``request.user`` is the viewer or None."""

    async def authenticate_request(self, connection: Connection) -> AuthenticationResult:
        shown = bearer(connection)
        token = shown or cookies.read(connection, SESSION)
        if not token:
            return AuthenticationResult(user=None, auth=0)
        is_page = connection.scope.get("method") == "GET" and not _is_part(connection)
        viewer = await connection.app.state.find_viewer(token_hash(token), is_page)
        if viewer is not None and viewer.scopes is not None and shown is None:
            # an API token in the place of the cookie: pages ask for no scope, so none opens them
            viewer = None
        if viewer is not None and not viewer.has_factor and is_required(viewer.roles):
            _lead_to_factor(connection.scope["path"])
        if viewer is not None:
            scope = connection.scope
            check_agent(viewer, method=str(scope.get("method")), path=str(scope.get("path_template", "")))
            scope["state"]["to_be_told"] = is_page and viewer.notice_read != VERSION
        return AuthenticationResult(
            user=viewer, auth=_unread(viewer) if viewer is not None and is_page else 0
        )


def _unread(viewer: Viewer) -> int:
    """Return how many notices are new among those that reach the viewer."""
    unheard = hearing(viewer).unheard
    return sum(count for kind, count in viewer.unread.items() if kind not in unheard)


def _is_part(connection: Connection) -> bool:
    return "hx-request" in connection.headers or connection.scope["path"].startswith("/api/")


async def signed_in(request: WebRequest) -> Viewer:
    """Dependency ``viewer``.

    Raises:
        SignInNeeded: nobody is signed in.
    """
    if request.user is None:
        raise SignInNeeded
    return request.user


async def anybody(request: WebRequest) -> Viewer | None:
    """Dependency ``guest``: the viewer, or None."""
    return request.user


async def reading(request: WebRequest) -> Language:
    """Dependency ``language``: what the reader reads."""
    return language_of(request)


def require(*who: str) -> Guard:
    """Return a guard that lets in people with one of these roles or sides, and nobody else."""

    async def guard(connection: Connection, _: BaseRouteHandler) -> None:
        viewer = connection.scope.get("user")  # a preflight has none
        if not isinstance(viewer, Viewer):
            raise SignInNeeded
        rules.require(viewer, *who)

    return guard


#: For the pages of a town's officials.
OFFICIAL = [require("official")]


def sign_in_path(connection: Connection) -> str:
    """Return the sign-in page's address, which leads back here; after a post it leads home."""
    if connection.scope.get("method") != "GET" or connection.scope["path"] == "/":
        return "/sign-in"
    query = connection.scope.get("query_string", b"").decode("latin-1")
    here = own_path(connection.scope) + (f"?{query}" if query else "")
    return f"/sign-in?{urlencode({'next': here})}"


def safe_path(path: str | None) -> str:
    """Return ``path`` if it lies on this site, and ``/`` otherwise: no open redirects."""
    return path if path and is_own(path) else "/"
