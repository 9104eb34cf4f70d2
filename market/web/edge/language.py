"""Which language the reader wants: Chinese unless they asked for another.

``?lang=en`` on any address decides and is remembered in a cookie; then comes the cookie, then the
language of the signed-in person. Pages ignore Accept-Language: many phones of the villages ship with
it set to English. Programs that call the API set it on purpose, and are heard.
"""

from urllib.parse import parse_qsl, urlencode

from market.i18n import LANGUAGES, Language
from market.web.edge import cookies
from market.web.edge.addresses import own_path, quoted
from market.web.edge.cookies import Connection
from market.web.edge.form_pages import page_of

_COOKIE = "lang"


def language_of(connection: Connection) -> Language:
    """Return the reader's language, remembering a choice made in the address."""
    kept = _known(cookies.read(connection, _COOKIE))
    asked = _known(connection.query_params.get("lang"))
    if asked and asked != kept:
        cookies.put(connection, _COOKIE, asked, max_age=cookies.YEAR)
    wanted = _accepted(connection) if connection.scope["path"].startswith("/api/") else None
    known = _known(getattr(connection.scope.get("user"), "language", None))
    return asked or wanted or kept or known or "zh"


def _accepted(connection: Connection) -> Language | None:
    """Return the first known language of Accept-Language; weights are not read."""
    for part in connection.headers.get("accept-language", "").split(","):
        known = _known(part.partition(";")[0].partition("-")[0].strip().lower())
        if known:
            return known
    return None


def _known(name: object) -> Language | None:
    return next((language for language in LANGUAGES if language == name), None)


def switch_path(connection: Connection, language: Language) -> str:
    """Return this same address in ``language``: every other part of the query is kept.

    What a post was answered with may stand at no page's address: then it is the page of its form.
    """
    query = connection.scope.get("query_string", b"").decode("latin-1")
    kept = [(name, value) for name, value in parse_qsl(query) if name != "lang"]
    path = own_path(connection.scope)
    if connection.scope.get("method", "GET") not in ("GET", "HEAD"):
        path = quoted(page_of(connection.scope))
    return f"{path}?{urlencode([*kept, ('lang', language)])}"
