"""代录: an organisation lets one person of another act for it, for named deeds, until a day, revocably."""

import hashlib
from datetime import date, datetime, timedelta

import msgspec
from asyncpg import Record

from market.accounts.operations import NewOrganisation, register_organisation
from market.accounts.rules import CADRE, DEEDS, HOUSEHOLD, SECRETARY, Actor
from market.accounts.sessions import renew_session
from market.audit.operations import record
from market.catalogue.persons import english_person
from market.clock import CHINA
from market.db.session import execute, fetch, fetch_into, transaction
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, in_both, msg, named
from market.notices.operations import notify

#: A delegation holds no longer than this.
MOST_DAYS = 366
LONGEST_WORDS = 300
LONGEST_NAME = 40
#: Who acts for others: people whose office it is.
AGENT_ROLES = (SECRETARY, CADRE)


class Sheet(msgspec.Struct, frozen=True):
    """A signed sheet of paper, drawn anew."""

    image: bytes


class Agent(msgspec.Struct, frozen=True):
    """A secretary or posted cadre of an organisation in the same town."""

    person: int
    name: str
    name_en: str
    organisation: int
    organisation_name: str
    organisation_name_en: str


class DelegationRow(msgspec.Struct, frozen=True):
    id: int
    principal: int
    principal_name: str
    principal_name_en: str
    agent: int
    agent_name: str
    agent_name_en: str
    agent_organisation: int
    agent_organisation_name: str
    agent_organisation_name_en: str
    deeds: list[str]
    until: date
    consent: str
    has_sheet: bool
    words: str
    granted_at: datetime
    revoked_at: datetime | None

    def holds(self, today: date) -> bool:
        return self.revoked_at is None and self.until >= today


_ROWS = """SELECT delegation.id, delegation.principal, principal.name AS principal_name,
       principal.name_en AS principal_name_en, delegation.agent, agent.name AS agent_name,
       agent.name_en AS agent_name_en, delegation.agent_organisation,
       home.name AS agent_organisation_name, home.name_en AS agent_organisation_name_en, delegation.deeds,
       delegation.until, delegation.consent, delegation.sheet IS NOT NULL AS has_sheet, delegation.words,
       delegation.granted_at, delegation.revoked_at
FROM delegation JOIN organisation principal ON principal.id = delegation.principal
JOIN person agent ON agent.id = delegation.agent
JOIN organisation home ON home.id = delegation.agent_organisation
"""


async def given_by(*, organisation_id: int) -> list[DelegationRow]:
    """Return whom the organisation lets act for it, or once did; the newest first."""
    return await fetch_into(
        DelegationRow, _ROWS + "WHERE delegation.principal = $1 ORDER BY delegation.id DESC", organisation_id
    )


async def held_by(*, person_id: int, organisation_id: int) -> list[DelegationRow]:
    """Return for whom the person, as a member of the organisation, may act or once might."""
    return await fetch_into(
        DelegationRow,
        _ROWS
        + "WHERE delegation.agent = $1 AND delegation.agent_organisation = $2 ORDER BY delegation.id DESC",
        person_id,
        organisation_id,
    )


async def sheet_of(*, delegation_id: int, person_id: int, organisation_id: int, keeps: bool) -> bytes:
    """Return the signed sheet (WebP) to its agent, and to who ``keeps`` the principal.

    Raises:
        NotFound: there is none, or it is not theirs to see.
    """
    rows = await fetch(
        """SELECT sheet FROM delegation
           WHERE id = $1 AND sheet IS NOT NULL
             AND ((principal = $3 AND $4) OR (agent = $2 AND agent_organisation = $3))""",
        delegation_id,
        person_id,
        organisation_id,
        keeps,
    )
    if not rows:
        raise NotFound(msg("没有找到这份委托书，它可能已到留存期。"))
    return bytes(rows[0]["sheet"])


async def forget_sheets(*, ended_before: date) -> int:
    """Drop the pictures of sheets whose delegations ended before; their hashes stay. Return how many."""
    told = await execute(
        """UPDATE delegation SET sheet = NULL
           WHERE sheet IS NOT NULL AND least(until, (revoked_at AT TIME ZONE 'Asia/Shanghai')::date) < $1""",
        ended_before,
    )
    return int(told.rpartition(" ")[2])


async def agents_for(*, organisation_id: int) -> list[Agent]:
    """Return who may be let act for the organisation: secretaries and cadres of others in its town."""
    return await fetch_into(
        Agent,
        """SELECT DISTINCT person.id AS person, person.name, person.name_en, home.id AS organisation,
                  home.name AS organisation_name, home.name_en AS organisation_name_en
           FROM organisation own JOIN organisation home ON home.town = own.town AND home.id <> own.id
           JOIN membership ON membership.organisation = home.id AND membership.role = ANY($2)
           JOIN person ON person.id = membership.person AND person.active
           WHERE own.id = $1 ORDER BY home.name, person.id""",
        organisation_id,
        list(AGENT_ROLES),
    )


