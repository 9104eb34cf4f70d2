"""Terms of contracts, and what happens when one is broken."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from market import clock
from market.accounts.rules import Actor
from market.api.deals import actor_in
from market.api.handling import acting, deed, do_once, read
from market.api.inputs import Code, Fens, Grams, IdempotencyKey, Note, PathId, Reader, SignedIn
from market.api.outputs import Moved
from market.db.replay import once
from market.deals import breach
from market.deals.breach_queries import BreachRow, case_of, cases_of, evidence_of
from market.deals.breach_termination import terminate
from market.deals.clauses import Terms
from market.deals.open_terms import OpenProposal, open_proposal
from market.deals.pieces import Piece, PieceRow
from market.deals.queries import deal_of
from market.deals.record import Facts, facts_of
from market.deals.rules import TERMINATED
from market.deals.terms import answer_terms, propose_terms, terms_in_force
from market.deals.unfair import advice_on
from market.i18n import translate

Words = Annotated[str, Meta(min_length=1, max_length=2000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")]


class Warned(msgspec.Struct, frozen=True):
    """Advice on a term, in the reader's language: `level` is barred, unfair or check."""

    code: str
    level: str
    field: str
    message: str
    source: str


class InForce(msgspec.Struct, frozen=True):
    """`version` 0: nobody has signed yet, these are the usual terms. Shares are basis points.

    `waiting`: the proposal that waits for a signature, if there is one; `proposer` is an organisation.
    """

    version: int
    terms: Terms
    advice: list[Warned]
    waiting: OpenProposal | None = None


class Reply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who refuses gives a `reason` of `/codes` that their side may use; the other side sees it."""

    reply: Note = ""
    reason: Code | None = None


class Proposal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Other terms, whole. `base` is the version in force that you have read; `note` says why.

    `replaces`: the number of the proposal that waits for a signature, where there is one: yours takes its
    place. Another that waits by then is answered 409, with what it says in `changed`.
    """

    base: Annotated[int, Meta(ge=0, le=10_000)]
    terms: Terms
    note: Note = ""
    replaces: Annotated[int, Meta(ge=0, le=10_000)] = 0


class Proposed(msgspec.Struct, frozen=True):
    version: int


class _Propose(msgspec.Struct, frozen=True):
    deal_id: int
    proposal: Proposal


class _AddEvidence(msgspec.Struct, frozen=True):
    breach_id: int
    words: str


class Added(msgspec.Struct, frozen=True):
    evidence_id: int


class CaseToOpen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`quantity` in grams and `claim` in fen, where you name them."""

    ground: Code
    statement: Words
    quantity: Grams | None = None
    claim: Fens | None = None


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    words: Words


class Opened(msgspec.Struct, frozen=True):
    breach_id: int


class Case(msgspec.Struct, frozen=True):
    case: BreachRow
    evidence: list[PieceRow]


class _Open(msgspec.Struct, frozen=True):
    deal_id: int
    case: CaseToOpen


Step = Literal["answer", "confirm", "dismiss", "offer", "settle"]
Move = Literal["agree", "refuse", "withdraw"]


@read("/deals/{deal_id:int}/terms")
async def terms(viewer: SignedIn, deal_id: PathId, language: Reader) -> InForce:
    """The terms in force, and what is unfair or barred in them."""
    deal = await deal_of(deal_id=deal_id, organisation_id=viewer.organisation_id)
    version, found = await terms_in_force(deal_id=deal.id)
    return InForce(
        version,
        found,
        [
            Warned(
                each.code,
                each.level,
                each.field,
                translate(each.message, language),
                translate(each.source.name, language),
            )
            for each in advice_on(found)
        ],
        await open_proposal(deal_id=deal.id),
    )


@deed("/deals/{deal_id:int}/terms", body=Proposal, status=201)
async def propose(
    viewer: SignedIn, deal_id: PathId, data: JSONBody[Proposal], key: IdempotencyKey = None
) -> Proposed:
    """Propose other terms and sign them for your side; they count once the other side has signed, too."""
    by, at = await actor_in(viewer, deal_id), clock.now()

    async def do() -> Proposed:
        return Proposed(
            await propose_terms(
                deal_id=deal_id,
                base=data.base,
                terms=data.terms,
                note=data.note,
                organisation_id=viewer.organisation_id,
                actor=by,
                at=at,
                replaces=data.replaces,
            )
        )

    return await once(
        key=key,
        person_id=viewer.person_id,
        request=_Propose(deal_id, data),
        reply_type=Proposed,
        deed=do,
        at=at,
    )


@deed("/deals/{deal_id:int}/terms/{version:int}/{move:str}", body=Reply)
async def answer_proposal(
    viewer: SignedIn,
    deal_id: PathId,
    version: PathId,
    move: FromPath[Move],
    data: JSONBody[Reply],
    key: IdempotencyKey = None,
) -> Moved:
    """Sign a proposal of the other side's, refuse it with a coded reason, or withdraw your own."""
    said: dict[str, Any] = {"reply": data.reply} | ({"reason": data.reason} if move == "refuse" else {})
    by = await actor_in(viewer, deal_id)
    return await do_once(
        viewer=viewer,
        key=key,
        name=f"{move}_terms",
        about={"deal": deal_id, "version": version, **said},
        do=lambda at: answer_terms(
            deal_id=deal_id,
            version=version,
            move=move,
            organisation_id=viewer.organisation_id,
            actor=by,
            at=at,
            **said,
        ),
    )


