"""How a page leaves: rendered with what every page needs, whole or as the fragment htmx asked for."""

import json
import secrets
from collections.abc import Callable
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any, cast

import jinja2
import msgspec
from jinja2 import pass_context
from jinja2.runtime import Context
from litestar import MediaType, Response
from litestar.types import Scope
from markupsafe import Markup

from market import clock
from market.catalogue.persons import person_in
from market.catalogue.places import STEP, place_in
from market.i18n import LANGUAGES, Language, Message, message_from, one_of, translate
from market.web.edge import assets, cookies, csrf
from market.web.edge.addresses import own_path
from market.web.edge.cookies import Connection
from market.web.edge.language import language_of, switch_path
from market.web.parts import charts, formats, navigation

_TEMPLATES = Path(__file__).parents[1] / "templates"
_TOAST = "toast"


class Reading(msgspec.Struct, frozen=True):
    """Who a template is drawn for, as far as macros and filters need it."""

    language: Language
    csrf_token: Callable[[], str]


_reading: ContextVar[Reading] = ContextVar("reading")


def page(
    request: Connection,
    template: str,
    *,
    fragment: str | None = None,
    status: int = 200,
    toast: Message | None = None,
    headers: dict[str, str] | None = None,
    **context: Any,
) -> Response[str]:
    """Return ``template`` drawn for the reader.

    ``fragment`` names the template that the page includes and that htmx gets instead of the whole.
    ``toast`` is a passing word on top of it (after a redirect it is :func:`redirect` that takes one).
    """
    out = {"vary": "HX-Request, Cookie", "cache-control": "no-store", **(headers or {})}
    language = language_of(request)
    is_part = fragment is not None and is_htmx(request)
    if is_part and toast is not None:
        out["hx-trigger"] = json.dumps({"toast": translate(toast, language, today=clock.today())})
    html = render(request, fragment if is_part and fragment else template, toast=toast, **context)
    return Response(html, media_type=MediaType.HTML, status_code=status, headers=out)


def render(request: Connection, template: str, *, toast: Message | None = None, **context: Any) -> str:
    """Return the drawn template as text, with what every page needs around ``context``."""
    language = language_of(request)
    toasts = [toast] if toast else []
    if not is_htmx(request):
        toasts += _kept_toast(request)
    path = own_path(request.scope)
    around: dict[str, object] = {
        # a request that met no route has no user: its error page shows no account at all
        "known": "user" in request.scope,
        "viewer": request.scope.get("user"),
        "unread": request.scope.get("auth") or 0,
        "to_be_told": request.scope["state"].get("to_be_told", False) and path != "/privacy",
        "lang": language,
        "path": path,
        "paths": request.app.state.paths,
        "switch_path": {other: switch_path(request, other) for other in LANGUAGES},
        "nav": navigation.entries_for(request.scope.get("user"), path, request.app.state.paths),
        "toasts": toasts,
        "request_id": request_id(request.scope),
        "development": cookies.edge(request).development,
        "today": clock.today(),
    }
    token = _reading.set(Reading(language, lambda: csrf.token(request)))
    try:
        return environment().get_template(template).render({**around, **context})
    finally:
        _reading.reset(token)


def redirect(request: Connection, path: str, *, toast: Message | None = None) -> Response[bytes]:
    """Return the way to ``path`` on this site; after a post this is the only good answer."""
    if not path.startswith("/") or path.startswith(("//", "/\\")) or not path.isprintable():
        raise ValueError(f"Not a path on this site: {path!r}")
    language_of(request)  # a choice made in the address outlives the way onward
    if toast is not None:
        stored = msgspec.json.encode(toast).decode()
        signed = cookies.sign(stored, secret=cookies.edge(request).secret, purpose=_TOAST)
        cookies.put(request, _TOAST, signed, max_age=60)
    if is_htmx(request):
        return Response(b"", status_code=204, headers={"hx-redirect": path})
    return Response(b"", status_code=303, headers={"location": path}, media_type=MediaType.TEXT)


def is_htmx(request: Connection) -> bool:
    """Tell whether htmx asks for a fragment; a page restored from its history must be whole."""
    headers = request.headers
    return headers.get("hx-request") == "true" and headers.get("hx-history-restore-request") != "true"


