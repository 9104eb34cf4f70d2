"""The people of an organisation: given roles, ended; and the limits up to which they commit it."""

from datetime import datetime

import msgspec
from asyncpg import Record

from market.accounts.inviting import revoke_given_by
from market.accounts.keeping import most_to_give
from market.accounts.rules import KEEPING_ROLES, MANAGER, Actor, Standing, roles_in
from market.audit.operations import record
from market.db.session import execute, fetch, fetch_into, transaction
from market.errors import Conflict, Invalid, NotFound
from market.i18n import msg
from market.meanwhile import settled
from market.organisations import rules
from market.organisations.delegating import AGENT_ROLES, revoke_all
from market.units import Fen, yuan


class Part(msgspec.Struct, frozen=True):
    """What somebody is in an organisation: ``role``, and up to how many fen as a purchasing manager."""

    role: str
    most: int | None = None


class Limit(msgspec.Struct, frozen=True):
    """Up to how many fen a buyer commits the organisation alone; None: any amount."""

    limit: int | None = None


class MemberRow(msgspec.Struct, frozen=True):
    """``most``: fen that a purchasing manager may approve; None: any amount, or no manager."""

    person: int
    name: str
    name_en: str
    phone: str
    active: bool
    roles: list[str]
    most: int | None
    seen_at: datetime | None


async def members_of(*, organisation_id: int) -> list[MemberRow]:
    """Return the people of an organisation. Whose it is is for the caller to know."""
    return await fetch_into(
        MemberRow,
        """SELECT person.id AS person, person.name, person.name_en, person.phone, person.active,
                  array_agg(membership.role ORDER BY membership.role) AS roles,
                  max(membership.most) AS most,
                  (SELECT max(seen_at) FROM session WHERE session.person = person.id
                   AND session.organisation = $1) AS seen_at
           FROM membership JOIN person ON person.id = membership.person
           WHERE membership.organisation = $1 GROUP BY person.id ORDER BY min(membership.id)""",
        organisation_id,
    )


async def set_role(
    *,
    person_id: int,
    role: str,
    most: Fen | None,
    organisation_id: int,
    actor: Actor,
    at: datetime,
    seen: str | None = None,
) -> None:
    """Give a member one role instead of those it has; ``most`` is a purchasing manager's own limit in fen.

    What went with the old role ends with it: acting for others, and invitations that are still open.
    ``seen`` are the marks of the :class:`Part` as it was read, where that is known: rights are given as a
    whole, so that every change of others is asked back.

    Raises:
        NotFound: no such member.
        ChangedMeanwhile: others have given the member another role, or limit, since.
        Invalid: no role that there is in this organisation, or no limit, or one above the actor's own.
        Conflict: nobody would be left who looks after the organisation.
    """
    if (problem := rules.limit_problem(most)) is not None:
        raise Invalid(problem, {"most": problem})
    async with transaction():
        row = await _locked(organisation_id)
        _check_role(row, role)
        await _check_member(organisation_id, person_id)
        now = await fetch_into(
            Part,
            """SELECT min(role) AS role, max(most) AS most FROM membership
               WHERE organisation = $1 AND person = $2""",
            organisation_id,
            person_id,
        )
        settled(Part(role, most if role == MANAGER else None), now=now[0], seen=seen, exact=True)
        is_keeper = role in KEEPING_ROLES
        if not is_keeper:
            await _check_not_last(organisation_id, person_id)
        if role == MANAGER:
            await _check_within(most, "most", organisation_id, actor)
        await execute(
            "DELETE FROM membership WHERE organisation = $1 AND person = $2", organisation_id, person_id
        )
        await execute(
            "INSERT INTO membership (person, organisation, role, most) VALUES ($1, $2, $3, $4)",
            person_id,
            organisation_id,
            role,
            most if role == MANAGER else None,
        )
        if role not in AGENT_ROLES:
            await revoke_all(agent_id=person_id, home_id=organisation_id, actor=actor, at=at)
        if not is_keeper:
            await revoke_given_by(person_id=person_id, home_id=organisation_id, actor=actor, at=at)
        await _record(organisation_id, "set_role", actor, at, person=person_id, role=role, most=most)