async def grant(
    *,
    agent_id: int,
    deeds: tuple[str, ...],
    until: date,
    words: str,
    organisation_id: int,
    actor: Actor,
    at: datetime,
) -> int:
    """Let an agent act for the organisation from now on; return the delegation's number.

    Raises:
        Invalid: nobody who may act for it, no deed, or a day that does not fit.
        Conflict: the agent acts for it already.
    """
    problems = _problems(deeds, until, words, at=at)
    agents = {each.person: each for each in await agents_for(organisation_id=organisation_id)}
    if agent_id not in agents:
        problems["agent"] = msg("请选同一个镇的书记或驻村干部。")
    if problems:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
    home = agents[agent_id].organisation
    async with transaction():
        number = await _write(
            organisation_id, agent_id, home, deeds, until, words, sheet=None, actor=actor, at=at
        )
        await notify(
            organisation_id=home,
            kind="delegation_given",
            message=msg("{name}委托你们代办，请看代办页。", name=await _name(organisation_id)),
            link="/delegations",
            at=at,
        )
    return number


async def register_household(
    *,
    name: str,
    deeds: tuple[str, ...],
    until: date,
    words: str,
    sheet: Sheet,
    village_id: int,
    actor: Actor,
    at: datetime,
) -> int:
    """Take in a household that has no phone, with the sheet on which it lets its secretary act for it.

    The household is an organisation of its own: what is entered for it is its own, not the village's.
    Return the delegation's number.

    Raises:
        Invalid: no name, no deed, or a day that does not fit.
        NotFound: the actor is no secretary or cadre of the village.
    """
    problems = _problems(deeds, until, words, at=at)
    if not 0 < len(name.strip()) <= LONGEST_NAME:
        problems["name"] = msg("请填写这一项。")
    if problems:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
    async with transaction():
        village = await fetch(
            """SELECT division, lat, lon, town FROM organisation WHERE id = $1 AND EXISTS (
                 SELECT FROM membership WHERE organisation = $1 AND person = $2 AND role = ANY($3))""",
            village_id,
            actor.person_id,
            list(AGENT_ROLES),
        )
        if not village or actor.person_id is None:
            raise NotFound(msg("没有找到这个单位。"))
        household_id = await register_organisation(
            organisation=NewOrganisation(
                kind=HOUSEHOLD,
                name=name.strip(),
                division=village[0]["division"],
                lat=village[0]["lat"],
                lon=village[0]["lon"],
                town_id=village[0]["town"],
            ),
            at=at,
        )
        return await _write(
            household_id, actor.person_id, village_id, deeds, until, words, sheet=sheet, actor=actor, at=at
        )


async def revoke(*, delegation_id: int, organisation_id: int, actor: Actor, at: datetime) -> None:
    """End a delegation at once, for either side; what the agent has open comes to nothing.

    Raises: NotFound; Conflict: it has ended already.
    """
    async with transaction():
        rows = await fetch(
            """SELECT id, principal, agent, agent_organisation, revoked_at FROM delegation
               WHERE id = $1 AND $2 IN (principal, agent_organisation) FOR UPDATE""",
            delegation_id,
            organisation_id,
        )
        if not rows:
            raise NotFound(msg("没有找到这份委托。"))
        row = rows[0]
        if row["revoked_at"] is not None:
            raise Conflict(msg("这份委托已经结束。"))
        await _end(row, by=organisation_id, actor=actor, at=at)


async def revoke_all(*, agent_id: int, actor: Actor, at: datetime, home_id: int | None = None) -> None:
    """End every delegation to an agent who leaves ``home_id``, or every place; the principals are told."""
    async with transaction():
        for row in await fetch(
            """SELECT id, principal, agent, agent_organisation FROM delegation
               WHERE agent = $1 AND revoked_at IS NULL AND ($2::bigint IS NULL OR agent_organisation = $2)
               ORDER BY id FOR UPDATE""",
            agent_id,
            home_id,
        ):
            await _end(row, by=row["agent_organisation"], actor=actor, at=at)


async def _end(row: Record, *, by: int, actor: Actor, at: datetime) -> None:
    await execute(
        "UPDATE delegation SET revoked_at = $2, revoked_by = $3 WHERE id = $1", row["id"], at, actor.person_id
    )
    await execute("DELETE FROM session WHERE delegation = $1", row["id"])
    await record(
        subject=f"organisation:{row['principal']}",
        action="revoke_delegation",
        actor=actor,
        at=at,
        details={"delegation_id": row["id"], "agent": row["agent"]},
    )
    await notify(
        organisation_id=row["agent_organisation"] if by == row["principal"] else row["principal"],
        kind="delegation_ended",
        message=msg("{name}结束了代办委托。", name=await _name(by)),
        link="/delegations",
        at=at,
    )


