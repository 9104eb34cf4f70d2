"""What every address of the API shares: its decorators, documented errors, and deeds that count once."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from litestar import Request, Response, get, post
from litestar.connection import ASGIConnection
from litestar.datastructures import ResponseHeader
from litestar.exceptions import HTTPException, ValidationException
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Operation, Parameter, RequestBody, Schema
from litestar.types import Empty

from market import clock
from market.accounts.rules import Actor, Viewer, party_actor
from market.api.inputs import body_of, one_of_these
from market.api.outputs import AwaitsApproval, Moved, Problem
from market.db.replay import once
from market.errors import Invalid
from market.i18n import Message, msg
from market.meanwhile import ChangedMeanwhile, NotAsRead
from market.organisations.approving import or_ask

S = TypeVar("S", bound=msgspec.Struct)
Decorator = Callable[[Callable[..., Any]], HTTPRouteHandler]

_JSON = frozenset({"application/json", "text/json"})
#: Ways to say who one is; see ``document.py``.
_SIGNED_IN: list[dict[str, list[str]]] = [{"bearer": []}, {"session": []}]


def _told(*statuses: int) -> dict[int, ResponseSpec]:
    texts = {
        400: "The request cannot be read.",
        401: "Nobody is signed in.",
        403: "This account may not do this, or a request with the cookie lacks its token.",
        404: "There is no such thing, or it is not yours.",
        409: "The state has moved on since you looked.",
        412: "Somebody else has changed it since you read it: see `changed`.",
        413: "The body is too large.",
        415: "The body is said to be something else than JSON.",
        422: "Something is wrong with the input: see `fields`.",
        429: "Too many tries; wait a quarter of an hour.",
        503: "Busy: try again after `Retry-After` seconds.",
    }
    return {
        status: ResponseSpec(
            data_container=Problem,
            description=texts[status],
            media_type="application/problem+json",
            generate_examples=False,
        )
        for status in statuses
    }


#: What a deed that binds may come to as well.
_KEPT = {
    202: ResponseSpec(
        data_container=AwaitsApproval,
        description="Above your limit: it waits for a purchasing manager, and nothing was done yet.",
        generate_examples=False,
    )
}


_ETAG = ResponseHeader(
    name="ETag",
    documentation_only=True,
    description="What stands there now, for `If-Match` of the POST to this address.",
)


def read(
    path: str, *, guests: bool = False, operation: type[Operation] = Operation, marked: bool = False
) -> Decorator:
    """A GET. ``guests``: nobody needs to be signed in. ``marked``: it answers with :func:`marked_as`."""
    statuses = (400, 404, 422, 503) if guests else (400, 401, 403, 404, 422, 503)
    return get(
        path,
        operation_class=operation,
        response_description="What was asked for.",
        response_headers=[_ETAG] if marked else None,
        responses=_told(*statuses),
        security=None if guests else _SIGNED_IN,
    )


def deed(
    path: str,
    *,
    body: type[msgspec.Struct] | None = None,
    status: int = 200,
    guests: bool = False,
    limited: bool = False,
    matched: bool = False,
    most_bytes: int | None = None,
    bare: bool = False,
) -> Decorator:
    """A POST; its handler takes the body as ``data``. ``guests``: nobody needs to be signed in.

    ``limited``: it may be tried so often only. ``matched``: it takes ``If-Match``, see
    :func:`unless_changed`. ``most_bytes`` of a body that brings files. ``bare``: the body may be left away,
    the handler has a default.
    """
    statuses = (400, 401, 403, 404, 409, 413, 415, 422, 503, *((412,) if matched else ()))
    statuses = (*statuses, *((429,) if guests or limited else ()))
    return post(
        path,
        status_code=status,
        response_description="Done." if status < 202 else "It will be done.",
        dto=body_of(body) if body else None,
        operation_class=_MayBeBare if bare else Operation,
        return_dto=None,
        responses=_told(*statuses) | ({} if guests or status == 202 else _KEPT),
        security=None if guests else _SIGNED_IN,
        request_max_body_size=most_bytes or Empty,
    )


def marked_as(value: S, marks: str) -> Response[S]:
    """Return ``value`` with the marks of ``market.meanwhile`` as its ETag."""
    return Response(value, headers={"etag": f'"{marks}"'})


def seen_in(if_match: str | None) -> str | None:
    """Return the marks of an ``If-Match``; None, where it is meant whatever stands there."""
    return None if if_match in (None, "*") else if_match.removeprefix("W/").strip('"')


@contextmanager
def unless_changed(if_match: str | None) -> Iterator[None]:
    """What is done in here was to be done to what was read, where ``if_match`` says what that was.

    Raises: NotAsRead, for ChangedMeanwhile.
    """
    try:
        yield
    except ChangedMeanwhile as changed:
        if seen_in(if_match) is None:
            raise
        raise NotAsRead(changed) from None


@dataclass
class _MayBeBare(Operation):
    """A POST whose body may be left away."""

    def __post_init__(self) -> None:
        if isinstance(self.request_body, RequestBody):
            self.request_body.required = False


def with_query(parameters: Mapping[str, Schema]) -> type[Operation]:
    """Return an operation that documents query parameters which its handler reads by itself."""

    @dataclass
    class WithQuery(Operation):
        def __post_init__(self) -> None:
            added = [
                Parameter(name=name, param_in="query", schema=schema, description=schema.description)
                for name, schema in parameters.items()
            ]
            self.parameters = [*(self.parameters or []), *added]

    return WithQuery


class _Deed(msgspec.Struct, frozen=True):
    name: str
    about: dict[str, Any]


async def do_once(
    *,
    viewer: Viewer,
    key: str | None,
    name: str,
    about: dict[str, Any],
    do: Callable[[datetime], Awaitable[str]],
) -> Moved:
    """Do ``do`` and return the state that it leads to; the same key again only returns it.

    ``about`` is what the request asked for, in JSON's types: another wish under the same key is a Conflict.
    """
    at = clock.now()

    async def done() -> Moved:
        return Moved(await do(at))

    async def done_once() -> Moved:
        return await once(
            key=key,
            person_id=viewer.person_id,
            request=_Deed(name, about),
            reply_type=Moved,
            deed=done,
            at=at,
        )

    return await or_ask(done_once, at=at, key=key)


def acting(viewer: Viewer, side: str, *, deed: str | None = None) -> Actor:
    """Return the viewer as one who acts for ``side``: its organisation has that side of this very paper.

    ``deed`` names what binds (``accounts.rules.DEEDS``).
    """
    return party_actor(viewer, side, deed=deed)


async def takes_json(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Guard of every address: a body that is said to be something else is not read as JSON.

    Raises:
        HTTPException: 415. A body that is not said to be anything is read.
    """
    said = connection.headers.get("content-type", "").partition(";")[0].strip().lower()
    if connection.scope["method"] == "POST" and said and said not in _JSON:  # type: ignore[typeddict-item]
        raise HTTPException(status_code=415)


def refuse(request: Request[Any, Any, Any], error: ValidationException) -> Response[Any]:
    """Tell a faulty path, query or header as every other faulty input is told."""
    known = request.route_handler.parsed_fn_signature.parameters
    fields: dict[str, Message] = {}
    for part in error.extra if isinstance(error.extra, list) else []:
        if isinstance(part, dict):
            name, detail = str(part.get("key", "")), str(part.get("message", ""))
            if name in known and known[name].is_literal:
                fields[name] = one_of_these(known[name].args)
            else:
                fields[name] = msg("这个值不合要求（{detail}）。", detail=detail)
    tell: Any = request.app.exception_handlers[Exception]
    response: Response[Any] = tell(request, Invalid(msg("地址里的编号或参数不合要求，请检查。"), fields))
    return response
