"""Runs of the matching engine: start one, watch it, read what it found and why it is the best."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules as accounts
from market.audit.queries import history
from market.db.processes import in_process
from market.errors import Conflict, NotFound
from market.exchange.runs import computed_again, demand_csv, matches_csv, supply_csv, zipped
from market.i18n import Language, Message, msg
from market.matching.explain import names_of
from market.matching.findings import DiagnosisRow, diagnoses_of_run
from market.matching.lifecycle import DONE, MATCH, ONE_SIDE_AGREED, PROPOSED, QUEUED, RUN, RUNNING
from market.matching.operations import request_run
from market.matching.queries import (
    MatchRow,
    RunRow,
    Snapshot,
    inputs_of,
    matches_of_run,
    run_of,
    runs_of,
)
from market.matching.review import bonus_of_run, compute_again, villages_of_run
from market.matching.rules import Parameters
from market.units import Fen, Gram
from market.web.edge.addresses import row_number
from market.web.edge.guards import OFFICIAL, SignedIn, WebRequest
from market.web.edge.language import language_of
from market.web.matching.outcomes import mean_fen
from market.web.matching.run_report import compared, declined_by_reason, price_of, value_of
from market.web.parts.downloads import attachment
from market.web.parts.pages import redirect
from market.web.parts.told import ask_fen, finding_told, obstacle, words_for
from market.web.parts.trade import BARE, show

SORTS: dict[str, tuple[Message, Callable[[MatchRow], Any]]] = {
    "worth": (msg("收益从高到低"), lambda match: -match.worth),
    "quantity": (msg("数量从多到少"), lambda match: -match.quantity),
    "distance": (msg("路程从近到远"), lambda match: match.distance),
    "price": (msg("单价从高到低"), lambda match: -match.price),
    "seller": (msg("按卖方"), lambda match: (match.seller, -match.worth)),
    "buyer": (msg("按买方"), lambda match: (match.buyer, -match.worth)),
}
#: So many matches are shown at first.
_SHOWN = 30
#: Seconds for computing a run again when its proof is downloaded.
_SECONDS = 120.0
ARCHIVE = "all.zip"
FILES = (
    ARCHIVE,
    "supply.csv",
    "demand.csv",
    "matches.csv",
    "lots.csv",
    "demands.csv",
    "diagnosis.csv",
    "certificate.json",
)
_TEXT = "text/csv; charset=utf-8"


class Stuck(msgspec.Struct, frozen=True):
    """A listing with something left over after a run, and the changes that would open something to it."""

    listing: int
    title: str
    title_en: str
    offered: int
    matched: int
    changes: list[DiagnosisRow]


def stuck_listings(
    findings: Sequence[DiagnosisRow], matches: Sequence[MatchRow], market: Snapshot
) -> list[Stuck]:
    """Put the findings of one listing together, the largest rest first."""
    matched: dict[int, int] = {}
    for match in matches:
        matched[match.listing] = matched.get(match.listing, 0) + match.quantity
    offered = {int(lot.id): int(lot.quantity) for lot in market.lots}
    by_listing: dict[int, list[DiagnosisRow]] = {}
    for finding in findings:
        by_listing.setdefault(finding.listing, []).append(finding)
    found = [
        Stuck(
            listing, rows[0].title, rows[0].title_en, offered.get(listing, 0), matched.get(listing, 0), rows
        )
        for listing, rows in by_listing.items()
    ]
    return sorted(found, key=lambda each: (each.matched - each.offered, each.listing))


@get("/town/runs", guards=OFFICIAL)
async def index(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """List the runs of the town."""
    runs = await runs_of(town_id=viewer.organisation_id, limit=100)
    return show(
        request,
        "runs/index.html",
        runs=runs,
        busy=next((each for each in runs if each.state in (QUEUED, RUNNING)), None),
        RUN=RUN,
    )


@post("/town/runs", guards=OFFICIAL)
async def start(request: WebRequest, viewer: SignedIn) -> Response[bytes]:
    """Start a run; where one is under way already, lead to that one."""
    (await BARE.read(request)).check()
    try:
        run_id = await request_run(
            town_id=viewer.organisation_id, actor=accounts.actor(viewer, "official"), at=clock.now()
        )
    except Conflict:
        running = [
            each
            for each in await runs_of(town_id=viewer.organisation_id, limit=1)
            if each.state in (QUEUED, RUNNING)
        ]
        if not running:
            raise
        return redirect(request, f"/town/runs/{running[0].id}", toast=msg("撮合已经在计算了。"))
    return redirect(request, f"/town/runs/{run_id}", toast=msg("撮合已开始。"))


@get("/town/runs/{run_id:int}", guards=OFFICIAL)
async def one(request: WebRequest, viewer: SignedIn, run_id: FromPath[int]) -> Response[str]:
    """Show a run: while it is at work its progress, afterwards what it found."""
    town = viewer.organisation_id
    run = await run_of(run_id=row_number(run_id), town_id=town)
    if run.state != DONE:
        return show(
            request, "runs/progress.html", fragment="runs/state.html", run=run, RUN=RUN, now=clock.now()
        )
    if "hx-request" in request.headers:
        # the page that waited for it is drawn whole
        return Response("", headers={"hx-refresh": "true"}, media_type="text/html")
    matches = await matches_of_run(run_id=run.id, town_id=town)
    market = await inputs_of(run_id=run.id, town_id=town)
    others = [each for each in await runs_of(town_id=town) if each.state == DONE and each.id != run.id]
    other = await _other(request, others, town)
    sort = request.query_params.get("sort", "")
    sort = sort if sort in SORTS else "worth"
    sellers = await villages_of_run(run_id=run.id, town_id=town)
    seller = request.query_params.get("seller", "")
    seller = seller if any(str(each.id) == seller for each in sellers) else ""
    found = sorted((each for each in matches if not seller or str(each.seller) == seller), key=SORTS[sort][1])
    findings = await diagnoses_of_run(run_id=run.id, town_id=town)
    language = language_of(request)
    words = await words_for(language, findings)
    asks = {lot.id: ask_fen(lot.ask) for lot in market.lots}
    comparison = None
    if other:
        old = await inputs_of(run_id=other.id, town_id=town)
        comparison = await compared(
            (old, await matches_of_run(run_id=other.id, town_id=town)), (market, matches), words
        )
    return show(
        request,
        "runs/show.html",
        run=run,
        proof=run.certificate or {},
        shown=found if request.query_params.get("show") == "all" else found[:_SHOWN],
        found=len(found),
        matches=matches,
        villages=sellers,
        seller=seller,
        sort=sort,
        sorts={name: label for name, (label, _) in SORTS.items()},
        stuck=stuck_listings(findings, matches, market),
        told=lambda finding: finding_told(finding, words, price=asks.get(str(finding.listing))),
        market=market,
        files=FILES[1:],
        offered=Gram(sum(lot.quantity for lot in market.lots)),
        wanted=Gram(sum(demand.quantity for demand in market.demands)),
        money=Fen(sum(map(value_of, matches))),
        others=others,
        other=other,
        comparison=comparison,
        declined=declined_by_reason(matches, language),
        soon=soon_over(matches),
        marked=sum(lot.priority > 0 for lot in market.lots),
        checks=[each for each in await history(subjects=[f"run:{run.id}"]) if each.action == "recheck"],
        price_of=price_of,
        value_of=value_of,
        mean_fen=mean_fen,
        obstacle=obstacle,
        RUN=RUN,
        MATCH=MATCH,
    )


def soon_over(matches: Sequence[MatchRow]) -> datetime | None:
    """Return when the first suggestion that still waits for an answer lapses."""
    return min(
        (each.expires_at for each in matches if each.state in (PROPOSED, ONE_SIDE_AGREED)), default=None
    )


async def _other(request: WebRequest, others: Sequence[RunRow], town: int) -> RunRow | None:
    """Return the run to compare with.

    Raises:
        NotFound: there is no such run of this town.
    """
    asked = request.query_params.get("with", "")
    if not asked:
        return None
    if not asked.isascii() or not asked.isdigit() or len(asked) > 18:
        raise NotFound(msg("没有找到要比较的那次撮合。"))
    known = next((each for each in others if each.id == int(asked)), None)
    return known or await run_of(run_id=row_number(int(asked)), town_id=town)


@get("/town/runs/{run_id:int}/bonus", guards=OFFICIAL)
async def bonus(request: WebRequest, viewer: SignedIn, run_id: FromPath[int]) -> Response[str]:
    """Show what the hardship bonuses of a run move and what they cost: computed when first asked for."""
    town = viewer.organisation_id
    run = await run_of(run_id=row_number(run_id), town_id=town)
    cost = await bonus_of_run(run_id=run.id, town_id=town)
    moved = [each for each in cost.moved if each.side == "lot"] if cost else []
    return show(
        request,
        "runs/bonus.html",
        fragment="runs/bonus_part.html",
        run=run,
        cost=cost,
        moved=moved,
        names=await names_of(lots=[each.id for each in moved], demands=[]),
    )


@post("/town/runs/{run_id:int}/again", guards=OFFICIAL, status_code=200)
async def again(request: WebRequest, viewer: SignedIn, run_id: FromPath[int]) -> Response[str]:
    """Compute a run once more from its stored inputs, compare, and put the outcome on record."""
    (await BARE.read(request)).check()
    run = await run_of(run_id=row_number(run_id), town_id=viewer.organisation_id)
    found = await compute_again(
        run_id=run.id,
        town_id=viewer.organisation_id,
        actor=accounts.actor(viewer, "official"),
        at=clock.now(),
    )
    names = await names_of(
        lots=[pair[0] for pair in found.differing[:_SHOWN]],
        demands=[pair[1] for pair in found.differing[:_SHOWN]],
    )
    return show(request, "runs/again.html", run=run, again=found, names=names, RUN=RUN)


@get("/town/runs/{run_id:int}/files/{name:str}", guards=OFFICIAL)
async def file(
    request: WebRequest, viewer: SignedIn, run_id: FromPath[int], name: FromPath[str]
) -> Response[bytes]:
    """Return one file of a run as ``market match`` reads and writes it, or all of them in one archive."""
    town = viewer.organisation_id
    run = await run_of(run_id=row_number(run_id), town_id=town)
    if name not in FILES:
        raise NotFound(msg("没有这个文件，请从撮合页面下载。"))
    market = await inputs_of(run_id=run.id, town_id=town)
    files = {"supply.csv": supply_csv(market), "demand.csv": demand_csv(market)}
    if name not in files:
        files["certificate.json"] = (
            msgspec.json.format(msgspec.json.encode(run.certificate), indent=2) + b"\n"
        )
        files["matches.csv"] = await _matches(run, town, market, language_of(request))
    if name not in files:
        parameters = msgspec.convert(run.parameters, Parameters)
        again = await in_process(computed_again, market, parameters, _SECONDS, language_of(request))
        # what is stored is what was decided; computing again adds the gains that prove it
        files = {**again, **files}
    if name == ARCHIVE:
        return attachment(zipped(files), f"run-{run.id}.zip")
    kind = "application/json" if name.endswith(".json") else _TEXT
    return attachment(files[name], f"run-{run.id}-{name}", kind)


async def _matches(run: RunRow, town: int, market: Snapshot, language: Language) -> bytes:
    parameters = msgspec.convert(run.parameters, Parameters)
    return matches_csv(market, await matches_of_run(run_id=run.id, town_id=town), parameters, language)


routes: list[ControllerRouterHandler] = [index, start, one, bonus, again, file]
