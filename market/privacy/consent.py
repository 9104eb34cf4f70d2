"""What somebody has read and agreed to. Every answer is a new row; the newest of a purpose counts."""

from collections.abc import Collection
from datetime import datetime

import msgspec

from market.accounts.rules import Actor
from market.audit.operations import record
from market.db.session import execute, fetch, fetch_into, transaction
from market.errors import Invalid
from market.i18n import msg
from market.privacy import rules


class ConsentRow(msgspec.Struct, frozen=True):
    """The newest answer for one purpose."""

    purpose: str
    version: str
    given: bool
    at: datetime


async def consents_of(*, person_id: int) -> dict[str, ConsentRow]:
    """Return purpose -> newest answer, the reading of the notice included."""
    rows = await fetch_into(
        ConsentRow,
        """SELECT DISTINCT ON (purpose) purpose, version, given, at FROM consent_act
           WHERE person = $1 ORDER BY purpose, id DESC""",
        person_id,
    )
    return {row.purpose: row for row in rows}


async def answer_notice(*, person_id: int, agreed: Collection[str], actor: Actor, at: datetime) -> None:
    """Keep that the notice was read, and for each purpose whether the person agrees.

    Raises:
        Invalid: there is no such purpose.
    """
    if set(agreed) - rules.PURPOSES.keys():
        raise Invalid(msg("没有这一项同意。"))
    async with transaction():
        answers = [(rules.NOTICE_READ, True), *((each, each in agreed) for each in rules.PURPOSES)]
        await _keep(person_id, answers, at=at)
        await record(
            subject=f"person:{person_id}",
            action="read_notice",
            actor=actor,
            at=at,
            details={"version": rules.VERSION, "agreed": sorted(agreed)},
        )


async def change_consent(*, person_id: int, purpose: str, given: bool, actor: Actor, at: datetime) -> None:
    """Give or take back one consent; the same answer again changes nothing.

    Raises:
        Invalid: there is no such purpose.
    """
    if purpose not in rules.PURPOSES:
        raise Invalid(msg("没有这一项同意。"))
    async with transaction():
        await execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"consent:{person_id}")
        known = (await consents_of(person_id=person_id)).get(purpose)
        if known is not None and known.given == given and known.version == rules.VERSION:
            return
        await _keep(person_id, [(purpose, given)], at=at)
        await record(
            subject=f"person:{person_id}",
            action="consent" if given else "withdraw_consent",
            actor=actor,
            at=at,
            details={"version": rules.VERSION, "purpose": purpose},
        )


async def _keep(person_id: int, answers: list[tuple[str, bool]], *, at: datetime) -> None:
    await fetch(
        """INSERT INTO consent_act (person, purpose, version, given, at)
           SELECT $1::bigint, answer.purpose, $2::text, answer.given, $3::timestamptz
           FROM unnest($4::text[], $5::boolean[]) AS answer (purpose, given)""",
        person_id,
        rules.VERSION,
        at,
        [purpose for purpose, _ in answers],
        [given for _, given in answers],
    )
