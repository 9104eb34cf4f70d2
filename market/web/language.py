"""Which language the reader wants: Chinese unless they asked for another.

``?lang=en`` on any address decides and is remembered in a cookie; then comes the cookie, then the
language of the signed-in person. Accept-Language is ignored: many phones of the villages ship with
it set to English.
"""

from typing import cast
from urllib.parse import urlencode

from market.i18n import LANGUAGES, Language
from market.web import cookies
from market.web.cookies import Connection

_COOKIE = "lang"


def language_of(connection: Connection) -> Language:
    """Return the reader's language, remembering a choice made in the address."""
    asked = connection.query_params.get("lang")
    kept = cookies.read(connection, _COOKIE)
    if asked in LANGUAGES:
        if asked != kept:
            cookies.put(connection, _COOKIE, asked, max_age=cookies.YEAR)
        return cast(Language, asked)
    if kept in LANGUAGES:
        return cast(Language, kept)
    viewer = connection.scope.get("user")
    spoken = getattr(viewer, "language", None)
    return cast(Language, spoken) if spoken in LANGUAGES else "zh"


def switch_path(connection: Connection, language: Language) -> str:
    """Return this same address in ``language``: every other part of the query is kept."""
    kept = [(name, value) for name, value in connection.query_params.multi_items() if name != "lang"]
    return f"{connection.scope['path']}?{urlencode([*kept, ('lang', language)])}"
