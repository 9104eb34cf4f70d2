"""Closing one's own account (PIPL article 47): what goes at once, and what the law makes us keep.

Gone: the sign-in, the number, the name on every page and in notices, sessions, tokens, second factor, roles,
requests for a password, invitations, acting for others, the numbers given for meetings. Kept: the record of
deeds, by the account's number alone, for its chains must fit; notes of talks, which colleagues go on reading
under no name until their period is over; the name of somebody who has signed contracts, out of everybody's
sight, until three years after the last one.
"""

from datetime import date, datetime, timedelta

import msgspec

from market.accounts.inviting import revoke_given_by
from market.accounts.leaving import close_person
from market.accounts.rules import Actor
from market.audit.operations import record
from market.db.session import execute, fetch, fetch_value, transaction
from market.errors import Conflict, Invalid
from market.i18n import msg
from market.meetings.invitations.forgetting import forget_number
from market.notices.operations import forget_name
from market.organisations.delegating import revoke_all
from market.privacy import rules


class Leaving(msgspec.Struct, frozen=True):
    """What closing the account would mean, told before it is done."""

    #: Contracts of the person's organisations that are not over, where nobody else could be reached.
    stranded: list[str]
    #: Until when the name is kept, if the person has signed anything.
    kept_until: date | None


async def leaving_of(*, person_id: int, today: date) -> Leaving:
    """Return what would stay of the person."""
    stranded = await fetch(
        """SELECT DISTINCT deal.number FROM deal JOIN membership
             ON membership.organisation IN (deal.seller, deal.buyer) AND membership.person = $1
           WHERE deal.state IN ('pending', 'partly_signed', 'active')
             AND NOT EXISTS (SELECT FROM membership AS other JOIN person ON person.id = other.person
                             WHERE other.organisation = membership.organisation AND other.person <> $1
                               AND person.active)
           ORDER BY 1""",
        person_id,
    )
    signed = await fetch_value(
        """SELECT max(CASE WHEN state IN ('pending', 'partly_signed', 'active') THEN $2::date
                      ELSE (greatest(created_at, terminated_at) AT TIME ZONE 'Asia/Shanghai')::date END)
           FROM deal WHERE $1 IN (seller_signed_by, buyer_signed_by)""",
        person_id,
        today,
    )
    kept = signed + timedelta(days=rules.PERIODS["names"].days) if signed else None
    return Leaving([row["number"] for row in stranded], kept)


async def close_account(*, person_id: int, sure: bool, actor: Actor, at: datetime, today: date) -> None:
    """Switch the account off and take the person out of it. There is no way back.

    Raises:
        Invalid: it was not confirmed.
        Conflict: contracts run that nobody else could be reached for, or the account is closed already.
    """
    if not sure:
        problem = msg("请勾选，确认要注销。")
        raise Invalid(problem, {"sure": problem})
    async with transaction():
        # of two who leave at the same time one sees the other gone
        await fetch(
            """SELECT id FROM organisation WHERE id IN (SELECT organisation FROM membership WHERE person = $1)
               ORDER BY id FOR NO KEY UPDATE""",
            person_id,
        )
        leaving = await leaving_of(person_id=person_id, today=today)
        if leaving.stranded:
            raise Conflict(
                msg(
                    "合同 {numbers} 还没有履行完，您是本单位唯一能联系的人。请先让同事加入，或等合同结束。",
                    numbers="、".join(leaving.stranded),
                )
            )
        await revoke_all(agent_id=person_id, actor=actor, at=at)
        name, phone = await close_person(person_id=person_id, name=rules.GONE, name_en=rules.GONE_EN, at=at)
        await revoke_given_by(person_id=person_id, actor=actor, at=at)
        await forget_name(name=name, instead=rules.GONE)
        if leaving.kept_until:
            await execute(
                """INSERT INTO kept_name (person, name, until) VALUES ($1, $2, $3)
                   ON CONFLICT (person) DO NOTHING""",
                person_id,
                name,
                leaving.kept_until,
            )
        await execute(
            "UPDATE phone_change SET state = 'withdrawn', phone = '', decided_at = $2"
            " WHERE person = $1 AND state = 'asked'",
            person_id,
            at,
        )
        await execute("DELETE FROM data_export WHERE person = $1", person_id)
        await forget_number(phone=phone)
        await record(
            subject=f"person:{person_id}",
            action="close_account",
            actor=actor,
            at=at,
            details={"name_kept": leaving.kept_until is not None},
        )
