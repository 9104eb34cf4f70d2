"""Who of an organisation gets which kind of notice: those who may act on it, or may open what it leads to.

One inbox is an organisation's; this says which of its notices a person sees there. A kind that stands
in no line here cannot be sent (:func:`check_kind`), so none is forgotten.
"""

from collections.abc import Sequence

import msgspec

from market.accounts.rules import (
    BUYER,
    CADRE,
    KEEPING_ROLES,
    MANAGER,
    OFFICIAL,
    SECRETARY,
    SELLER,
    Viewer,
)

#: Whose organisation's people, limits and papers are in their care.
KEEPERS = KEEPING_ROLES
SELLERS = frozenset({SECRETARY, CADRE, SELLER})
BUYERS = frozenset({BUYER, MANAGER})
TRADERS = SELLERS | BUYERS
OFFICIALS = frozenset({OFFICIAL})
#: Every member of the organisation, whatever the role.
EVERYBODY = frozenset({"everybody"})

#: Circles of roles: the first in which the organisation has somebody gets it.
Circles = tuple[frozenset[str], ...]

_TRADE: Circles = (TRADERS,)
_SELLING: Circles = (SELLERS,)
_BUYING: Circles = (BUYERS,)
_TOWN: Circles = (OFFICIALS,)
_DISPUTE: Circles = (TRADERS | OFFICIALS,)
_BOOK: Circles = (SELLERS | OFFICIALS,)
#: Whoever is there answers an invitation: the press, for one, has nobody who trades.
_INVITED: Circles = (TRADERS | OFFICIALS, EVERYBODY)
_KEEPING: Circles = (KEEPERS,)
_ALL: Circles = (EVERYBODY,)

#: Kind of notice -> who gets it.
READERS: dict[str, Circles] = {
    # accounts and organisations
    "account_joined": _KEEPING,
    "password_reset": _ALL,
    "phone_change": _ALL,
    "phone_change_asked": _KEEPING,
    "verification_filed": (frozenset({OFFICIAL, "verifier"}),),
    **dict.fromkeys(
        (
            "capabilities",
            "reinstated",
            "suspended",
            "verification_ends",
            "verification_expired",
            "verification_refused",
            "verified",
        ),
        _KEEPING,
    ),
    **dict.fromkeys(("agent_acted", "delegation_ended", "delegation_given"), (KEEPERS | SELLERS,)),
    "channel_test": _ALL,
    # approvals
    "approval_asked": (frozenset({MANAGER}),),
    **dict.fromkeys(("approval_approved", "approval_ended", "approval_expired", "approval_refused"), _BUYING),
    **dict.fromkeys(("approval_awaited", "approval_off"), _TRADE),
    # bids, offers, rounds
    **dict.fromkeys(
        (
            "bid_countered",
            "bid_expired",
            "bid_placed",
            "bid_reconfirmed",
            "bid_rejected",
            "bid_unsettled",
            "bid_withdrawn",
            "offer_ended",
            "offer_unsettled",
        ),
        _TRADE,
    ),
    **dict.fromkeys(
        (
            "bid_opened",
            "bid_void",
            "offer_placed",
            "open_bid_lost",
            "open_bid_negotiated",
            "open_bid_overbid",
            "open_bid_release_answered",
            "open_bid_void",
            "open_bid_won",
        ),
        _BUYING,
    ),
    **dict.fromkeys(
        ("bidding_closed", "bids_opened", "open_bid_placed", "open_bid_release_asked", "round_over"), _SELLING
    ),
    **dict.fromkeys(
        (
            "joint_asked",
            "joint_contract_gone",
            "joint_expired",
            "joint_invited",
            "joint_rejected",
            "joint_share_admit",
            "joint_share_confirm",
            "joint_share_decline",
            "joint_share_refuse",
            "joint_share_withdraw",
            "joint_submitted",
            "joint_unsettled",
            "joint_withdrawn",
        ),
        _TRADE,
    ),
    # matching
    **dict.fromkeys(("match_agreed", "match_declined", "matches_proposed"), _TRADE),
    **dict.fromkeys(("goods_freed", "listings_stuck"), _SELLING),
    "run_finished": _TOWN,
    # contracts and agreements
    **dict.fromkeys(
        (
            "arrival_confirmed",
            "arrival_denied",
            "arrival_stated",
            "arrival_withdrawn",
            "call_confirmed",
            "call_expired",
            "call_placed",
            "call_refused",
            "call_withdrawn",
            "deal_cancelled",
            "deal_made",
            "deal_signed",
            "delivery_moved",
            "delivery_scheduled",
            "ending_proposed",
            "ending_refused",
            "ending_withdrawn",
            "frame_agree_end",
            "frame_end_proposed",
            "frame_ended",
            "frame_ending",
            "frame_expired",
            "frame_proposed",
            "frame_refuse_end",
            "frame_refused",
            "frame_signed",
            "frame_withdraw_end",
            "frame_withdrawn",
            "inspection_due",
            "inspection_passed",
            "invoice_recorded",
            "invoice_refused",
            "invoice_reversed",
            "invoice_taken",
            "invoice_withdrawn",
            "paid",
            "payment_confirmed",
            "payment_disputed",
            "payment_due",
            "payment_overdue",
            "payment_unanswered",
            "payment_withdrawn",
            "scan_filed",
            "scan_outdated",
            "scan_presented",
            "scan_refused",
            "scan_withdrawn",
            "terms_agreed",
            "terms_proposed",
            "terms_refused",
            "terms_withdrawn",
        ),
        _TRADE,
    ),
    **dict.fromkeys(("breach", "deal_terminated", "shelf"), _DISPUTE),
    # the worry book
    **dict.fromkeys(("case_assigned", "case_climbed", "case_closed", "case_opened"), _BOOK),
    "cases_opened": _TOWN,
    # meetings
    **dict.fromkeys(
        (
            "field_route",
            "invitation_reminder",
            "invitation_revoked",
            "meeting_changed",
            "meeting_invitation",
            "meeting_moved",
            "meeting_revised",
            "timetable_changed",
            "timetable_published",
        ),
        _INVITED,
    ),
    **dict.fromkeys(
        (
            "follow_up_due",
            "outcome_corrected",
            "quote_asked",
            "sample_answered",
            "sample_called_off",
            "sample_late",
            "sample_received",
            "sample_requested",
            "sample_sent",
        ),
        _DISPUTE,
    ),
    **dict.fromkeys(
        (
            "absences_changed",
            "invitation_declined",
            "invitation_delegated",
            "invitation_note",
            "never_again",
            "outcome_disputed",
            "registration",
        ),
        _TOWN,
    ),
}


