"""What is taken away in several files, because one does not take it all: which of them is asked for."""

from urllib.parse import urlencode

from market.errors import NotFound
from market.exchange.table_book import Piece, parts_of
from market.i18n import msg
from market.web.edge.guards import WebRequest
from market.web.parts.calendars import site_address


def part_asked(request: WebRequest) -> int:
    """Return which file of several the address asks for, from 1; nonsense is the first."""
    asked = request.query_params.get("part", "")
    return max(1, int(asked)) if asked.isascii() and asked.isdigit() and len(asked) < 7 else 1


def piece_of(request: WebRequest, *, part: int, most: int, total: int) -> Piece | None:
    """Return what a file says of the others beside it; None where one file has it all.

    Raises:
        NotFound: there are not so many files.
    """
    parts = parts_of(total, most)
    if part > parts:
        raise NotFound(msg("没有这个文件。"))
    if parts == 1:
        return None
    kept = [pair for pair in request.query_params.multi_items() if pair[0] != "part"]
    query = urlencode([*kept, ("part", part % parts + 1)])
    return Piece(part, most, total, f"{site_address(request)}{request.url.path}?{query}")
