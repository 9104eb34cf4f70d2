"""What of a timetable is proven, in words: how far down the objective, and what is left open."""

from collections.abc import Collection

from market.i18n import Message, msg


def proof_words(*, proven: Collection[str], breaks: int, bound: int) -> Message:
    """Return a sentence about the levels that are proven.

    Args:
        proven: the levels (``problem.LEVELS``), each with those above it.
        bound: the lower bound on breaks; it proves them even where the weight that is kept is open. Proven
            breaks above it are those of a timetable that was kept to: what moves counts with them, and only
            both together are as few as can be.
    """
    together = "breaks" in proven and breaks > bound
    if "table_changes" in proven:
        if together:
            return msg("空档和改动合在一起，已证明不能更少；在这之下，空等和换桌也不能更少。")
        return msg("空档、等候和换桌都已证明不能更少。")
    if "idle_slots" in proven:
        if together:
            return msg("空档和改动合在一起，已证明不能更少；在这之下，空等也不能更少，换桌也许还能再少一点。")
        return msg("空档和空等都已证明不能更少；换桌次数也许还能再少一点。")
    if together:
        return msg("空档和改动合在一起，已证明不能更少；空等和换桌也许还能再少一点。")
    if breaks <= bound:
        return msg("空档次数已证明不能更少；空等和换桌也许还能再少一点。")
    return msg("没有冲突；空档次数离下界还差 {n} 次。", n=breaks - bound)
