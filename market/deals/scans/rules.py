"""The life of a scanned contract, and the mark that ties a paper to the terms it was printed from. Pure.

A scan binds nobody by silence: it is its uploader's signature, because the uploader says so, and becomes the
other side's by that side's own press. What stands on a scan falls with it.
"""

import hashlib
from datetime import date
from typing import Any

import msgspec

from market.deals.clauses import Terms, usual_terms
from market.deals.rules import BOUND, PARTLY_SIGNED, PENDING
from market.i18n import Message, msg
from market.transitions import Lifecycle, Move

UPLOADED, WAITING, CONFIRMED, REFUSED = "uploaded", "waiting", "confirmed", "refused"
FILED, DISPUTED, WITHDRAWN, OUTDATED = "filed", "disputed", "withdrawn", "outdated"

SCAN = Lifecycle(
    "scanned contract",
    Move("present", {UPLOADED}, WAITING, by={"uploader"}),
    Move("file", {UPLOADED}, FILED, by={"uploader"}),
    Move("confirm", {WAITING}, CONFIRMED, by={"other"}),
    Move("refuse", {WAITING}, REFUSED, by={"other"}),
    Move("dispute", {FILED}, DISPUTED, by={"other"}),
    Move("withdraw", {UPLOADED, WAITING}, WITHDRAWN, by={"uploader"}),
    Move("keep", {WAITING}, FILED, by={"system"}),
    Move("outdate", {UPLOADED, WAITING}, OUTDATED, by={"system"}),
    start=UPLOADED,
    labels={
        UPLOADED: msg("已上传，还没交给对方"),
        WAITING: msg("等对方确认"),
        CONFIRMED: msg("双方确认"),
        REFUSED: msg("对方不认可"),
        FILED: msg("归档件"),
        DISPUTED: msg("归档件，对方有异议"),
        WITHDRAWN: msg("已撤回"),
        OUTDATED: msg("已不作数"),
    },
)
#: Why a scan is not what was signed.
REFUSALS: dict[str, Message] = {
    "not_signed": msg("我方没有签过这份"),
    "other_text": msg("内容和约定的条款不一样"),
    "missing_pages": msg("缺页"),
    "unclear": msg("看不清"),
    "no_seal": msg("签字或盖章不全"),
    "other_contract": msg("传的是别的合同"),
    "other": msg("其他"),
}
#: Contracts that a scan may sign, and those that it is only filed with.
TO_SIGN = frozenset({PENDING, PARTLY_SIGNED})
TO_FILE = BOUND

#: Files of one scan, and scans of one side of a contract, at most.
MOST_FILES = 6
MOST_SCANS = 20
#: Signs of the mark, in two groups.
_MARK = 8
#: What people read for what stands there.
_ALIKE = str.maketrans({"O": "0", "I": "1", "L": "1"})


class Printed(msgspec.Struct, frozen=True):
    """What a paper says beside its terms; grams, and fen per kg."""

    number: str
    seller: int
    buyer: int
    quantity: int
    price: int


def mark_of(printed: Printed, terms: Terms) -> str:
    """Return the mark that stands on every page of the contract with these terms, e.g. ``7C1E-90AB``.

    Terms that say the usual do not count: a clause that is added to contracts later changes no older mark.
    """
    usual = msgspec.to_builtins(usual_terms(deliver_from=date.min, deliver_to=date.min))
    said: dict[str, Any] = {
        name: value for name, value in msgspec.to_builtins(terms).items() if usual.get(name) != value
    }
    whole = msgspec.json.encode([printed, said], order="deterministic")
    found = hashlib.sha256(whole).hexdigest()[:_MARK].upper()
    return f"{found[: _MARK // 2]}-{found[_MARK // 2 :]}"


def plain_mark(typed: str) -> str:
    """Return a mark as people type it in the form in which it is printed; what is none stays none."""
    signs = "".join(sign for sign in typed.upper() if sign.isalnum()).translate(_ALIKE)
    return f"{signs[: _MARK // 2]}-{signs[_MARK // 2 :]}"
