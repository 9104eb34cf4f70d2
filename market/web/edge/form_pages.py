"""Which page a form belongs to, where the address that it is sent to shows none.

``/bids/4/counter`` takes a post; what stands at it belongs to ``/bids/4``. Whoever opens, reloads or switches
the language of such an address is led to that page.
"""

import re
from collections.abc import Mapping
from typing import Any, cast

from litestar import Litestar
from litestar.types import Scope

#: What a part of an address may be, by the kind that its route declares.
_PARTS: dict[type, str] = {int: r"\d+"}
#: Where the application keeps what can be opened.
_PAGES = "addresses_of_pages"


def page_of(scope: Scope) -> str:
    """Return the path of the nearest page at or above the one that was asked for: at last the first page."""
    app = cast(Mapping[str, Any], scope).get("litestar_app")
    if app is None:
        return "/"  # turned away before the application saw it
    pages, path = _pages(app), "/" + scope["path"].strip("/\\")
    while path != "/" and not pages.fullmatch(path):
        path = path.rpartition("/")[0] or "/"
    return path


def _pages(app: Litestar) -> re.Pattern[str]:
    """Return the pattern of every address of the site that can be opened."""
    if _PAGES not in app.state:
        paths = [
            "".join(
                "/" + (re.escape(part) if isinstance(part, str) else _PARTS.get(part.type, "[^/]+"))
                for part in route.path_components
            )
            for route in app.routes
            if "GET" in route.methods and not route.path.startswith("/api/")
        ]
        app.state[_PAGES] = re.compile("|".join(paths))
    return cast("re.Pattern[str]", app.state[_PAGES])
