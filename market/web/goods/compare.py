"""Up to five lots side by side."""

from collections.abc import Callable, Sequence

from litestar import Response, get
from litestar.types import ControllerRouterHandler

from market.errors import NotFound
from market.i18n import Language, Message, msg, translate
from market.supply.queries import ListingDetails, listing_page
from market.units import FenPerKg, Gram
from market.web.edge.addresses import MOST_ID
from market.web.edge.guards import Anybody, WebRequest
from market.web.edge.language import language_of
from market.web.parts import formats
from market.web.parts.pages import page

MOST_COMPARED = 5

#: A line of the table: label, a cell per lot, the place of the best one or None.
Line = tuple[Message, list[str], int | None]


@get("/compare")
async def show(request: WebRequest, guest: Anybody) -> Response[str]:
    """Compare the lots ``?ids=1&ids=2`` (or ``?ids=1,2``); what is gone or too many is told."""
    asked = _numbers(request.query_params.getall("ids", []))
    organisation = guest.organisation_id if guest else None
    found: list[ListingDetails] = []
    gone = 0
    for number in asked[:MOST_COMPARED]:
        try:
            found.append(await listing_page(number, organisation))
        except NotFound:
            gone += 1
    return page(
        request,
        "compare/show.html",
        found=found,
        lines=_lines(found, language_of(request)),
        gone=gone,
        left_out=max(0, len(asked) - MOST_COMPARED),
        without={
            each.listing_id: ",".join(str(o.listing_id) for o in found if o is not each) for each in found
        },
    )


def _numbers(texts: Sequence[str]) -> list[int]:
    """Return the numbers once each, in order; what is no number is passed over."""
    parts = [part.strip() for text in texts for part in text.split(",")]
    numbers = [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 20]
    return list(dict.fromkeys(number for number in numbers if 0 < number <= MOST_ID))


def _lines(lots: Sequence[ListingDetails], language: Language) -> list[Line]:
    def line(label: Message, write: Callable[[ListingDetails], str], best: int | None = None) -> Line:
        return label, [write(each) for each in lots], best

    def named(zh: str, en: str) -> str:
        return en if language == "en" and en else zh

    def say(text: Message) -> str:
        return translate(text, language)

    def credentials(lot: ListingDetails) -> str:
        return "、".join(named(each.zh, each.en) for each in lot.credentials) or say(msg("无"))

    def usual(lot: ListingDetails) -> str:
        if lot.price_low is None or lot.price_high is None:
            return "–"
        low, high = FenPerKg(lot.price_low), FenPerKg(lot.price_high)
        return f"{formats.price_jin(low, language)} – {formats.price_jin(high, language)}"

    return [
        line(
            msg("要价（地头价）"),
            lambda lot: formats.price_jin(FenPerKg(lot.ask), language),
            _best([-lot.ask for lot in lots]),
        ),
        line(msg("合每公斤"), lambda lot: formats.price_kg(FenPerKg(lot.ask), language)),
        line(msg("平常价"), usual),
        line(
            msg("剩余"),
            lambda lot: formats.mass(Gram(lot.remaining), language),
            _best([lot.remaining for lot in lots]),
        ),
        line(
            msg("起订量"),
            lambda lot: formats.mass(Gram(lot.min_order), language) if lot.min_order else say(msg("不限")),
        ),
        line(
            msg("等级"),
            lambda lot: named(lot.grade_zh, lot.grade_en) or "–",
            _best([lot.grade for lot in lots]),
        ),
        line(msg("品种"), lambda lot: lot.variety or "–"),
        line(msg("供应期"), lambda lot: formats.window(lot.available_from, lot.available_to, language)),
        line(msg("资质"), credentials, _best([len(lot.credentials) for lot in lots])),
        line(msg("产地"), lambda lot: " · ".join(lot.place.split(" / ")[-3:]) or "–"),
        line(msg("卖方"), lambda lot: named(lot.seller_name, lot.seller_name_en)),
    ]


def _best(worths: Sequence[int]) -> int | None:
    """Return the place of the one that is better than all others, if there is one."""
    if len(worths) < 2:
        return None
    most = max(worths)
    return worths.index(most) if worths.count(most) == 1 else None


routes: list[ControllerRouterHandler] = [show]
