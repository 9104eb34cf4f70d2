"""The proposal of other terms that waits for a signature: one at most, and never replaced unseen."""

import msgspec

from market.db.session import fetch_one_into
from market.deals import rules
from market.deals.clauses import Terms
from market.i18n import Message, msg
from market.meanwhile import ChangedMeanwhile, differing, marks_of


class OpenProposal(msgspec.Struct, frozen=True):
    version: int
    terms: Terms
    proposer: int
    note: str


class ProposedMeanwhile(ChangedMeanwhile):
    """A proposal waits for a signature that whoever proposes now has not seen; ``version`` is its number."""

    def __init__(self, waiting: OpenProposal, *, mine: Terms, organisation_id: int) -> None:
        other = differing(waiting.terms, marks_of(mine))
        super().__init__(both=other, theirs=(), mine=mine, now=waiting.terms, marks=marks_of(waiting.terms))
        self.version, self.proposed = waiting.version, waiting.terms
        self.message = (
            msg(
                "本单位已有人提议改条款（第 {n} 版），在等对方签字，这次没有保存。"
                "不同的地方标在各项下面，看过再提交一次，就代替那一版。",
                n=waiting.version,
            )
            if waiting.proposer == organisation_id
            else msg(
                "对方已提议改条款（第 {n} 版），在等本方签字，这次没有保存。"
                "不同的地方标在各项下面；同意就去签字，不同意看过再提交一次，就代替那一版。",
                n=waiting.version,
            )
        )

    def beside(self, now: Message | str) -> Message:
        return msg("等着签字的提议里，这一项是 {now}；再提交一次，就按您填的提议。", now=now)


async def open_proposal(*, deal_id: int) -> OpenProposal | None:
    """Return the terms that wait for a signature. Who may see them is for the caller to know."""
    return await fetch_one_into(
        OpenProposal,
        "SELECT version, terms, proposer, note FROM contract_terms WHERE deal = $1 AND state = $2",
        deal_id,
        rules.PROPOSED,
    )


async def check_seen(
    *, deal_id: int, replaces: int, mine: Terms, organisation_id: int
) -> OpenProposal | None:
    """Return the proposal that ``mine`` takes the place of. The contract's row is locked.

    Raises:
        ProposedMeanwhile: another proposal waits than ``replaces``, the one that was seen (0: none was).
    """
    waiting = await open_proposal(deal_id=deal_id)
    if waiting is not None and waiting.version != replaces:
        raise ProposedMeanwhile(waiting, mine=mine, organisation_id=organisation_id)
    return waiting