def request_id(scope: Scope) -> str:
    """Return the name that this request goes by in answers and in the log."""
    state = scope["state"]
    if "request_id" not in state:
        state["request_id"] = secrets.token_hex(8)
    return cast(str, state["request_id"])


def _kept_toast(request: Connection) -> list[Message]:
    signed = cookies.read(request, _TOAST)
    if not signed:
        return []
    cookies.drop(request, _TOAST)
    stored = cookies.unsign(signed, secret=cookies.edge(request).secret, purpose=_TOAST)
    return [message_from(msgspec.json.decode(stored))] if stored else []


@cache
def environment() -> jinja2.Environment:
    """Return the templates' environment. A name that is not there is an error, not an empty place."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        _=_translated,
        ui=_Components(made),
        asset=assets.asset_path,
        csrf_field=_csrf_field,
        csrf_header=_csrf_header,
    )
    made.filters.update(_filters())
    return made


class _Components:
    """``ui.button(...)`` in any template: every macro of templates/components, without importing it."""

    def __init__(self, owner: jinja2.Environment) -> None:
        self._owner = owner
        self._found: dict[str, object] = {}

    def __getattr__(self, name: str) -> object:
        if not self._found:
            for path in sorted((_TEMPLATES / "components").glob("*.html")):
                module = self._owner.get_template(f"components/{path.name}").module
                self._found.update({k: v for k, v in vars(module).items() if not k.startswith("_")})
        try:
            return self._found[name]
        except KeyError:
            raise AttributeError(f"templates/components has no macro {name!r}") from None


def reader_language() -> Language:
    """Return the language of the template that is being drawn."""
    return _reading.get().language


# pass_context keeps Jinja from working these out once and for all where the arguments are constants:
# the result hangs on the reader.


@pass_context
def _translated(_: Context, text: str | Message, /, **values: Any) -> str:
    message = text if isinstance(text, Message) else Message(text, values)
    return translate(message, reader_language(), today=clock.today())


@pass_context
def _csrf_field(_: Context) -> Markup:
    return Markup('<input type="hidden" name="{}" value="{}">').format(
        csrf.FIELD, _reading.get().csrf_token()
    )


@pass_context
def _csrf_header(_: Context) -> str:
    """The value of ``hx-headers`` on the body: htmx's posts carry the token even without a form."""
    return json.dumps({csrf.HEADER: _reading.get().csrf_token()})


@pass_context
def _place(_: Context, path: str, last: int = 0, joined: str = STEP) -> str:
    """A path of divisions in the reader's language; ``last``: only so many of its last steps."""
    return place_in(path, reader_language(), last=last, joined=joined)


@pass_context
def _person(_: Context, name: str | None) -> str:
    """A person's name in the reader's language."""
    return person_in(name or "", reader_language())


def _sentence(text: str) -> str:
    """Begin what stands alone with a capital; Chinese has none."""
    return text[:1].upper() + text[1:]


def _filters() -> dict[str, Callable[..., Any]]:
    def for_reader(write: Callable[..., str]) -> Callable[..., str]:
        @pass_context
        def written(_: Context, *values: Any) -> str:
            return write(*values, reader_language())

        return written

    names: dict[str, Callable[..., str]] = {
        "mass": formats.mass,
        "jin": formats.jin,
        "tonnes": formats.tonnes,
        "price": formats.price,
        "price_jin": formats.price_jin,
        "price_kg": formats.price_kg,
        "money": formats.money,
        "money_short": formats.money_short,
        "day": formats.day,
        "day_short": formats.day_short,
        "moment": formats.moment,
        "window": formats.window,
        "held_days": formats.held_days,
        "step_line": charts.step_line,
        "funnel": charts.funnel,
        "sankey": charts.sankey,
    }
    return {
        **{name: for_reader(write) for name, write in names.items()},
        "t": _translated,
        "place": _place,
        "person": _person,
        "number": formats.plain,
        "one_of": one_of,
        "sentence": _sentence,
        "grouped": formats.grouped,
        "percent": formats.percent,
        "phone_masked": formats.phone_masked,
    }
