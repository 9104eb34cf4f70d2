"""Which language the reader wants: Chinese unless they asked for another.

``?lang=en`` on any address decides and is remembered in a cookie; then comes the cookie, then the
language of the signed-in person. Accept-Language is ignored: many phones of the villages ship with
it set to English.
"""

from urllib.parse import parse_qsl, urlencode

from market.i18n import LANGUAGES, Language
from market.web import cookies
from market.web.cookies import Connection

_COOKIE = "lang"


def language_of(connection: Connection) -> Language:
    """Return the reader's language, remembering a choice made in the address."""
    kept = _known(cookies.read(connection, _COOKIE))
    asked = _known(connection.query_params.get("lang"))
    if asked and asked != kept:
        cookies.put(connection, _COOKIE, asked, max_age=cookies.YEAR)
    return asked or kept or _known(getattr(connection.scope.get("user"), "language", None)) or "zh"


def _known(name: object) -> Language | None:
    return next((language for language in LANGUAGES if language == name), None)


def switch_path(connection: Connection, language: Language) -> str:
    """Return this same address in ``language``: every other part of the query is kept."""
    query = connection.scope.get("query_string", b"").decode("latin-1")
    kept = [(name, value) for name, value in parse_qsl(query) if name != "lang"]
    return f"{connection.scope['path']}?{urlencode([*kept, ('lang', language)])}"
