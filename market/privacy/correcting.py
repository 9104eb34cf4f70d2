"""Correcting one's own data (PIPL article 46): the name at once, the number after somebody has called it."""

from datetime import datetime

import asyncpg
import msgspec

from market.accounts.keeping import KEPT, scope
from market.accounts.leaving import give_number, rename
from market.accounts.rules import Actor, Viewer, is_phone
from market.audit.looks import check_look
from market.audit.operations import record
from market.db.session import fetch, fetch_into, transaction
from market.errors import Conflict, Invalid, NotFound
from market.i18n import msg
from market.notices.operations import notify
from market.privacy import rules

LONGEST_NAME = 40


class PhoneChangeRow(msgspec.Struct, frozen=True):
    """A number that waits to be called, for those who look after its owner."""

    id: int
    person: int
    name: str
    name_en: str
    organisation: int
    organisation_name: str
    organisation_name_en: str
    old_phone: str
    phone: str
    state: str
    asked_at: datetime


async def correct_name(*, person_id: int, name: str, name_en: str, actor: Actor, at: datetime) -> None:
    """Write down one's own name as it really is.

    Raises:
        Invalid: it is empty or too long.
    """
    name, name_en = name.strip(), name_en.strip()
    if not name or max(len(name), len(name_en)) > LONGEST_NAME:
        problem = msg("姓名要写 1 到 {n} 个字。", n=LONGEST_NAME)
        raise Invalid(problem, {"name": problem})
    async with transaction():
        changed = await rename(person_id=person_id, name=name, name_en=name_en)
        if changed:
            await record(subject=f"person:{person_id}", action="correct_name", actor=actor, at=at, details={})


async def ask_for_phone(*, viewer: Viewer, phone: str, actor: Actor, at: datetime) -> None:
    """Ask for another number; until somebody has called it, the old one stays.

    Whether somebody else has that number is not told here, only to who confirms.

    Raises:
        Invalid: not a mobile number, or the number that it is already.
        Conflict: another change waits.
    """
    if not is_phone(phone):
        problem = msg("手机号应是 11 位数字，以 1 开头。")
        raise Invalid(problem, {"phone": problem})
    async with transaction():
        rows = await fetch("SELECT phone FROM person WHERE id = $1 FOR UPDATE", viewer.person_id)
        if rows[0]["phone"] == phone:
            problem = msg("这就是您现在的号码。")
            raise Invalid(problem, {"phone": problem})
        try:
            async with transaction():
                rows = await fetch(
                    """INSERT INTO phone_change (person, organisation, phone, state, asked_at)
                       VALUES ($1, $2, $3, 'asked', $4) RETURNING id""",
                    viewer.person_id,
                    viewer.organisation_id,
                    phone,
                    at,
                )
        except asyncpg.UniqueViolationError:
            raise Conflict(msg("已有一个换号的申请在等核实，请先撤回它。")) from None
        await _write(viewer.person_id, "ask_phone", rows[0]["id"], actor, at)
        for row in await fetch(
            "SELECT coalesce(town, county, id) AS keeper FROM organisation WHERE id = $1",
            viewer.organisation_id,
        ):
            await notify(
                organisation_id=row["keeper"],
                kind="phone_change_asked",
                message=msg("有人申请换手机号，请打电话核实。"),
                link="/phone-changes",
                at=at,
            )


async def withdraw_phone(*, person_id: int, actor: Actor, at: datetime) -> None:
    """Take one's request back.

    Raises:
        Conflict: none waits.
    """
    async with transaction():
        rows = await fetch(
            """UPDATE phone_change SET state = 'withdrawn', phone = '', decided_at = $2
               WHERE person = $1 AND state = 'asked' RETURNING id""",
            person_id,
            at,
        )
        if not rows:
            raise Conflict(msg("没有在等核实的换号申请。"))
        await _write(person_id, "withdraw_phone", rows[0]["id"], actor, at)


async def own_change(*, person_id: int) -> PhoneChangeRow | None:
    """Return the newest change that the person has asked for."""
    rows = await fetch_into(
        PhoneChangeRow, f"{_SELECT} WHERE phone_change.person = $1 ORDER BY phone_change.id DESC", person_id
    )
    return rows[0] if rows else None


async def changes_kept_by(viewer: Viewer) -> list[PhoneChangeRow]:
    """Return what waits for a call by ``viewer``: nobody confirms the own number."""
    return await fetch_into(
        PhoneChangeRow,
        f"{_SELECT} WHERE phone_change.state = 'asked' AND {KEPT} AND phone_change.person <> $4"
        " ORDER BY phone_change.id",
        *scope(viewer),
        viewer.person_id,
    )


_SELECT = """
  SELECT phone_change.id, phone_change.person, person.name, person.name_en, phone_change.organisation,
         organisation.name AS organisation_name, organisation.name_en AS organisation_name_en,
         person.phone AS old_phone, phone_change.phone, phone_change.state, phone_change.asked_at
  FROM phone_change JOIN person ON person.id = phone_change.person
  JOIN organisation ON organisation.id = phone_change.organisation
"""


async def look_at_number(
    *, change_id: int, viewer: Viewer, reason: str, actor: Actor, at: datetime
) -> PhoneChangeRow:
    """Return a waiting change with its number whole, and record the look.

    Raises:
        Invalid: no such reason.
        NotFound: none that this viewer confirms.
    """
    check_look(reason)
    async with transaction():
        row = await _kept(change_id, viewer)
        await record(
            subject=f"person:{row.person}",
            action="look_up",
            actor=actor,
            at=at,
            details={"change": change_id, "reason": reason},
        )
    return row


async def decide_phone(*, change_id: int, move: str, viewer: Viewer, actor: Actor, at: datetime) -> None:
    """``confirm`` the number (it is the person's sign-in from now on) or ``refuse`` it.

    Raises:
        NotFound: none that this viewer confirms.
        Conflict: it has been decided meanwhile, or the number belongs to another account.
    """
    async with transaction():
        row = await _kept(change_id, viewer)
        state = rules.PHONE_CHANGE.apply(move, state=row.state, by="keeper")
        if state == rules.CONFIRMED:
            await give_number(person_id=row.person, phone=row.phone)
        changed = await fetch(
            """UPDATE phone_change SET state = $2, phone = '', decided_by = $3, decided_at = $4
               WHERE id = $1 AND state = 'asked' RETURNING id""",
            change_id,
            state,
            viewer.person_id,
            at,
        )
        if not changed:
            raise Conflict(msg("这个申请刚刚已处理，请刷新再看。"))
        await _write(row.person, f"{move}_phone", change_id, actor, at)
        await notify(
            organisation_id=row.organisation,
            kind="phone_change",
            message=msg(
                "{name}申请换手机号：{state}。", name=row.name, state=rules.PHONE_CHANGE.label(state)
            ),
            link="/my-data",
            at=at,
        )


async def _kept(change_id: int, viewer: Viewer) -> PhoneChangeRow:
    rows = await fetch_into(
        PhoneChangeRow,
        f"{_SELECT} WHERE phone_change.id = $5 AND phone_change.state = 'asked' AND {KEPT}"
        " AND phone_change.person <> $4",
        *scope(viewer),
        viewer.person_id,
        change_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这个申请，或已处理。"))
    return rows[0]


async def _write(person_id: int, action: str, change_id: int, actor: Actor, at: datetime) -> None:
    await record(
        subject=f"person:{person_id}", action=action, actor=actor, at=at, details={"change": change_id}
    )