def may_leave(kind: str, people: Sequence[frozenset[str]]) -> bool:
    """Say whether channels carry ``kind`` out of an organisation; ``people``: the roles of each active one.

    Anybody of it may add a channel, and a group or another system has more readers than an inbox: what is
    told only to those who look after accounts and papers stays inside, unless everybody there is one of them
    or, for want of one, stands in.
    """
    keepers = sum(bool(roles & KEEPERS) for roles in people)
    return not is_narrow(kind) or keepers in (0, len(people))


def is_narrow(kind: str) -> bool:
    """Whether :func:`may_leave` depends on who is there."""
    return READERS[kind][0] == KEEPERS


class Hearing(msgspec.Struct, frozen=True):
    """Which kinds of the organisation's notices one person of it does not see, and which only as a stand-in.

    Whoever stands in reads the text: what it leads to is not theirs to do, but who does it is.
    """

    unheard: frozenset[str]
    stands_in: frozenset[str]

    @property
    def shut(self) -> list[str]:
        """The kinds that are left out, as a query takes them."""
        return sorted(self.unheard)


def check_kind(kind: str) -> None:
    """Raises: KeyError: nobody said who gets such a notice."""
    READERS[kind]


def hearing(viewer: Viewer) -> Hearing:
    """Say what reaches the viewer, by the roles that the organisation's people have now."""
    agent = viewer.delegation_id is not None
    there = viewer.colleagues | viewer.roles
    keeps = not agent and (bool(viewer.roles & KEEPERS) or not there & KEEPERS)
    unheard: set[str] = set()
    stands_in: set[str] = set()
    for kind, circles in READERS.items():
        if keeps and KEEPERS in circles:
            continue  # also where nobody is named, so that everybody keeps
        circle = next((each for each in circles if each == EVERYBODY or each & there), None)
        if circle is None:
            (stands_in if keeps else unheard).add(kind)
        elif not (viewer.roles & circle or (circle == EVERYBODY and not agent)):
            unheard.add(kind)
    return Hearing(frozenset(unheard), frozenset(stands_in))
