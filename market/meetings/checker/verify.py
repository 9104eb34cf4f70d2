"""Checks a timetable's files against the meeting, sharing nothing with the scheduler.

Whatever is written is read, counted and reasoned again: fields and rules and figures in the plainest way
(:mod:`reading`, :mod:`counting`), the two tables (:mod:`sheets`), and what is claimed of all plans there
are by an exact model of its own (:mod:`claims`).
"""

from pathlib import Path

from msgspec import Struct

from market.i18n import Message
from market.meetings.checker.claimed import read_claim, read_earlier
from market.meetings.checker.claims import check_claims
from market.meetings.checker.counting import broken_rules, wrong_figures
from market.meetings.checker.fields import load
from market.meetings.checker.reading import read_meeting
from market.meetings.checker.sheets import wrong_sheets


class Report(Struct, frozen=True):
    """Every fault; and of a timetable without any, what else was proven and what was left open."""

    wrong: tuple[Message, ...]
    checked: tuple[Message, ...] = ()
    left_open: tuple[Message, ...] = ()


def verify_timetable(
    meeting_file: Path,
    directory: Path,
    *,
    keep: Path | None = None,
    time_limit: float = 20.0,
    threads: int = 1,
) -> Report:
    """Check everything in ``directory``.

    Args:
        keep: the earlier timetable that this one was to keep close to, if it was.
        time_limit: seconds for what is claimed of all plans; the rest takes no noticeable time.

    Raises:
        Invalid: a file cannot be read at all, or the meeting itself is wrong; ``fields`` tells where.
    """
    meeting = read_meeting(meeting_file)
    home = None if keep is None else read_earlier(keep, meeting)
    claim, wrong = read_claim(load(directory / "timetable.json"), meeting)
    wrong += broken_rules(meeting, claim.slots, claim.tables)
    wrong += wrong_figures(meeting, claim, home)
    wrong += wrong_sheets(meeting, claim, directory)
    if wrong:
        return Report(tuple(wrong))
    verdict = check_claims(meeting, claim, home=home, seconds=time_limit, threads=threads)
    return Report(tuple(verdict.wrong), tuple(verdict.checked), tuple(verdict.left_open))
