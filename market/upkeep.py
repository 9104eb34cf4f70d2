"""What time does to the market: once an hour, whatever has lapsed is moved on.

Each step is a transaction of its own: locks are held for a step, not for a round, and what fails takes
back its own step alone. Done again, a step finds nothing more to do.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta

from market import clock
from market.accounts.operations import forget_expired
from market.audit.operations import MOST_AT_ONCE
from market.audit.sealing import seal_soon
from market.bids.after_round import free_to_bid
from market.bids.joint.closing import expire_joints
from market.bids.opening import open_overdue
from market.bids.standing import end_offers, expire_bids
from market.cases.rounds import round_of_cases
from market.db.jobs import Run, enqueue, forget_finished, job
from market.db.session import transaction
from market.deals.arrivals.inspecting import end_inspections, remind_to_inspect
from market.deals.breach import lapse_cases
from market.deals.frames.rounds import expire_calls, round_of_frames
from market.deals.receipts import go_on_reminding
from market.deals.reminding import remind_of_payments
from market.demand.operations import close_overdue
from market.documents.operations import forget_bundles
from market.matching.agreement import expire_matches
from market.matching.rematching import rematch as rematch  # whoever runs upkeep runs this job too
from market.matching.run_jobs import fail_abandoned
from market.meetings.after.following import round_after_meetings
from market.meetings.day.attendance import begin_days
from market.meetings.invitations.reminding import expire_invitations
from market.notices.sending import forget_sent
from market.organisations.approving import expire_approvals
from market.organisations.dead_approvals import end_dead_approvals
from market.organisations.expiring import end_verification as end_verification  # these jobs too
from market.privacy import own_data as own_data  # whoever runs upkeep makes copies too
from market.privacy.retention import keep_to_periods
from market.supply.operations import expire_listings

#: Between two rounds.
PERIOD = timedelta(hours=1)
#: And after one in which something failed.
SOON = timedelta(minutes=5)

log = logging.getLogger("market.upkeep")


async def schedule_upkeep() -> None:
    """See to it that a round is due; any number of processes may ask, one round waits."""
    async with transaction():
        await enqueue("upkeep", {}, key="hourly")


Step = Callable[[datetime], Awaitable[object]]
#: Steps that move on ``MOST_AT_ONCE`` at most, and return how many: where that is reached, more is left.
_IN_PORTIONS = frozenset(
    {
        "listings",
        "demands",
        "offers",
        "bids",
        "approvals",
        "dead approvals",
        "cases",
        "inspections due",
        "inspections over",
        "money due",
    }
)
#: In the order in which one step makes work for another.
_STEPS: dict[str, Step] = {
    "listings": lambda at: expire_listings(at=at),
    "demands": lambda at: close_overdue(at=at),
    "rounds of bidding": lambda at: open_overdue(at=at),
    "offers": lambda at: end_offers(at=at),
    "joint offers": lambda at: expire_joints(at=at),
    "bids": lambda at: expire_bids(at=at),
    "after rounds": lambda at: free_to_bid(None, at=at),
    "matches": lambda at: expire_matches(at=at),
    "calls": lambda at: expire_calls(at=at),
    "frames": lambda at: round_of_frames(at=at),
    "breaches": lambda at: lapse_cases(at=at),
    "inspections due": lambda at: remind_to_inspect(at=at),
    "inspections over": lambda at: end_inspections(at=at),
    "money claimed": lambda at: go_on_reminding(at=at),
    "money due": lambda at: remind_of_payments(at=at),
    "approvals": lambda at: expire_approvals(at=at),
    "dead approvals": lambda at: end_dead_approvals(at=at),
    "runs": lambda at: fail_abandoned(at=at),
    "invitations": lambda at: expire_invitations(at=at),
    "days of meetings": lambda at: begin_days(at=at),
    "meetings": lambda at: round_after_meetings(at=at),
    "cases": lambda at: round_of_cases(at=at),
    "sessions": lambda at: forget_expired(at=at),
    "notices": lambda at: forget_sent(at=at),
    "papers": lambda at: forget_bundles(at=at),
    "jobs": lambda _: forget_finished(),
    "personal data": lambda at: keep_to_periods(at=at, today=_day(at)),
    "seals": lambda _: seal_soon(),
}


@job("upkeep", long=True, endless=True)
async def round_of_upkeep(run: Run) -> None:
    """Do one round, and put the next one down: at once where something is left, soon where a step failed."""
    at = clock.now()
    pause = PERIOD
    for name, step in _STEPS.items():
        try:
            async with transaction():
                moved = await step(at)
        except Exception:
            # a row that one step cannot deal with must not stop the clock for all the others
            log.exception("upkeep of %s", name)
            pause = min(pause, SOON)
        else:
            if name in _IN_PORTIONS and isinstance(moved, int) and moved >= MOST_AT_ONCE:
                pause = timedelta()
    async with run.finishing():
        await enqueue("upkeep", {}, key="hourly", run_at=at + pause)


def _day(at: datetime) -> date:
    return at.astimezone(clock.CHINA).date()
