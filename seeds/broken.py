"""Plays the contract that was broken: 172 households, a buyer that walks away, what the market takes."""

import asyncio
from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from market import clock
from market.accounts.rules import Actor
from market.bids.operations import NewBid, accept_bid, place_bid
from market.db.jobs import Worker
from market.db.session import fetch_value
from market.deals.breach import (
    NewCase,
    add_evidence,
    answer_case,
    decide_case,
    file_case,
    open_case,
)
from market.deals.breach_termination import terminate
from market.deals.clauses import Milestone
from market.deals.fulfilment import move_delivery, schedule_delivery
from market.deals.invoices.operations import record_invoice
from market.deals.invoices.rules import NewInvoice
from market.deals.operations import sign
from market.deals.paying import pay
from market.deals.pieces import Piece
from market.deals.queries import deal_of, payments_of
from market.deals.receipts import answer_receipt, receipts_under
from market.deals.releasing import REMATCH
from market.deals.rules import CLAIMED
from market.deals.scans.operations import present_scan, upload_scan
from market.deals.scans.queries import mark_in_force
from market.deals.scans.reading import read_files
from market.deals.terms import answer_terms, propose_terms, terms_in_force
from market.followup.quotes import add_quote
from market.matching.agreement import agree
from market.matching.queries import MatchRow, latest_run, matches_of_run
from market.matching.rematching import rematch as rematch  # its handler is registered by being imported
from market.matching.run_jobs import begin as begin  # and so is that of the run
from market.supply.commands import NewListing, NewTerms
from market.supply.households import Share, set_shares
from market.supply.operations import publish_listing, revise_listing
from market.units import GRAMS_PER_KG, FenPerKg, Gram, amount
from seeds import papers
from seeds.files import HERE, read_toml

#: What the village made of the peanuts that were left: not there yet while the contract holds them.
MADE_OF_IT = frozenset({"peanut", "peanut-kernel", "peanut-oil"})
#: The job of a run.
RUN = "matching.run"
#: Days after the contract on which its buyer is brought to book.
FILED, ANSWERED, DECIDED = 12, 15, 18
#: And on which the load that was taken is invoiced.
BILLED = 5


