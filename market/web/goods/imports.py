"""Bringing a whole ledger in: a template to fill, the file sent, and what became of every row."""

import asyncio
import base64
import hmac
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.queries import sites_of
from market.accounts.rules import Viewer
from market.catalogue.queries import all_produce, credential_kinds, grades
from market.demand.rules import DEMAND
from market.errors import Invalid
from market.exchange import demand_sheet, listing_sheet, workbooks
from market.exchange.sheet_import import ENDINGS, MOST_BYTES, MOST_ROWS, Column, Fault, Table, read_table
from market.exchange.table_book import MEDIA_TYPE
from market.i18n import Language, Message, msg, translate
from market.supply.rules import LISTING, SUSPENDED
from market.web.edge import cookies
from market.web.edge.guards import SignedIn, WebRequest, require
from market.web.edge.language import language_of
from market.web.goods.imported_rows import Ended, Outcome, take_demands, take_listings
from market.web.parts.downloads import attachment
from market.web.parts.fields import Field
from market.web.parts.forms import FileField, Filled, Form, Upload
from market.web.parts.trade import show

#: Faults that the page lists; the workbook has them all.
_MOST_SHOWN = 100
#: Above the cap of the file itself, so that a file slightly too large is told so beside its field.
_MOST_BODY = 12_000_000
_REST = "sheet-rest"


class Ledger(msgspec.Struct, frozen=True):
    """What can be brought in: its pages, its columns, and how rows become what."""

    path: str
    home: str
    crumb: Message
    title: Message
    lead: Message
    sheet: Message
    #: The plain name of its files.
    file: str
    columns: tuple[Column, ...]
    examples: Mapping[Language, Mapping[str, str]]
    take: Callable[[Table, Viewer, Language], Awaitable[Outcome]]
    see: Message


LISTINGS = Ledger(
    path="/selling/import",
    home="/selling",
    crumb=msg("我的货源"),
    title=msg("从表格导入货源"),
    lead=msg("合作社的台账不用一批一批地抄：填好模板传上来，一次上架。"),
    sheet=msg("货源"),
    file="listings",
    columns=listing_sheet.COLUMNS,
    examples={"zh": listing_sheet.EXAMPLE, "en": listing_sheet.EXAMPLE_EN},
    take=take_listings,
    see=msg("看我的货源"),
)
DEMANDS = Ledger(
    path="/demands/import",
    home="/demands",
    crumb=msg("采购需求"),
    title=msg("从表格导入采购需求"),
    lead=msg("采购计划不用一条一条地抄：填好模板传上来，一次发布。"),
    sheet=msg("采购需求"),
    file="demands",
    columns=demand_sheet.COLUMNS,
    examples={"zh": demand_sheet.EXAMPLE, "en": demand_sheet.EXAMPLE_EN},
    take=take_demands,
    see=msg("看采购需求"),
)

UPLOAD = Form(
    file=FileField(
        label=msg("填好的表格"),
        endings=ENDINGS,
        most_bytes=MOST_BYTES,
        hint=msg("Excel 或 WPS 的 .xlsx，或 .csv（UTF-8、GBK 都行）。最大 5 MB、2,000 行。"),
    )
)
_REST_FORM = Form(rest=Field(kind="hidden", label=msg("隐藏内容"), parse=lambda typed, _: typed))


class _Rest(msgspec.Struct, frozen=True):
    """The rows that were sent back, on their way through the reader's browser."""

    rows: list[tuple[int, dict[str, str]]]
    faults: list[Fault]


def _packed(request: WebRequest, outcome: Outcome) -> str:
    told = msgspec.json.encode(_Rest(outcome.rejected, outcome.faults))
    body = base64.urlsafe_b64encode(zlib.compress(told)).decode()
    return f"{body}.{cookies.digest(cookies.edge(request).secret, _REST, body)}"


def _unpacked(request: WebRequest, packed: str) -> _Rest:
    """
    Raises:
        Invalid: it is not what a page of ours held.
    """
    body, _, signature = packed.partition(".")
    expected = cookies.digest(cookies.edge(request).secret, _REST, body)
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise Invalid(msg("这张表取不回来了，请重新上传原来的文件。"))
    return msgspec.json.decode(zlib.decompress(base64.urlsafe_b64decode(body)), type=_Rest)


def _page(request: WebRequest, ledger: Ledger, form: Filled, *, status: int = 200) -> Response[str]:
    return show(request, "imports/upload.html", status=status, ledger=ledger, form=form, most_rows=MOST_ROWS)


async def _bring_in(request: WebRequest, viewer: Viewer, ledger: Ledger) -> Response[str]:
    filled = await UPLOAD.read(request)
    if filled.errors:
        return _page(request, ledger, filled, status=422)
    upload: Upload = filled.values["file"]
    try:
        table = await asyncio.to_thread(
            read_table, name=upload.name, raw=upload.content, columns=ledger.columns
        )
        outcome = await ledger.take(table, viewer, language_of(request))
    except Invalid as error:
        return _page(request, ledger, filled.refused(error), status=422)
    heads = {
        column.field: column.en if language_of(request) == "en" else column.zh for column in ledger.columns
    }
    return show(
        request,
        "imports/result.html",
        status=422 if outcome.faults and not (outcome.added or outcome.unchanged) else 200,
        ledger=ledger,
        name=upload.name[:80],
        outcome=outcome,
        ignored=table.ignored,
        faults=outcome.faults[:_MOST_SHOWN],
        heads=heads,
        again={each.row: _again(ledger, each) for each in outcome.ended[:_MOST_SHOWN]},
        states=(LISTING if ledger is LISTINGS else DEMAND).labels,
        packed=_packed(request, outcome) if outcome.rejected else "",
        form=UPLOAD.blank(),
    )


