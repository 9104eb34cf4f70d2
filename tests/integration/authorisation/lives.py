"""The things with a life: which of them an address names, and how the scene's one is put into a state."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from market.accounts.lifecycle import ACCOUNT_INVITATION, RECOVERY
from market.bids.joint.rules import JOINT, SHARE
from market.bids.rules import BID, OPEN_BID, SEALED_BID
from market.cases.rules import CASE
from market.db.session import execute
from market.deals.arrivals.rules import ARRIVAL
from market.deals.endings.rules import ENDING
from market.deals.frames.rules import CALL, FRAME
from market.deals.invoices.rules import INVOICE
from market.deals.rules import BREACH, CONTRACT, DELIVERY, PAYMENT, RECEIPT, TERMS
from market.deals.scans.rules import SCAN
from market.demand.rules import DEMAND
from market.matching.lifecycle import MATCH, RUN
from market.meetings.rules import APPOINTMENT, ATTENDANCE, INVITATION, MEETING, REGISTRATION, SAMPLE
from market.organisations.rules import APPROVAL, VERIFICATION
from market.privacy.rules import PHONE_CHANGE
from market.supply.rules import LISTING
from market.transitions import Lifecycle
from tests.integration.authorisation.table import Entry


class Life(msgspec.Struct, frozen=True):
    """A lifecycle, and the row of the scene that lives it.

    ``named``: parts of addresses that name it, with what such an address begins with, or just the part.
    ``row``: which one it is, by parts of the address and things of the scene. ``besides``: what else has to
    stand in the row, by its state; ``*`` is every other state.
    """

    cycle: Lifecycle
    table: str
    named: str | dict[str, str]
    row: str = ""
    column: str = "state"
    besides: dict[str, str] = {}

    @property
    def part(self) -> str:
        """The part of an address that names it first."""
        return self.named if isinstance(self.named, str) else next(iter(self.named.values()))

    def is_named_in(self, path: str) -> bool:
        named = {"": self.named} if isinstance(self.named, str) else self.named
        path = path.removeprefix("/api/v1")
        return any(path.startswith(start) and f"{{{part}:" in path for start, part in named.items())

    def sides(self, move: str) -> frozenset[str]:
        """Return which of the two sides the move is kept to; none: it is open to both, or goes by no side."""
        by = frozenset().union(*(each.by for each in self.cycle.moves if each.name == move))
        return by & BOTH

    def open_in(self, need: str, role: str = "") -> frozenset[str]:
        """Return the states in which a deed is open, to a side of the paper where it goes by sides."""
        if need == ANY:
            return self.cycle.states
        if need.startswith(":"):
            return frozenset(need[1:].split(","))
        move = need[1:]
        if role not in BOTH or not self.sides(move):
            return self.cycle.sources(move)
        return frozenset().union(
            *(each.sources for each in self.cycle.moves if each.name == move and role in each.by)
        )

    def leads_to(self, need: str) -> frozenset[str]:
        """Return the states that the move of ``need`` ends in."""
        return frozenset(each.target for each in self.cycle.moves if each.name == need[1:])

    async def put(self, state: str, parts: dict[str, Any]) -> None:
        """Put the thing into ``state``. ``parts``: what stands in the address, and the scene's things."""
        which = self.row or f"id = {{{self.part}}}"
        besides = self.besides.get(state, self.besides.get("*", ""))
        words = f"UPDATE {self.table} SET {self.column} = $1{besides and f', {besides}'} WHERE {which}"
        done = await execute(words.format_map(parts), state)
        assert done != "UPDATE 0", f"the scene has no {self.table} where {which}"


BOTH = frozenset({"seller", "buyer"})
ANY = ":any"
_TODAY = "(now() AT TIME ZONE 'Asia/Shanghai')::date"