class Told(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file ``breach.toml``."""

    #: Organisation id.
    buyer: str
    households: int
    quantity_kg: int
    price_fen_per_kg: int
    ask_after_fen_per_kg: int
    deposit_percent: int
    tolerance_percent: int
    delivered_kg: int
    signed_of_ten: int
    delivered_of_ten: int
    #: Paid, and the money confirmed; and paid, whether or not the village has confirmed it yet.
    paid_of_ten: int
    claimed_of_ten: int
    title_zh: str
    title_en: str
    variety: str
    story_zh: str
    story_en: str
    household_zh: str
    #: Who signs the contract on paper, the file that the scan comes as, the invoice's number after its year.
    signer: str
    scan_name: str
    invoice_serial: str
    ground: str
    statement: str
    evidence: tuple[str, ...]
    answer: str
    decision: str
    #: What the market paid at the notice: where, and fen per kg.
    quote_sources: tuple[str, ...]
    quotes_fen_per_kg: tuple[int, ...]

    @property
    def quantity(self) -> Gram:
        return Gram(self.quantity_kg * GRAMS_PER_KG)

    @property
    def delivered(self) -> Gram:
        return Gram(self.delivered_kg * GRAMS_PER_KG)


class Sides(msgspec.Struct, frozen=True):
    """Who acts for the village, for the buyer that will walk away, and for the town."""

    seller: Actor
    buyer: Actor
    town: Actor


class Broken(msgspec.Struct, frozen=True):
    """What came of it: the contract, the case, what was free again, and the deals that took its place."""

    deal: int
    breach: int
    freed: int
    deals: tuple[int, ...]


def told() -> Told:
    return read_toml(HERE / "demo" / "breach.toml", Told)


def shares_of(tale: Told) -> list[Share]:
    """Return what each household gave: uneven, as fields are, and in sum the whole lot to the gram."""
    weights = [1_500 + 37 * n % 2_900 for n in range(tale.households)]
    before, given = 0, []
    for n, weight in enumerate(weights, start=1):
        upto, start = before + weight, tale.quantity * before // sum(weights)
        given.append(
            Share(tale.household_zh.format(n=f"{n:03d}"), tale.quantity * upto // sum(weights) - start)
        )
        before = upto
    return given


def _by(actor: Actor, at: datetime) -> dict[str, Any]:
    return {"organisation_id": actor.organisation_id, "actor": actor, "at": at}


async def contract(tale: Told, sides: Sides, *, at: datetime) -> int:
    """Pool the households' peanuts, sell them all to one buyer, deliver the first load; return the deal."""
    assert sides.seller.organisation_id is not None
    assert sides.buyer.organisation_id is not None
    seller, buyer, today = sides.seller.organisation_id, sides.buyer.organisation_id, _day(at)
    listing_id = await publish_listing(
        listing=NewListing(
            produce="peanut",
            title=tale.title_zh,
            title_en=tale.title_en,
            variety=tale.variety,
            grade=2,
            quantity=tale.quantity,
            ask=FenPerKg(tale.price_fen_per_kg),
            available_from=today,
            available_to=today + timedelta(days=150),
            credentials=("traceability",),
            story=tale.story_zh,
            story_en=tale.story_en,
            invented=True,
        ),
        owner_id=seller,
        actor=sides.seller,
        at=at,
    )
    lot_id = await fetch_value("SELECT lot FROM listing WHERE id = $1", listing_id)
    await set_shares(lot_id=lot_id, shares=shares_of(tale), owner_id=seller, actor=sides.seller, at=at)
    bid = NewBid(
        listing_id=listing_id,
        quantity=tale.quantity,
        price=FenPerKg(tale.price_fen_per_kg),
        deliver_from=today,
        deliver_to=today + timedelta(days=60),
    )
    bid_id = await place_bid(bid=bid, buyer_id=buyer, actor=sides.buyer, at=at)
    deal_id = await accept_bid(bid_id=bid_id, seller_id=seller, actor=sides.seller, at=at)
    version, terms = await terms_in_force(deal_id=deal_id)
    agreed = msgspec.structs.replace(
        terms,
        deposit=tale.deposit_percent * 100,
        tolerance=tale.tolerance_percent * 100,
        milestones=(Milestone("arrival", 10_000, 30),),
        small_seller=True,
        invoice="own_produce",
    )
    made = await propose_terms(deal_id=deal_id, base=version, terms=agreed, note="", **_by(sides.seller, at))
    await answer_terms(deal_id=deal_id, version=made, move="agree", **_by(sides.buyer, at))
    await sign(deal_id=deal_id, **_by(sides.buyer, at))
    await _sign_on_paper(tale, deal_id, sides.seller, at=at)
    await _pay_all(deal_id, sides.seller, sides.buyer, at=at + timedelta(days=2))
    await _deliver(deal_id, tale.delivered, sides.seller, sides.buyer, at=at + timedelta(days=4))
    await _bill(tale, deal_id, sides.seller, at=at + timedelta(days=BILLED))
    await _pay_all(deal_id, sides.seller, sides.buyer, at=at + timedelta(days=8))
    return deal_id


async def _sign_on_paper(tale: Told, deal_id: int, seller: Actor, *, at: datetime) -> None:
    """Let the village sign the printed contract by hand, and send the scan as its signature."""
    assert seller.organisation_id is not None
    deal = await deal_of(deal_id=deal_id, organisation_id=seller.organisation_id)
    mark = await mark_in_force(deal_id=deal_id)
    page = papers.SignedPage(
        number=deal.number,
        seller=deal.seller_name,
        buyer=deal.buyer_name,
        goods=tale.title_zh,
        quantity=tale.quantity,
        worth=amount(tale.quantity, FenPerKg(tale.price_fen_per_kg)),
        signer=tale.signer,
        day=f"{_day(at):%Y-%m-%d}",
        mark=mark,
    )
    image = await asyncio.to_thread(papers.scanned, page)
    scan_id = await upload_scan(
        deal_id=deal_id,
        mark=mark,
        files=await read_files([(tale.scan_name, image)]),
        **_by(seller, at),
    )
    await present_scan(deal_id=deal_id, scan_id=scan_id, **_by(seller, at))


async def _bill(tale: Told, deal_id: int, seller: Actor, *, at: datetime) -> None:
    """Invoice the load that was taken: own produce, which bears no tax."""
    day = _day(at)
    await record_invoice(
        deal_id=deal_id,
        new=NewInvoice(
            kind="own_produce",
            # a number begins with the year that it was issued in
            number=f"{day:%y}{tale.invoice_serial}",
            issued_on=day,
            amount=amount(tale.delivered, FenPerKg(tale.price_fen_per_kg)),
        ),
        **_by(seller, at),
    )


async def breach(tale: Told, sides: Sides, *, deal_id: int, at: datetime) -> int:
    """Let the buyer walk away: the village files, the buyer answers, the town records; return the case.

    ``at``: when the contract was made.
    """
    filed = at + timedelta(days=FILED)
    deal = await deal_of(deal_id=deal_id, organisation_id=sides.seller.organisation_id or 0)
    breach_id = await open_case(
        case=NewCase(
            deal_id=deal_id,
            ground=tale.ground,
            statement=tale.statement,
            quantity=deal.quantity - deal.delivered,
        ),
        **_by(sides.seller, filed),
    )
    for words in tale.evidence:
        await add_evidence(breach_id=breach_id, evidence=Piece(words), **_by(sides.seller, filed))
    await file_case(breach_id=breach_id, **_by(sides.seller, filed))
    answered, decided = at + timedelta(days=ANSWERED), at + timedelta(days=DECIDED)
    await answer_case(breach_id=breach_id, answer=tale.answer, **_by(sides.buyer, answered))
    await decide_case(
        breach_id=breach_id,
        move="confirm",
        decision=tale.decision,
        **_by(sides.town, decided),
    )
    return breach_id


async def sell_again(tale: Told, sides: Sides, buyers: dict[int, Actor], *, breach_id: int) -> Broken:
    """Give notice now, ask what the market pays now, and take up what the engine finds.

    The notice leaves a job; it and the run that it asks for are worked on here as any worker would.
    ``buyers``: organisation -> who acts for it.
    """
    now = clock.now()
    deal_id = await fetch_value("SELECT deal FROM breach WHERE id = $1", breach_id)
    freed = await terminate(breach_id=breach_id, **_by(sides.seller, now))
    for source, price in zip(tale.quote_sources, tale.quotes_fen_per_kg, strict=True):
        await add_quote(
            breach_id=breach_id,
            on=_day(now),
            price=FenPerKg(price),
            source=source,
            **_by(sides.seller, now),
        )
    await _ask_less(tale, sides.seller, deal_id, at=now)
    worker = Worker(kinds=[REMATCH, RUN])
    while await worker.work_once():
        pass
    assert sides.town.organisation_id is not None
    run = await latest_run(town_id=sides.town.organisation_id)
    if run is None:
        return Broken(deal_id, breach_id, freed, ())
    listing_id = await fetch_value("SELECT listing FROM deal WHERE id = $1", deal_id)
    found = [
        each
        for each in await matches_of_run(run_id=run.id, town_id=sides.town.organisation_id)
        if each.listing == listing_id
    ]
    deals = [
        await _take_up(tale, sides.seller, buyers[match.buyer], match, place)
        for place, match in enumerate(found)
    ]
    return Broken(deal_id, breach_id, freed, tuple(deals))


async def _ask_less(tale: Told, seller: Actor, deal_id: int, *, at: datetime) -> None:
    listing_id = await fetch_value("SELECT listing FROM deal WHERE id = $1", deal_id)
    until = await fetch_value("SELECT available_to FROM listing WHERE id = $1", listing_id)
    assert seller.organisation_id is not None
    await revise_listing(
        listing_id=listing_id,
        terms=NewTerms(
            ask=FenPerKg(tale.ask_after_fen_per_kg),
            min_order=Gram(0),
            available_from=_day(at),
            available_to=until,
            credentials=("traceability",),
        ),
        owner_id=seller.organisation_id,
        actor=seller,
        at=at,
    )


async def _take_up(tale: Told, seller: Actor, buyer: Actor, match: MatchRow, place: int) -> int:
    """Both agree; of ten deals some are signed, delivered and paid, as the file says. Return the deal."""
    now, made = clock.now(), None
    for side in (seller, buyer):
        made = (await agree(match_id=match.id, **_by(side, now))).deal_id
    assert made is not None
    if place % 10 < tale.signed_of_ten:
        for side in (seller, buyer):
            await sign(deal_id=made, **_by(side, now))
        if place % 10 < tale.delivered_of_ten:
            await _deliver(made, Gram(match.quantity), seller, buyer, at=now)
        if place % 10 < tale.claimed_of_ten:
            confirms = place % 10 < tale.paid_of_ten
            await _pay_all(made, seller if confirms else None, buyer, at=now)
    return made


async def _deliver(deal_id: int, grams: Gram, seller: Actor, buyer: Actor, *, at: datetime) -> None:
    delivery_id = await schedule_delivery(deal_id=deal_id, quantity=grams, on=_day(at), **_by(seller, at))
    for move, side in (("dispatch", seller), ("arrive", buyer), ("accept", buyer)):
        await move_delivery(delivery_id=delivery_id, move=move, **_by(side, at))


async def _pay_all(deal_id: int, seller: Actor | None, buyer: Actor, *, at: datetime) -> None:
    """Let the buyer write down all that is open as paid, and ``seller``, if any, confirm that it came."""
    for payment in await payments_of(deal_id=deal_id):
        if payment.paid < payment.amount:
            await pay(payment_id=payment.id, **_by(buyer, at))
    if seller is None:
        return
    claimed = [each for each in await receipts_under([deal_id]) if each.state == CLAIMED]
    for receipt in claimed:
        await answer_receipt(receipt_id=receipt.id, move="confirm", **_by(seller, at))


def _day(at: datetime) -> date:
    return at.astimezone(clock.CHINA).date()
