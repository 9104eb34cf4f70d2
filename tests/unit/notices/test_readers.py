"""Every kind of notice in the product: who gets it may open what it leads to."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from market.accounts.rules import COUNTY, KEEPING_ROLES, RETAILER, SIDES, TOWN, VILLAGE, Viewer
from market.notices.readers import EVERYBODY, READERS, check_kind, hearing
from tests.integration.authorisation.table import Entry, entries

ROOT = Path(__file__).parents[3]
SIGNED = {"signed", "all"}
#: Kinds whose address or name is put together where they are sent.
TOGETHER = {
    "agent_acted": "/deals/1",
    "approval_approved": "/deals/1",
    "approval_awaited": "/bids/1",
    "approval_expired": "/approvals/1",
    "approval_off": "/bids/1",
    "approval_refused": "/approvals/1",
    "arrival_confirmed": "/deals/1#deliveries",
    "arrival_denied": "/deals/1#deliveries",
    "arrival_stated": "/deals/1#deliveries",
    "arrival_withdrawn": "/deals/1#deliveries",
    "bid_reconfirmed": "/bids/1",
    "bid_rejected": "/bids/1",
    "bid_withdrawn": "/bids/1",
    "bidding_closed": "/selling/1#bidding",
    "call_refused": "/frames/1",
    "call_withdrawn": "/frames/1",
    "capabilities": "/organisation",
    "case_assigned": "/cases/1",
    "case_climbed": "/cases/1",
    "case_closed": "/cases/1",
    "case_opened": "/cases/1",
    "channel_test": "/account/channels",
    "ending_proposed": "/deals/1/ending",
    "ending_refused": "/deals/1/ending",
    "ending_withdrawn": "/deals/1/ending",
    "frame_agree_end": "/frames/1",
    "frame_ended": "/frames/1",
    "frame_ending": "/frames/1",
    "frame_expired": "/frames/1",
    "frame_refuse_end": "/frames/1",
    "frame_refused": "/frames/1",
    "frame_withdraw_end": "/frames/1",
    "frame_withdrawn": "/frames/1",
    "inspection_passed": "/deals/1#deliveries",
    "invitation_delegated": "/town/meetings/1/invitations",
    "invitation_note": "/town/meetings/1/invitations",
    "invoice_recorded": "/deals/1#invoices",
    "invoice_refused": "/deals/1#invoices",
    "invoice_reversed": "/deals/1#invoices",
    "invoice_taken": "/deals/1#invoices",
    "invoice_withdrawn": "/deals/1#invoices",
    "joint_expired": "/joint/1",
    "joint_rejected": "/joint/1",
    "joint_share_admit": "/joint/1",
    "joint_share_confirm": "/joint/1",
    "joint_share_decline": "/joint/1",
    "joint_share_refuse": "/joint/1",
    "joint_share_withdraw": "/joint/1",
    "joint_unsettled": "/joint/1",
    "joint_withdrawn": "/joint/1",
    "joint_contract_gone": "/joint/1",
    "open_bid_lost": "/listings/1#bid",
    "open_bid_release_answered": "/listings/1#bid",
    "open_bid_release_asked": "/selling/1#bidding",
    "open_bid_void": "/listings/1#bid",
    "outcome_corrected": "/meetings/1/talks/1/result",
    "payment_confirmed": "/deals/1#payments",
    "payment_disputed": "/deals/1#payments",
    "payment_due": "/deals/1#payments",
    "payment_overdue": "/deals/1#payments",
    "payment_withdrawn": "/deals/1#payments",
    "reinstated": "/organisation",
    "sample_answered": "/samples/1",
    "sample_called_off": "/samples/1",
    "sample_late": "/samples/1",
    "sample_received": "/samples/1",
    "sample_requested": "/samples/1",
    "sample_sent": "/samples/1",
    "scan_filed": "/deals/1#scans",
    "scan_presented": "/deals/1#scans",
    "scan_refused": "/deals/1#scans",
    "scan_withdrawn": "/deals/1#scans",
    "suspended": "/organisation",
    "terms_agreed": "/deals/1/terms",
    "terms_proposed": "/deals/1/terms",
    "terms_refused": "/deals/1/terms",
    "terms_withdrawn": "/deals/1/terms",
    "verification_ends": "/organisation",
    "verification_expired": "/organisation",
    "verification_refused": "/organisation",
    "verified": "/organisation",
}


def _calls(*names: str) -> Iterator[ast.Call]:
    """Yield every call in the product of what goes by one of ``names``."""
    for path in sorted((ROOT / "market").rglob("*.py")):
        text = path.read_text()
        if not any(f"{name}(" in text for name in names):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                yield node


def _sent() -> Iterator[tuple[str, str]]:
    """Yield kind and address of every notice whose both stand where it is sent."""
    for call in _calls("notify", "Word"):
        named = {each.arg: each.value for each in call.keywords}
        named |= dict(zip(("organisation_id", "kind", "message", "link"), call.args, strict=False))
        kind, link = named.get("kind"), _address(named.get("link"))
        if isinstance(kind, ast.Constant) and link:
            yield str(kind.value), link


#: How kinds begin whose end is a move or a state of their thing; each is listed whole above.
BEGINNINGS = {"arrival_", "call_", "frame_", "joint_share_", "payment_", "sample_", "terms_"}


def test_kinds_that_are_put_together_are_listed_above() -> None:
    found = set()
    for call in _calls("notify", "Word", "_tell"):
        for each in (*call.args, *(word.value for word in call.keywords if word.arg == "kind")):
            if isinstance(each, ast.JoinedStr) and isinstance(each.values[0], ast.Constant):
                found.add(str(each.values[0].value))
    assert {each for each in found if "/" not in each} == BEGINNINGS


def _address(link: ast.expr | None) -> str:
    if isinstance(link, ast.Constant):
        return str(link.value)
    if isinstance(link, ast.JoinedStr):
        return "".join(str(each.value) if isinstance(each, ast.Constant) else "1" for each in link.values)
    return ""


def _line(address: str) -> Entry:
    """Return what the table of authorisation says of an address."""
    path = address.partition("#")[0]
    found = [
        each
        for each in entries()
        if each.method == "GET" and re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", each.path), path)
    ]
    assert len(found) == 1, address
    return found[0]


LINKS = sorted({*_sent(), *TOGETHER.items()})


def test_every_kind_is_sent_somewhere_and_has_readers() -> None:
    assert {kind for kind, _ in LINKS} == READERS.keys()
    with pytest.raises(KeyError):
        check_kind("nobody_said")


@pytest.mark.parametrize(("kind", "link"), LINKS)
def test_whoever_gets_a_notice_may_open_what_it_leads_to(kind: str, link: str) -> None:
    entry = _line(link)
    for circle in READERS[kind]:
        if circle == EVERYBODY:
            assert entry.who & SIGNED, f"{link} is not for everybody"
            continue
        for role in circle:
            sides = {role, SIDES[role]} | ({"keeper"} if role in KEEPING_ROLES else set())
            if role == "official":
                # a county's official is of the county's side: one of both has to be let in
                sides |= {"county"}
            assert entry.who & (sides | SIGNED), f"{kind} reaches {role}, who may not open {link}"


def _viewer(role: str, *colleagues: str, kind: str = RETAILER, delegation: int | None = None) -> Viewer:
    return Viewer(
        session_id=1, person_id=2, name="李明", organisation_id=3, organisation_name="永辉超市",
        organisation_name_en="Yonghui", organisation_kind=kind, roles=frozenset({role}), language="zh",
        colleagues=frozenset({role, *colleagues} if delegation is None else colleagues),
        delegation_id=delegation,
    )  # fmt: skip


def test_an_administrator_gets_nothing_of_contracts_where_somebody_trades() -> None:
    told = hearing(_viewer("administrator", "buyer"))
    assert {"deal_made", "bid_countered", "approval_approved"} <= told.unheard
    assert "deal_made" not in hearing(_viewer("buyer", "administrator")).unheard
    assert "verified" not in told.unheard


def test_an_approval_reaches_managers_alone() -> None:
    assert "approval_asked" in hearing(_viewer("buyer", "manager")).unheard
    assert "approval_asked" not in hearing(_viewer("manager", "buyer")).unheard


def test_where_nobody_has_the_role_who_keeps_the_people_stands_in() -> None:
    told = hearing(_viewer("administrator"))
    assert "deal_made" in told.stands_in
    assert told.unheard == frozenset()
    # there, the buyers have an administrator who does that for them
    assert "approval_asked" in hearing(_viewer("buyer", "administrator")).unheard


@pytest.mark.parametrize("kind", [RETAILER, VILLAGE, TOWN, COUNTY])
@pytest.mark.parametrize("roles", [{each} for each in SIDES] + [{"buyer", "auditor"}, {"seller", "cadre"}])
def test_no_notice_reaches_nobody(roles: set[str], kind: str) -> None:
    told = [hearing(_viewer(each, *roles, kind=kind)) for each in roles]
    assert frozenset.intersection(*(each.unheard for each in told)) == frozenset()


def test_an_agent_gets_what_it_sells_for_and_nothing_of_the_people() -> None:
    told = hearing(_viewer("seller", "secretary", kind=VILLAGE, delegation=7))
    assert "bid_placed" not in told.unheard
    assert {"verified", "password_reset", "account_joined"} <= told.unheard