def _again(ledger: Ledger, ended: Ended) -> tuple[str, Message]:
    """Return where something of a row that is not open any more can be opened again, and how."""
    made = ended.made
    if ledger is DEMANDS:
        return f"/demands/{made.id}", msg("还要买，请换个标题再传一行，或在“采购需求”里重新发布。")
    if made.state == SUSPENDED:
        return f"/selling/{made.id}", msg("打开这批货源，点“恢复销售”。")
    if made.lot is not None:
        return f"/selling/lots/{made.lot}/sell", msg("还有库存：从库存重新上架。")
    return f"/selling/{made.id}", msg("还要卖，请换个标题再传一行。")


async def _rest(request: WebRequest, ledger: Ledger) -> Response[bytes]:
    filled = await _REST_FORM.read(request)
    filled.check()
    rest = _unpacked(request, filled.values["rest"])
    language = language_of(request)
    content = await asyncio.to_thread(
        workbooks.rest,
        name=translate(ledger.sheet, language),
        columns=ledger.columns,
        rows=rest.rows,
        faults=rest.faults,
        language=language,
    )
    return attachment(content, f"tiantou-{ledger.file}-to-mend.xlsx", MEDIA_TYPE)


async def _template(request: WebRequest, viewer: Viewer, ledger: Ledger) -> Response[bytes]:
    language = language_of(request)
    content = await asyncio.to_thread(
        workbooks.template,
        name=translate(ledger.sheet, language),
        columns=ledger.columns,
        example=ledger.examples[language],
        choices=await _choices(viewer, ledger, language),
        today=clock.today(),
        language=language,
    )
    return attachment(content, f"tiantou-{ledger.file}.xlsx", MEDIA_TYPE)


async def _choices(viewer: Viewer, ledger: Ledger, language: Language) -> dict[str, Sequence[str]]:
    """Return field -> what may stand in it, in the reader's language."""
    is_english = language == "en"

    def names(rows: Sequence[Any]) -> list[str]:
        return [row.en if is_english else row.zh for row in rows]

    produce, kinds, levels = names(await all_produce()), names(await credential_kinds()), await grades()
    masses = ["jin", "kg", "t"] if is_english else ["斤", "公斤", "吨"]
    prices = ["yuan/jin", "yuan/kg"] if is_english else ["元/斤", "元/公斤"]
    yes = ["yes"] if is_english else ["是"]
    if ledger is LISTINGS:
        return {
            "produce": produce,
            "quantity_unit": masses,
            "ask_unit": prices,
            "grade": names(levels),
            "credentials": kinds,
            "confirm": yes,
        }
    sites = await sites_of(organisation_id=viewer.organisation_id)
    return {
        "produce_text": produce,
        "quantity_unit": masses,
        "ceiling_unit": prices,
        "site_id": [(site.name_en if is_english else "") or site.name for site in sites],
        "min_grade": names([each for each in levels if each.level]),
        "requires": kinds,
        "sure": yes,
    }


@get("/selling/import", guards=[require("seller")])
async def listings_page(request: WebRequest) -> Response[str]:
    """Show how to bring in a ledger of goods."""
    return _page(request, LISTINGS, UPLOAD.blank())


@post("/selling/import", guards=[require("seller")], status_code=200, request_max_body_size=_MOST_BODY)
async def listings_in(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """Put the good rows on sale and tell what is wrong with the others."""
    return await _bring_in(request, viewer, LISTINGS)


@get("/selling/import/template.xlsx", guards=[require("seller")])
async def listings_template(request: WebRequest, viewer: SignedIn) -> Response[bytes]:
    """Return an empty ledger of goods."""
    return await _template(request, viewer, LISTINGS)


@post("/selling/import/rest", status_code=200, guards=[require("seller")], request_max_body_size=_MOST_BODY)
async def listings_rest(request: WebRequest) -> Response[bytes]:
    """Return the rows that could not be taken, with the reasons."""
    return await _rest(request, LISTINGS)


@get("/demands/import", guards=[require("buyer")])
async def demands_page(request: WebRequest) -> Response[str]:
    """Show how to bring in a list of demands."""
    return _page(request, DEMANDS, UPLOAD.blank())


@post("/demands/import", guards=[require("buyer")], status_code=200, request_max_body_size=_MOST_BODY)
async def demands_in(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """Post the good rows and tell what is wrong with the others."""
    return await _bring_in(request, viewer, DEMANDS)


@get("/demands/import/template.xlsx", guards=[require("buyer")])
async def demands_template(request: WebRequest, viewer: SignedIn) -> Response[bytes]:
    """Return an empty list of demands."""
    return await _template(request, viewer, DEMANDS)


@post("/demands/import/rest", status_code=200, guards=[require("buyer")], request_max_body_size=_MOST_BODY)
async def demands_rest(request: WebRequest) -> Response[bytes]:
    """Return the rows that could not be taken, with the reasons."""
    return await _rest(request, DEMANDS)


routes: list[ControllerRouterHandler] = [
    listings_page,
    listings_in,
    listings_template,
    listings_rest,
    demands_page,
    demands_in,
    demands_template,
    demands_rest,
]
