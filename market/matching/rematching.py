"""Matching again because goods came back: what a broken contract held is worth more today than tomorrow."""

from datetime import timedelta

from market import clock
from market.accounts.rules import SYSTEM
from market.db.jobs import Run, enqueue, job
from market.deals.releasing import REMATCH, Rematch
from market.errors import Conflict
from market.matching.operations import request_run

#: Until the run that is under way is asked after again: it may have read the market before.
PAUSE = timedelta(minutes=1)


@job(REMATCH)
async def rematch(attempt: Run) -> None:
    """Ask for a run of the town; while one is under way, come back."""
    asked, at = attempt.read(Rematch), clock.now()
    try:
        await request_run(town_id=asked.town_id, actor=SYSTEM, at=at)
    except Conflict:
        await enqueue(REMATCH, asked, key=f"town:{asked.town_id}", run_at=at + PAUSE)