#: By the names that the table calls them.
LIVES = {
    "account_invitation": Life(
        ACCOUNT_INVITATION,
        "account_invitation",
        {"/people/": "invitation_id", "/join/": "token"},
        row="id = {invitation_id}",
        besides={"accepted": "person = inviter", "*": "person = NULL"},
    ),
    "approval": Life(
        APPROVAL,
        "approval",
        "approval_id",
        besides={"waiting": "decided_by = NULL", "*": "decided_by = {person_id}"},
    ),
    "appointment": Life(
        APPOINTMENT,
        "appointment",
        "appointment_id",
        besides={"held": "outcome = 'intent'", "*": "outcome = NULL"},
    ),
    "attendance": Life(
        ATTENDANCE,
        "invitation",
        {
            "/town/meetings/{meeting_id:int}/attendance/": "organisation_id",
            "/meetings/{meeting_id:int}/attendance/": "organisation_id",
        },
        row="meeting = {meeting_id} AND organisation = {organisation_id}",
        column="attendance",
    ),
    "badge": Life(ATTENDANCE, "attendee", {"/checkin/": "code"}, row="code = '{badge}'", column="attendance"),
    "bid": Life(BID, "bid", "bid_id"),
    "breach": Life(BREACH, "breach", "breach_id"),
    "call": Life(CALL, "call_off", "call_id"),
    "case": Life(
        CASE,
        "stuck_case",
        "case_id",
        besides={
            "open": "reason = NULL, closed_at = NULL",
            "closed": "reason = 'sold', closed_at = opened_at",
        },
    ),
    "contract": Life(
        CONTRACT,
        "deal",
        "deal_id",
        besides={
            "pending": "seller_signed_at = NULL, buyer_signed_at = NULL",
            "partly_signed": "seller_signed_at = created_at, buyer_signed_at = NULL",
            "*": "seller_signed_at = created_at, buyer_signed_at = created_at",
        },
    ),
    "contract_scan": Life(
        SCAN,
        "contract_scan",
        {"/deals/": "scan_id"},
        row="id = {contract_scan}",
        besides={"refused": "reason = 'other'", "disputed": "reason = 'other'", "*": "reason = NULL"},
    ),
    "delivery": Life(DELIVERY, "delivery", "delivery_id"),
    "demand": Life(DEMAND, "demand", "demand_id"),
    "ending": Life(ENDING, "contract_ending", "ending_id"),
    "frame": Life(FRAME, "frame", "frame_id"),
    "invitation": Life(
        INVITATION,
        "invitation",
        {"/town/meetings/{meeting_id:int}/invitations/": "invitation_id", "/i/": "token"},
        row="id = {asked}",
    ),
    "invoice": Life(
        INVOICE,
        "invoice",
        "invoice_id",
        besides={"recorded": "reason = NULL", "*": "reason = 'other'"},
    ),
    "joint": Life(JOINT, "joint_offer", "joint_id"),
    "listing": Life(LISTING, "listing", "listing_id"),
    "match": Life(
        MATCH,
        "match",
        "match_id",
        besides={
            "proposed": "seller_agreed_at = NULL, buyer_agreed_at = NULL",
            "one_side_agreed": "seller_agreed_at = created_at, buyer_agreed_at = NULL",
            "*": "seller_agreed_at = created_at, buyer_agreed_at = created_at",
        },
    ),
    "meeting": Life(
        MEETING,
        "meeting",
        "meeting_id",
        besides={
            "in_progress": f"held_on = {_TODAY}, published_at = NULL",
            "*": f"held_on = {_TODAY} + 9, answer_by = NULL, wishes_by = NULL, published_at = NULL",
        },
    ),
    # published, on its day: the one in which it can start
    "meeting_today": Life(
        MEETING,
        "meeting",
        {},
        row="id = {meeting_id}",
        besides={"*": f"held_on = {_TODAY}, published_at = created_at"},
    ),
    "open_bid": Life(OPEN_BID, "open_bid", "open_bid_id"),
    "payment": Life(
        PAYMENT,
        "payment",
        "payment_id",
        besides={"invoiced": "paid = 0", "part_paid": "paid = 1", "paid": "paid = amount"},
    ),
    "phone_change": Life(
        PHONE_CHANGE,
        "phone_change",
        "change_id",
        besides={"asked": "phone = '19900099998'", "*": "phone = ''"},
    ),
    "arrival": Life(ARRIVAL, "arrival", "arrival_id"),
    "receipt": Life(RECEIPT, "receipt", "receipt_id"),
    "recovery": Life(
        RECOVERY,
        "recovery",
        {"/people/recoveries/": "person_id"},
        row="person = {person_id}",
        besides={"asked": "granted_by = NULL", "*": "granted_by = {organisation_id}"},
    ),
    "registration": Life(
        REGISTRATION,
        "registration",
        {"/town/": "registration_id", "/r/": "token"},
        row="id = {registration_id}",
    ),
    "reset": Life(RECOVERY, "recovery", {"/reset/": "token"}, row="token_hash IS NOT NULL"),
    "run": Life(RUN, "run", "run_id"),
    "sample": Life(SAMPLE, "sample", "sample_id"),
    "sealed_bid": Life(
        SEALED_BID,
        "sealed_bid",
        "mark",
        row="mark = '{mark}'",
        besides={"withdrawn": "withdrawn_at = created_at", "*": "withdrawn_at = NULL"},
    ),
    "share": Life(SHARE, "joint_share", "share_id"),
    "terms": Life(TERMS, "contract_terms", "version", row="deal = {deal_id} AND version = {version}"),
    "verification": Life(
        VERIFICATION,
        "organisation",
        {"/county/organisations/": "organisation_id"},
        row="id = {organisation_id}",
        column="standing",
        besides={"*": "verified_until = '2099-01-01'"},
    ),
}


def named_in(path: str) -> list[str]:
    """Return the names of the things with a life that an address names."""
    return [name for name, life in LIVES.items() if life.is_named_in(path)]


def faults_of(entries: Iterable[Entry]) -> Iterator[str]:
    """Tell what lines of posts do not say of states, or say wrongly."""
    for entry in entries:
        for way in entry.ways or (entry,):
            untold = [name for name in named_in(way.path) if name not in way.needs]
            if way.method == "POST" and untold:
                yield (
                    f"{way.where}: {way.name} says nothing of the states of {', '.join(untold)}: "
                    f"{untold[0]}.move, {untold[0]}:state,state or {untold[0]}:any"
                )
            for name, need in way.needs.items():
                yield from (f"{way.where}: {trouble}" for trouble in _troubles(name, need))


def _troubles(name: str, need: str) -> Iterator[str]:
    life = LIVES.get(name)
    if life is None:
        yield f"nothing with a life is called {name}"
    elif need.startswith(".") and not life.cycle.sources(need[1:]):
        yield f"{name} has no move {need[1:]}"
    elif need != ANY and not life.open_in(need) <= life.cycle.states:
        yield f"{name} is never {', '.join(sorted(life.open_in(need) - life.cycle.states))}"
