"""Why this pair and why not that one: any listing and any demand of a run, in words and figures."""

from collections.abc import Sequence

import msgspec
from litestar import Response, get
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market.i18n import Language, Message, msg
from market.matching.explain import Names, Party, names_of
from market.matching.explaining.why import Why
from market.matching.lifecycle import DONE, MATCH
from market.matching.queries import Snapshot, inputs_of, matches_of_run, run_of
from market.matching.review import why_in_run
from market.web.edge.addresses import row_number
from market.web.edge.guards import OFFICIAL, SignedIn, WebRequest
from market.web.edge.language import language_of
from market.web.parts.pages import redirect
from market.web.parts.told import plain, words_for
from market.web.parts.trade import name_in, show

#: So many are offered for what was written.
_MOST_OFFERED = 12
#: So many stand in the list that the browser offers as one types.
_MOST_LISTED = 400

#: What each verdict is called, and its tone.
VERDICTS: dict[str, tuple[Message, str]] = {
    "paired": (msg("配上了"), "good"),
    "product": (msg("不是同一种货"), "plain"),
    "grade": (msg("等级不够"), "wait"),
    "window": (msg("时间不合"), "wait"),
    "credential": (msg("缺资质"), "wait"),
    "distance": (msg("路太远"), "wait"),
    "price": (msg("价格够不着"), "wait"),
    "own": (msg("买卖同一家"), "plain"),
    "declined": (msg("曾被谢绝"), "wait"),
    "min_order": (msg("卡在起订量"), "wait"),
    "max_lots": (msg("批次已满"), "wait"),
    "no_gain": (msg("没有可分的"), "wait"),
    "better_elsewhere": (msg("各有更合算的去处"), "plain"),
    "tie": (msg("也行，但不会更好"), "plain"),
}


class Chosen(msgspec.Struct, frozen=True):
    """One side of the question: what was written, what it means, or what it could mean."""

    text: str
    party: Party | None
    offered: list[Party]
    fault: Message | None


def label_of(party: Party, language: Language) -> str:
    """Return what stands in the field for a party, its number first."""
    return f"{party.id} {name_in(language, party, 'title')} · {name_in(language, party, 'owner_name')}"


def _searched(party: Party) -> str:
    names = (party.title, party.title_en, party.owner_name, party.owner_name_en)
    return " ".join((str(party.id), *names)).lower()


def choose(text: str, parties: Sequence[Party], language: Language) -> Chosen:
    """Return what ``text`` means among ``parties``: a number, a label with its number, or words."""
    text = text.strip()[:80]
    if not text:
        return Chosen("", None, [], None)
    number = text.split(" ")[0]
    by_id = {str(party.id): party for party in parties}
    if number in by_id and (text == number or text == label_of(by_id[number], language)):
        return Chosen(label_of(by_id[number], language), by_id[number], [], None)
    wanted = text.lower().split()
    found = [
        party
        for party in parties
        if all(
            word
            in f"{party.id} {party.title} {party.title_en} {party.owner_name} {party.owner_name_en}".lower()
            for word in wanted
        )
    ]
    if len(found) == 1:
        return Chosen(label_of(found[0], language), found[0], [], None)
    if not found:
        return Chosen(text, None, [], msg("这次撮合里没有“{text}”，请换个说法，或从列表里选。", text=text))
    return Chosen(text, None, found[:_MOST_OFFERED], msg("有 {n} 个都像，请选一个。", n=len(found)))


@get("/town/runs/{run_id:int}/pair", guards=OFFICIAL)
async def pair(
    request: WebRequest, viewer: SignedIn, run_id: FromPath[int]
) -> Response[str] | Response[bytes]:
    """Explain the pair that the address asks for; without one, ask for it."""
    town, language = viewer.organisation_id, language_of(request)
    run = await run_of(run_id=row_number(run_id), town_id=town)
    if run.state != DONE:
        return redirect(request, f"/town/runs/{run.id}")
    market = await inputs_of(run_id=run.id, town_id=town)
    names = await names_of(
        lots=[lot.id for lot in market.lots], demands=[demand.id for demand in market.demands]
    )
    lots, demands = list(names.lots.values()), list(names.demands.values())
    lot = choose(request.query_params.get("lot", ""), lots, language)
    demand = choose(request.query_params.get("demand", ""), demands, language)
    why, message = None, None
    if lot.party and demand.party:
        why = await why_in_run(
            run_id=run.id, town_id=town, listing_id=lot.party.id, demand_id=demand.party.id
        )
        message = plain(_with_names(why.message, names, language), await words_for(language))
    match = None
    if why is not None and why.code == "paired":
        rows = await matches_of_run(run_id=run.id, town_id=town)
        match = next(
            (row for row in rows if (str(row.listing), str(row.demand)) == (why.lot, why.demand)), None
        )
    return show(
        request,
        "runs/pair.html",
        run=run,
        lot=lot,
        demand=demand,
        lots=lots[:_MOST_LISTED],
        demands=demands[:_MOST_LISTED],
        label_of=lambda party: label_of(party, language),
        why=why,
        message=message,
        verdict=VERDICTS[why.code] if why else None,
        terms=_terms(market, why),
        names=names,
        match=match,
        MATCH=MATCH,
    )


def _terms(market: Snapshot, why: Why | None) -> tuple[object, object] | None:
    """Return the lot and the demand of a question as the run had them."""
    if why is None:
        return None
    return (
        next(lot for lot in market.lots if lot.id == why.lot),
        next(demand for demand in market.demands if demand.id == why.demand),
    )


def _with_names(message: Message, names: Names, language: Language) -> Message:
    """Put titles where the engine's text has the numbers of a lot or a demand."""

    def named(name: str, value: str | int | Message) -> str | int | Message:
        if isinstance(value, Message):
            return _with_names(value, names, language)
        party = {"lot": names.lots, "demand": names.demands}.get(name, {}).get(str(value))
        # the lot and demand of "different produce" are codes of produce, not numbers
        return f"“{name_in(language, party, 'title')}”" if party and str(value).isdigit() else value

    return Message(message.text, {name: named(name, value) for name, value in message.values.items()})


routes: list[ControllerRouterHandler] = [pair]
