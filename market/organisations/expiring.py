"""A verification runs out: its people are reminded before, and then it is over."""

from datetime import date, datetime, time, timedelta

import msgspec

from market import clock
from market.accounts.rules import SYSTEM, VERIFIED
from market.audit.operations import record
from market.clock import CHINA
from market.db.jobs import Run, enqueue, job
from market.i18n import msg, on_day
from market.organisations import rules
from market.organisations.moving import locked, move_to, tell

#: When people read messages, China's time.
_HOUR = time(9, 0)


class UntilPayload(msgspec.Struct, frozen=True):
    """``until``: the last day as it stood when the job was written; another one makes it void."""

    organisation_id: int
    until: date


async def schedule_end(organisation_id: int, until: date, *, at: datetime) -> None:
    """Write down the reminder and the end, in the caller's transaction."""
    for kind, day in (
        ("organisations.remind", until - timedelta(days=rules.REMIND_DAYS)),
        ("organisations.expire", until + timedelta(days=1)),
    ):
        due = datetime.combine(day, _HOUR if kind.endswith("remind") else time(), CHINA)
        if due > at or kind.endswith("expire"):
            key = f"{organisation_id}:{until.isoformat()}"
            await enqueue(kind, UntilPayload(organisation_id, until), run_at=max(due, at), key=key)


@job("organisations.remind")
async def remind_of_end(run: Run) -> None:
    """Tell an organisation that its verification runs out."""
    await remind(run.read(UntilPayload), at=clock.now())


async def remind(payload: UntilPayload, *, at: datetime) -> None:
    """Do :func:`remind_of_end` in the caller's transaction."""
    row = await locked(payload.organisation_id)
    is_over = payload.until < at.astimezone(CHINA).date()
    if not is_over and row["standing"] == VERIFIED and row["verified_until"] == payload.until:
        await tell(
            payload.organisation_id,
            "verification_ends",
            msg("贵单位的核验 {day} 到期，请提前交新的材料。", day=on_day(payload.until)),
            at=at,
        )


@job("organisations.expire")
async def end_verification(run: Run) -> None:
    """Let a verification run out."""
    await expire(run.read(UntilPayload), at=clock.now())


async def expire(payload: UntilPayload, *, at: datetime) -> None:
    """Do :func:`end_verification` in the caller's transaction; renewed or suspended meanwhile: nothing."""
    row = await locked(payload.organisation_id)
    is_over = payload.until < at.astimezone(CHINA).date()
    if not is_over or row["standing"] != VERIFIED or row["verified_until"] != payload.until:
        return
    state = rules.VERIFICATION.apply("expire", state=VERIFIED, by="system")
    await move_to(payload.organisation_id, state, at=at)
    await record(
        subject=f"organisation:{payload.organisation_id}", action="expire", actor=SYSTEM, at=at, details={}
    )
    await tell(
        payload.organisation_id,
        "verification_expired",
        msg("贵单位的核验已过期，请交新的材料；别人会看到“核验已过期”。"),
        at=at,
    )
