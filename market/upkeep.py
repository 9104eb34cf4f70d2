"""What time does to the market: once an hour, whatever has lapsed is moved on."""

from datetime import timedelta

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
from market.deals.breach import lapse_cases
from market.deals.frames.rounds import expire_calls, round_of_frames
from market.demand.operations import close_overdue
from market.documents.operations import forget_bundles
from market.matching.agreement import expire_matches
from market.matching.rematching import rematch as rematch  # whoever runs upkeep runs this job too
from market.matching.run_jobs import fail_abandoned
from market.meetings.attendance import begin_days
from market.meetings.following import round_after_meetings
from market.meetings.reminding import expire_invitations
from market.notices.sending import forget_sent
from market.organisations.approving import expire_approvals
from market.organisations.dead_approvals import end_dead_approvals
from market.organisations.expiring import end_verification as end_verification  # these jobs too
from market.privacy import own_data as own_data  # whoever runs upkeep makes copies too
from market.privacy.retention import keep_to_periods
from market.supply.operations import expire_listings

#: Between two rounds.
PERIOD = timedelta(hours=1)


async def schedule_upkeep() -> None:
    """See to it that a round is due; any number of processes may ask, one round waits."""
    async with transaction():
        await enqueue("upkeep", {}, key="hourly")


@job("upkeep")
async def round_of_upkeep(_: Run) -> None:
    """Do one round, and put the next one down in the same transaction: at once where something is left."""
    at = clock.now()
    today = at.astimezone(clock.CHINA).date()
    moved = max(await expire_listings(at=at), await close_overdue(at=at))
    await open_overdue(at=at)
    moved = max(moved, await end_offers(at=at))
    await expire_joints(at=at)
    moved = max(moved, await expire_bids(at=at))
    await free_to_bid(None, at=at)
    await expire_matches(at=at)
    await expire_calls(at=at)
    await round_of_frames(at=at)
    await lapse_cases(at=at)
    moved = max(moved, await expire_approvals(at=at), await end_dead_approvals(at=at))
    await fail_abandoned(at=at)
    await expire_invitations(at=at)
    await begin_days(at=at)
    await round_after_meetings(at=at)
    await round_of_cases(at=at)
    await forget_expired(at=at)
    await forget_sent(at=at)
    await forget_bundles(at=at)
    await forget_finished()
    await keep_to_periods(at=at, today=today)
    await seal_soon()
    pause = PERIOD if moved < MOST_AT_ONCE else timedelta()
    await enqueue("upkeep", {}, key="hourly", run_at=at + pause)
