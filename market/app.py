"""The application: what the server runs. Settings come in, routes are gathered, the edges are put around."""

import gc
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from litestar import Litestar, Router
from litestar.config.compression import CompressionConfig
from litestar.datastructures import State
from litestar.di import Provide
from litestar.types import ControllerRouterHandler, Message, Scope

from market import clock, settings
from market.accounts.rules import Viewer
from market.accounts.sessions import SEEN_EVERY, mark_seen
from market.accounts.tokens import mark_used
from market.accounts.viewers import viewer_of
from market.api.document import openapi_config
from market.api.routes import routes as api_routes
from market.db.jobs import working
from market.db.session import started_pool
from market.upkeep import schedule_upkeep
from market.web.edge import assets, cookies, guards
from market.web.edge.cookies import Edge
from market.web.edge.csrf import CheckToken
from market.web.edge.door import Door, edge_from
from market.web.edge.guards import FindViewer
from market.web.parts import errors, style
from market.web.parts.pages import environment, request_id
from market.web.routes import routes as web_routes

#: No inline script, style or foreign host: what an injected string could use is not there.
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    b"connect-src 'self'; media-src 'self' blob:; worker-src 'self'; manifest-src 'self'; object-src 'none'; "
    b"frame-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
#: As they go over the wire, for they are looked at with every answer.
_HEADERS = (
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"x-permitted-cross-domain-policies", b"none"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"permissions-policy",
        b"camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()",
    ),
    # whatever says nothing of its own is somebody's: no cache keeps it
    (b"cache-control", b"no-store"),
)
#: Bytes of a request's body; routes that take files say more themselves.
_MOST_BODY = 1_000_000
_HSTS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


def create_app(
    *,
    edge: Edge | None = None,
    find_viewer: FindViewer | None = None,
    lifespan: Sequence[Lifespan] | None = None,
    routes: Sequence[ControllerRouterHandler] = web_routes,
) -> Litestar:
    """Return the application. Every argument has the real thing for its default."""
    edge = edge or edge_from(settings.settings(), secret=settings.secret_key())
    pages: list[ControllerRouterHandler] = [*routes]
    if edge.development:
        pages.extend(style.routes)
    app = Litestar(
        route_handlers=[
            Router("/", route_handlers=pages, include_in_schema=False),
            Router("/api", route_handlers=list(api_routes)),
        ],
        dependencies={
            "viewer": Provide(guards.signed_in),
            "guest": Provide(guards.anybody),
            "language": Provide(guards.reading),
        },
        middleware=[guards.LoadViewer, CheckToken],
        before_send=[_put_headers, cookies.send_cookies],
        exception_handlers=errors.HANDLERS,
        compression_config=CompressionConfig(
            backend="brotli", brotli_quality=5, minimum_size=800, exclude_opt_key="is_asset"
        ),
        openapi_config=openapi_config(),
        request_max_body_size=_MOST_BODY,
        lifespan=list(lifespan if lifespan is not None else [_serving]),
        state=State(
            {
                "edge": edge,
                "find_viewer": find_viewer or _viewer_of,
            }
        ),
        logging_config=None,
    )
    app.state.paths = frozenset(route.path for route in app.routes)
    app.asgi_handler = Door(app.asgi_handler, edge=edge, tell=errors.tell)
    environment()
    assets.manifest()
    return app


@asynccontextmanager
async def _serving(_: Litestar) -> AsyncIterator[None]:
    """Run the pool, and in this same process a worker for the jobs."""
    async with started_pool():
        await schedule_upkeep()
        async with working(tasks=settings.settings().job_tasks):
            stay()
            yield


def stay() -> None:
    """Let what has been built so far stay: no collection of garbage looks at it again.

    Routes, templates and dictionaries live as long as the process. To go over them took a fifth of a second
    in which nobody was answered, every few seconds under load.
    """
    gc.collect()
    gc.freeze()


async def _viewer_of(token_hash: bytes, for_page: bool) -> Viewer | None:
    at = clock.now()
    viewer = await viewer_of(token_hash, for_page=for_page)
    if viewer and viewer.seen_at and viewer.seen_at < at - SEEN_EVERY:
        if viewer.token_id is None:
            await mark_seen(session_id=viewer.session_id, at=at)
        else:
            await mark_used(token_id=viewer.token_id, at=at)
    return viewer


async def _put_headers(message: Message, scope: Scope) -> None:
    if message["type"] != "http.response.start":
        return
    headers = list(message.get("headers", ()))
    said = {name.lower() for name, _ in headers}
    headers += [line for line in _HEADERS if line[0] not in said]
    if scope["app"].state.edge.secure:
        headers.append(_HSTS)
    headers.append((b"x-request-id", request_id(scope).encode()))
    message["headers"] = headers