@read("/deals/{deal_id:int}/record")
async def record(viewer: SignedIn, deal_id: PathId) -> list[Facts]:
    """How both sides of a deal have kept their contracts: counts and quantities, no score."""
    deal = await deal_of(deal_id=deal_id, organisation_id=viewer.organisation_id)
    found = [await facts_of(organisation_id=each, today=clock.today()) for each in (deal.seller, deal.buyer)]
    return [each for each in found if each is not None]


@read("/breaches")
async def index(viewer: SignedIn) -> list[BreachRow]:
    """The cases of your organisation, or of its sellers where it is a town; open ones first."""
    return await cases_of(organisation_id=viewer.organisation_id)


@read("/breaches/{breach_id:int}")
async def one(viewer: SignedIn, breach_id: PathId) -> Case:
    """One case with its evidence."""
    case = await case_of(breach_id=breach_id, organisation_id=viewer.organisation_id)
    return Case(case, await evidence_of(breach_id=case.id))


@deed("/deals/{deal_id:int}/breaches", body=CaseToOpen, status=201)
async def begin(
    viewer: SignedIn, deal_id: PathId, data: JSONBody[CaseToOpen], key: IdempotencyKey = None
) -> Opened:
    """Begin a case against the other side; it is a draft until it is filed."""
    by, at = await actor_in(viewer, deal_id), clock.now()

    async def do() -> Opened:
        case = breach.NewCase(deal_id, data.ground, data.statement, data.quantity, data.claim)
        return Opened(
            await breach.open_case(case=case, organisation_id=viewer.organisation_id, actor=by, at=at)
        )

    return await once(
        key=key,
        person_id=viewer.person_id,
        request=_Open(deal_id, data),
        reply_type=Opened,
        deed=do,
        at=at,
    )


def _in_case(viewer: SignedIn, case: BreachRow) -> Actor:
    sides = {case.seller: "seller", case.buyer: "buyer"}
    return acting(viewer, sides.get(viewer.organisation_id, "official"))


@deed("/breaches/{breach_id:int}/evidence", body=Said, status=201)
async def add_evidence(
    viewer: SignedIn, breach_id: PathId, data: JSONBody[Said], key: IdempotencyKey = None
) -> Added:
    """Put words to a case as either side; they cannot be taken back. Photos are added on the page."""
    case, at = await case_of(breach_id=breach_id, organisation_id=viewer.organisation_id), clock.now()
    by = _in_case(viewer, case)

    async def do() -> Added:
        return Added(
            await breach.add_evidence(
                breach_id=breach_id,
                evidence=Piece(data.words),
                organisation_id=viewer.organisation_id,
                actor=by,
                at=at,
            )
        )

    return await once(
        key=key,
        person_id=viewer.person_id,
        request=_AddEvidence(breach_id, data.words),
        reply_type=Added,
        deed=do,
        at=at,
    )


@deed("/breaches/{breach_id:int}/file")
async def file_one(viewer: SignedIn, breach_id: PathId, key: IdempotencyKey = None) -> Moved:
    """File your draft: the other side has some days to answer."""
    case = await case_of(breach_id=breach_id, organisation_id=viewer.organisation_id)
    by = _in_case(viewer, case)
    return await do_once(
        viewer=viewer,
        key=key,
        name="breach_file",
        about={"breach": breach_id},
        do=lambda at: breach.file_case(
            breach_id=breach_id, organisation_id=viewer.organisation_id, actor=by, at=at
        ),
    )


@deed("/breaches/{breach_id:int}/terminate")
async def end_contract(viewer: SignedIn, breach_id: PathId, key: IdempotencyKey = None) -> Moved:
    """Give notice of termination: what was not delivered is on sale again and matched anew."""
    case = await case_of(breach_id=breach_id, organisation_id=viewer.organisation_id)
    by = _in_case(viewer, case)

    async def do(at: datetime) -> str:
        await terminate(breach_id=breach_id, organisation_id=viewer.organisation_id, actor=by, at=at)
        return TERMINATED

    return await do_once(viewer=viewer, key=key, name="breach_terminate", about={"breach": breach_id}, do=do)


@deed("/breaches/{breach_id:int}/steps/{step:str}", body=Said)
async def say(
    viewer: SignedIn,
    breach_id: PathId,
    step: FromPath[Step],
    data: JSONBody[Said],
    key: IdempotencyKey = None,
) -> Moved:
    """Answer; record a finding (`confirm`, `dismiss`); `offer` a settlement, or `settle` by its words."""
    case = await case_of(breach_id=breach_id, organisation_id=viewer.organisation_id)
    by, words = _in_case(viewer, case), data.words
    mine = {"breach_id": breach_id, "organisation_id": viewer.organisation_id, "actor": by}

    async def do(at: datetime) -> str:
        if step == "answer":
            return await breach.answer_case(answer=words, at=at, **mine)  # type: ignore[arg-type]
        if step == "offer":
            await breach.offer_settlement(offer=words, at=at, **mine)  # type: ignore[arg-type]
            return case.state
        if step == "settle":
            return await breach.settle_case(offer=words, at=at, **mine)  # type: ignore[arg-type]
        return await breach.decide_case(move=step, decision=words, at=at, **mine)  # type: ignore[arg-type]

    about = {"breach": breach_id, "words": words}
    return await do_once(viewer=viewer, key=key, name=f"breach_{step}", about=about, do=do)


routes: list[ControllerRouterHandler] = [
    terms,
    propose,
    answer_proposal,
    record,
    index,
    one,
    begin,
    add_evidence,
    file_one,
    end_contract,
    say,
]