async def begin_acting(*, delegation_id: int, session_id: int, person_id: int, at: datetime) -> str:
    """Let the session go on for the principal; return its new token. Forms of before are void.

    Raises: NotFound: there is no such delegation of the person's that holds.
    """
    async with transaction():
        rows = await fetch(
            """UPDATE session SET organisation = delegation.principal, delegation = delegation.id
               FROM delegation
               WHERE session.id = $1 AND session.person = $2 AND session.awaits = ''
                 AND delegation.id = $3 AND delegation.agent = $2 AND delegation.revoked_at IS NULL
                 AND delegation.until >= $4
                 AND EXISTS (SELECT FROM membership WHERE membership.person = $2
                             AND membership.organisation = delegation.agent_organisation)
               RETURNING session.id""",
            session_id,
            person_id,
            delegation_id,
            at.astimezone(CHINA).date(),
        )
        if not rows:
            raise NotFound(msg("没有找到这份委托。"))
        return await renew_session(session_id=session_id)


async def home_of(*, delegation_id: int, person_id: int) -> int:
    """Return the organisation that the agent of a delegation is of. Raises: NotFound."""
    rows = await fetch(
        "SELECT agent_organisation FROM delegation WHERE id = $1 AND agent = $2", delegation_id, person_id
    )
    if not rows:
        raise NotFound(msg("没有找到这份委托。"))
    return int(rows[0]["agent_organisation"])


async def tell_principal(
    *, actor: Actor, organisation_id: int, did: Message, link: str, at: datetime
) -> None:
    """Tell the organisation what an agent has done for it; where its own people act, nobody is told.

    Call it in the transaction of the deed. ``did``: what was done, without a full stop.
    """
    if actor.delegation_id is None:
        return
    agent = (await fetch("SELECT name, name_en FROM person WHERE id = $1", actor.person_id))[0]
    await notify(
        organisation_id=organisation_id,
        kind="agent_acted",
        message=msg(
            "{name}代你们办了：{did}。",
            name=in_both(agent["name"], agent["name_en"] or english_person(agent["name"])),
            did=did,
        ),
        link=link,
        at=at,
    )


async def entered_by(*, subject: str, action: str) -> tuple[str, str] | None:
    """Return the name (Chinese, English) of the agent who did ``action``; None where it was no agent."""
    rows = await fetch(
        """SELECT person.name, person.name_en FROM audit_record JOIN person ON person.id = audit_record.person
           WHERE subject = $1 AND action = $2 AND details ? 'delegation' ORDER BY position DESC LIMIT 1""",
        subject,
        action,
    )
    return (rows[0]["name"], rows[0]["name_en"]) if rows else None


def _problems(deeds: tuple[str, ...], until: date, words: str, *, at: datetime) -> dict[str, Message]:
    problems: dict[str, Message] = {}
    today = at.astimezone(CHINA).date()
    if not deeds or set(deeds) - DEEDS.keys():
        problems["deeds"] = msg("请至少勾选一项可以代办的事。")
    if not today <= until <= today + timedelta(days=MOST_DAYS):
        problems["until"] = msg("委托最长一年，从今天算起。")
    if len(words) > LONGEST_WORDS:
        problems["words"] = msg("最多 {most} 个字。", most=LONGEST_WORDS)
    return problems


async def _write(
    principal: int,
    agent: int,
    home: int,
    deeds: tuple[str, ...],
    until: date,
    words: str,
    *,
    sheet: Sheet | None,
    actor: Actor,
    at: datetime,
) -> int:
    rows = await fetch(
        """INSERT INTO delegation (principal, agent, agent_organisation, deeds, until, consent, words, sheet,
                                   sheet_hash, granted_by, granted_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
           ON CONFLICT (principal, agent) WHERE revoked_at IS NULL DO NOTHING RETURNING id""",
        principal,
        agent,
        home,
        list(deeds),
        until,
        "online" if sheet is None else "paper",
        words,
        None if sheet is None else sheet.image,
        "" if sheet is None else hashlib.sha256(sheet.image).hexdigest(),
        actor.person_id,
        at,
    )
    if not rows:
        raise Conflict(msg("已经委托过这个人；要改，请先撤销再委托。"))
    number = int(rows[0]["id"])
    await record(
        subject=f"organisation:{principal}",
        action="delegate",
        actor=actor,
        at=at,
        details={
            "delegation_id": number,
            "agent": agent,
            "deeds": list(deeds),
            "until": until.isoformat(),
            "paper": None if sheet is None else hashlib.sha256(sheet.image).hexdigest(),
        },
    )
    return number


async def _name(organisation_id: int) -> Message:
    rows = await fetch("SELECT name, name_en FROM organisation WHERE id = $1", organisation_id)
    return named(rows[0], "name")
