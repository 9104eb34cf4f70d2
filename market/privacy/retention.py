"""Keeping to the table of periods: once an hour, what has been kept long enough goes."""

from datetime import date, datetime, timedelta

from market.accounts.leaving import forget_invited
from market.accounts.rules import SYSTEM
from market.audit.operations import record
from market.db.session import execute, transaction
from market.deals.arrivals.operations import forget_arrival_files
from market.deals.endings.forgetting import forget_pictures
from market.deals.invoices.operations import forget_invoice_files
from market.deals.scans.operations import forget_scans
from market.meetings.invitations.forgetting import (
    forget_guests,
    forget_notes,
    forget_readings,
    forget_registrations,
    forget_words,
)
from market.notices.operations import forget_notices
from market.organisations.delegating import forget_sheets
from market.privacy.rules import PERIODS


async def keep_to_periods(*, at: datetime, today: date) -> dict[str, int]:
    """Forget what is due and return how much of each kind; what was forgotten is recorded, in numbers.

    Sessions and tries have their own clocks in accounts, which the same round asks.
    """

    def moment(kind: str) -> datetime:
        return at - timedelta(days=PERIODS[kind].days)

    def day(kind: str) -> date:
        return today - timedelta(days=PERIODS[kind].days)

    async with transaction():
        gone = {
            "notices": await forget_notices(before=moment("notices")),
            "readings": await forget_readings(before=moment("readings")),
            "guests": await forget_guests(held_before=day("guests")),
            "notes": await forget_notes(held_before=day("notes")),
            "words": await forget_words(held_before=day("words")),
            "registrations": await forget_registrations(held_before=day("registrations")),
            "invitations": await forget_invited(before=moment("invitations")),
            "sheets": await forget_sheets(ended_before=day("sheets")),
            "scans": await forget_scans(ended_before=day("scans"))
            + await forget_invoice_files(ended_before=day("scans"))
            + await forget_arrival_files(ended_before=day("scans")),
            "proofs": await forget_pictures(ended_before=day("proofs")),
            "exports": await _count(
                "UPDATE data_export SET content = NULL WHERE content IS NOT NULL AND ready_at < $1",
                moment("exports"),
            ),
            "names": await _count("DELETE FROM kept_name WHERE until < $1", today),
        }
        told = {kind: count for kind, count in gone.items() if count}
        if told:
            await record(
                subject=f"retention:{today.isoformat()}", action="forget", actor=SYSTEM, at=at, details=told
            )
    return told


async def _count(sql: str, *values: object) -> int:
    return int((await execute(sql, *values)).rpartition(" ")[2])