async def end_membership(*, person_id: int, organisation_id: int, actor: Actor, at: datetime) -> None:
    """Let somebody leave: sessions and tokens for this organisation end, what others let the person do, and
    the person's invitations that are still open.

    Raises:
        NotFound: no such member.
        Conflict: nobody would be left who looks after the organisation.
    """
    async with transaction():
        await _locked(organisation_id)
        await _check_member(organisation_id, person_id)
        await _check_not_last(organisation_id, person_id)
        await execute(
            "DELETE FROM membership WHERE organisation = $1 AND person = $2", organisation_id, person_id
        )
        await revoke_all(agent_id=person_id, home_id=organisation_id, actor=actor, at=at)
        await revoke_given_by(person_id=person_id, home_id=organisation_id, actor=actor, at=at)
        await execute(
            "DELETE FROM session WHERE person = $1 AND organisation = $2", person_id, organisation_id
        )
        await execute(
            """UPDATE api_token SET revoked_at = $3
               WHERE person = $1 AND organisation = $2 AND revoked_at IS NULL""",
            person_id,
            organisation_id,
            at,
        )
        await _record(organisation_id, "end_member", actor, at, person=person_id)


async def set_buyer_limit(
    *, limit: Fen | None, organisation_id: int, actor: Actor, at: datetime, seen: str | None = None
) -> None:
    """Say up to which sum, in fen, a buyer commits the organisation alone; None: any amount.

    What waits for approval already goes on waiting. ``seen`` are the marks of the :class:`Limit` as it was
    read, where that is known.

    Raises:
        Invalid: no limit, or one above the actor's own.
        ChangedMeanwhile: others have set another limit since.
        Conflict: nobody is there to approve.
    """
    if (problem := rules.limit_problem(limit)) is not None:
        raise Invalid(problem, {"limit": problem})
    async with transaction():
        now = Limit((await _locked(organisation_id))["buyer_limit"])
        settled(Limit(limit), now=now, seen=seen)
        if limit is not None and not await fetch(
            "SELECT FROM membership WHERE organisation = $1 AND role = $2", organisation_id, MANAGER
        ):
            raise Conflict(msg("本单位还没有采购经理，没人能审批；请先添加采购经理再设限额。"))
        await _check_within(limit, "limit", organisation_id, actor)
        await execute("UPDATE organisation SET buyer_limit = $2 WHERE id = $1", organisation_id, limit)
        await _record(organisation_id, "set_limit", actor, at, fen=limit)


async def _locked(organisation_id: int) -> Record:
    """Hold the organisation, so that of two who go at the same time one sees the other gone."""
    rows = await fetch(
        """SELECT kind, granted, withheld, buyer_limit FROM organisation
           WHERE id = $1 FOR NO KEY UPDATE""",
        organisation_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这个单位。"))
    return rows[0]


async def _check_within(limit: Fen | None, field: str, organisation_id: int, actor: Actor) -> None:
    """Raise Invalid where a purchasing manager would lift themselves, or others, above their own limit."""
    most = await most_to_give(person_id=actor.person_id, organisation_id=organisation_id)
    if most is not None and (limit is None or limit > most):
        problem = msg(
            "不能超过您自己的审批限额 {most} 元；要调高，请本单位管理员、镇里或县里来办。",
            most=f"{yuan(Fen(most)):,.2f}",
        )
        raise Invalid(problem, {field: problem})


def _check_role(row: Record, role: str) -> None:
    standing = Standing(row["kind"], granted=frozenset(row["granted"]), withheld=frozenset(row["withheld"]))
    if role not in roles_in(standing):
        problem = msg("这类单位没有这个角色，请另选。")
        raise Invalid(problem, {"role": problem})


async def _check_member(organisation_id: int, person_id: int) -> None:
    if not await fetch(
        "SELECT FROM membership WHERE organisation = $1 AND person = $2", organisation_id, person_id
    ):
        raise NotFound(msg("没有找到这个成员。"))


async def _check_not_last(organisation_id: int, person_id: int) -> None:
    """Raise Conflict where the person is the last who looks after the organisation, or its last at all."""
    rows = await fetch(
        """SELECT count(*) FILTER (WHERE person <> $2) AS others,
                  count(*) FILTER (WHERE person <> $2 AND role = ANY($3)) AS keepers,
                  count(*) FILTER (WHERE person = $2 AND role = ANY($3)) AS keeps
           FROM membership JOIN person ON person.id = membership.person AND person.active
           WHERE organisation = $1""",
        organisation_id,
        person_id,
        sorted(KEEPING_ROLES),
    )
    row = rows[0]
    if not row["others"] or (row["keeps"] and not row["keepers"]):
        raise Conflict(msg("这是本单位最后一位管事的人，请先指定另一位再改。"))


async def _record(organisation_id: int, action: str, actor: Actor, at: datetime, **details: object) -> None:
    await record(
        subject=f"organisation:{organisation_id}", action=action, actor=actor, at=at, details=details
    )
