"""A copy of one's own data (PIPL article 45): everything that lies under one's number, as JSON and as a page.

A job makes it, its owner fetches it once. What others wrote is theirs; what the person did is told by
the record, in its own words and figures.
"""

import asyncio
import html
import io
import zipfile
from datetime import datetime, timedelta
from typing import Any

import msgspec

from market import clock
from market.accounts.rules import Actor
from market.audit.operations import record
from market.db.jobs import Run, enqueue, job
from market.db.session import execute, fetch, fetch_into, fetch_value, transaction
from market.errors import Conflict, NotFound
from market.i18n import Message, msg, translate

#: Records of looks at the whole number of a person ($1), or at those of the person's organisations.
_LOOKS = """
  FROM audit_record LEFT JOIN organisation ON organisation.id = audit_record.organisation
  WHERE action = 'look_up' AND (subject = 'person:' || $1::bigint::text
    OR (subject LIKE 'contacts:%' AND (details ->> 'organisation')::bigint IN
        (SELECT organisation FROM membership WHERE person = $1)))
"""
#: A copy that is not there by then may be asked for again: whoever made it has given up.
_LONGEST_MAKING = timedelta(hours=1)
#: Heading and query of each part; $1 is the person, and $2 the number.
_PARTS: dict[str, tuple[Message, str]] = {
    "person": (
        msg("我的账号"),
        "SELECT name, name_en, phone, language, created_at FROM person WHERE id = $1 AND phone = $2",
    ),
    "roles": (
        msg("单位和角色"),
        """SELECT organisation.name AS organisation, membership.role FROM membership
           JOIN organisation ON organisation.id = membership.organisation
           WHERE membership.person = $1 AND $2::text <> '' ORDER BY membership.id""",
    ),
    "consents": (
        msg("告知和同意"),
        """SELECT purpose, version, given, at FROM consent_act WHERE person = $1 AND $2::text <> ''
           ORDER BY id""",
    ),
    "sessions": (
        msg("登录着的设备"),
        """SELECT device, created_at, seen_at, expires_at FROM session
           WHERE person = $1 AND $2::text <> '' ORDER BY id""",
    ),
    "tokens": (
        msg("API 令牌"),
        """SELECT api_token.name, organisation.name AS organisation, scopes, api_token.created_at, expires_at,
                  last_used_at, revoked_at FROM api_token
           JOIN organisation ON organisation.id = api_token.organisation
           WHERE api_token.person = $1 AND $2::text <> '' ORDER BY api_token.id""",
    ),
    "delegations": (
        msg("代办"),
        """SELECT organisation.name AS organisation, deeds, until, granted_at, revoked_at FROM delegation
           JOIN organisation ON organisation.id = delegation.principal
           WHERE delegation.agent = $1 AND $2::text <> '' ORDER BY delegation.id""",
    ),
    "scans": (
        msg("我传的合同扫描件"),
        """SELECT deal.number, scan.state, scan.created_at, file.name, file.sent_hash
           FROM contract_scan scan JOIN deal ON deal.id = scan.deal
           JOIN contract_scan_file file ON file.scan = scan.id
           WHERE scan.person = $1 AND $2::text <> '' ORDER BY file.id""",
    ),
    "invoices": (
        msg("我记的发票"),
        """SELECT deal.number AS contract, invoice.number, invoice.issued_on, invoice.state,
                  invoice.created_at
           FROM invoice JOIN deal ON deal.id = invoice.deal
           WHERE invoice.person = $1 AND $2::text <> '' ORDER BY invoice.id""",
    ),
    "arrivals": (
        msg("我说明的到货"),
        """SELECT deal.number AS contract, arrival."on", arrival.state, arrival.note, arrival.created_at
           FROM arrival JOIN delivery ON delivery.id = arrival.delivery
           JOIN deal ON deal.id = delivery.deal
           WHERE arrival.person = $1 AND $2::text <> '' ORDER BY arrival.id""",
    ),
    "endings": (
        msg("我提的解除合同"),
        """SELECT deal.number AS contract, ending.kind, ending.state, ending.event, ending.happened_on,
                  ending.words, ending.deposit, ending.created_at
           FROM contract_ending ending JOIN deal ON deal.id = ending.deal
           WHERE ending.person = $1 AND $2::text <> '' ORDER BY ending.id""",
    ),
    "proofs": (
        msg("我交的证据和证明"),
        """SELECT deal.number AS contract, piece.words, piece.content_hash, piece.created_at
           FROM (SELECT breach.deal, evidence.person, evidence.words, evidence.content_hash,
                        evidence.created_at
                 FROM breach_evidence evidence JOIN breach ON breach.id = evidence.breach
                 UNION ALL
                 SELECT ending.deal, proof.person, proof.words, proof.content_hash, proof.created_at
                 FROM ending_proof proof JOIN contract_ending ending ON ending.id = proof.ending) piece
           JOIN deal ON deal.id = piece.deal
           WHERE piece.person = $1 AND $2::text <> '' ORDER BY piece.created_at""",
    ),
    "looked_at_me": (
        msg("谁看过我单位的完整号码"),
        f"""SELECT audit_record.at, audit_record.details ->> 'reason' AS reason,
                   organisation.name AS organisation
            {_LOOKS} AND $2::text <> '' ORDER BY audit_record.id""",
    ),
    "meetings": (
        msg("到会登记"),
        """SELECT meeting.title, meeting.held_on, attendee.name, attendee.title AS post, attendee.phone,
                  attendee.checked_in_at, attendee.left_at
           FROM attendee JOIN invitation ON invitation.id = attendee.invitation
           JOIN meeting ON meeting.id = invitation.meeting
           WHERE attendee.phone = $2 AND $1::bigint > 0 ORDER BY attendee.id""",
    ),
    "notes": (
        msg("我的洽谈笔记"),
        """SELECT meeting.title, meeting.held_on, note.text, note.updated_at FROM appointment_note note
           JOIN meeting ON meeting.id = note.meeting
           WHERE note.person = $1 AND $2::text <> '' ORDER BY note.id""",
    ),
    "registrations": (
        msg("公开报名"),
        """SELECT organisation_name, person_name, phone, offers, state, created_at FROM registration
           WHERE phone = $2 AND $1::bigint > 0 ORDER BY id""",
    ),
    "phone_changes": (
        msg("换号申请"),
        """SELECT state, asked_at, decided_at FROM phone_change WHERE person = $1 AND $2::text <> ''
           ORDER BY id""",
    ),
    "deeds": (
        msg("我做过的事"),
        """SELECT at, subject, action, details FROM audit_record WHERE person = $1 AND $2::text <> ''
           ORDER BY id""",
    ),
}


class ExportRow(msgspec.Struct, frozen=True):
    """How a copy stands: asked for, ready, fetched."""

    id: int
    asked_at: datetime
    ready_at: datetime | None
    fetched_at: datetime | None
    is_there: bool


class LookRow(msgspec.Struct, frozen=True):
    """Somebody looked at whole numbers of the person's organisation, or at the person's own."""

    at: datetime
    organisation: str
    organisation_en: str
    reason: str | None


async def looks_at(*, person_id: int) -> list[LookRow]:
    """Return the last looks at numbers, the newest first."""
    return await fetch_into(
        LookRow,
        f"""SELECT audit_record.at, audit_record.details ->> 'reason' AS reason,
                   coalesce(organisation.name, '') AS organisation,
                   coalesce(organisation.name_en, '') AS organisation_en
            {_LOOKS} ORDER BY audit_record.id DESC LIMIT 20""",
        person_id,
    )


async def exports_of(*, person_id: int) -> list[ExportRow]:
    """Return the copies that the person has asked for, the newest first."""
    return await fetch_into(
        ExportRow,
        """SELECT id, asked_at, ready_at, fetched_at, content IS NOT NULL AS is_there
           FROM data_export WHERE person = $1 ORDER BY id DESC LIMIT 5""",
        person_id,
    )


async def ask_for_copy(*, person_id: int, actor: Actor, at: datetime) -> None:
    """Have a copy made.

    Raises:
        Conflict: one is being made.
    """
    async with transaction():
        await execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"copy:{person_id}")
        if await fetch_value(
            """SELECT EXISTS (SELECT FROM data_export
                              WHERE person = $1 AND ready_at IS NULL AND asked_at > $2)""",
            person_id,
            at - _LONGEST_MAKING,
        ):
            raise Conflict(msg("正在做，请稍等再看。"))
        number: int = await fetch_value(
            "INSERT INTO data_export (person, asked_at) VALUES ($1, $2) RETURNING id", person_id, at
        )
        await enqueue("privacy.copy", {"export": number})
        await record(
            subject=f"person:{person_id}", action="ask_copy", actor=actor, at=at, details={"export": number}
        )


@job("privacy.copy", long=True)
async def make_copy(run: Run) -> None:
    """Gather everything and keep it for its owner."""
    number = run.payload["export"]
    person_id = await fetch_value("SELECT person FROM data_export WHERE id = $1", number)
    parts = await gathered(person_id=person_id) if person_id is not None else None
    # years of deeds: written and packed off the event loop
    content = await asyncio.to_thread(packed, parts) if parts is not None else None
    async with run.finishing():
        await execute(
            "UPDATE data_export SET content = $2, ready_at = $3 WHERE id = $1", number, content, clock.now()
        )


async def fetch_copy(*, export_id: int, person_id: int, actor: Actor, at: datetime) -> bytes:
    """Return the copy, once, to its owner.

    Raises:
        NotFound: not the person's, not ready, or fetched already.
    """
    async with transaction():
        rows = await fetch(
            """SELECT content FROM data_export WHERE id = $1 AND person = $2 AND content IS NOT NULL
               FOR UPDATE""",
            export_id,
            person_id,
        )
        if not rows:
            raise NotFound(msg("没有可取的文件：还没做好，已经取过，或过期删了。"))
        await execute("UPDATE data_export SET content = NULL, fetched_at = $2 WHERE id = $1", export_id, at)
        await record(
            subject=f"person:{person_id}",
            action="fetch_copy",
            actor=actor,
            at=at,
            details={"export": export_id},
        )
    return bytes(rows[0]["content"])


async def gathered(*, person_id: int) -> dict[str, list[dict[str, Any]]]:
    """Return part -> rows of everything that is the person's."""
    found: dict[str, list[dict[str, Any]]] = {}
    async with transaction(isolation="repeatable_read", readonly=True):
        phone = await fetch_value("SELECT phone FROM person WHERE id = $1", person_id)
        for name, (_, sql) in _PARTS.items():
            rows = [dict(row) for row in await fetch(sql, person_id, phone)]
            for row in rows:
                if "details" in row:
                    row["details"] = msgspec.json.decode(row["details"])
            found[name] = rows
    return found


def packed(parts: dict[str, list[dict[str, Any]]]) -> bytes:
    """Return a ZIP of ``my-data.json`` and ``my-data.html``, the latter for people, in both languages."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("my-data.json", msgspec.json.format(msgspec.json.encode(parts), indent=2))
        archive.writestr("my-data.html", _page(parts))
    return file.getvalue()


def _page(parts: dict[str, list[dict[str, Any]]]) -> str:
    drawn = [_HEAD]
    for name, rows in parts.items():
        label = _PARTS[name][0]
        drawn.append(
            f"<h2>{html.escape(translate(label, 'zh'))} <small>{html.escape(translate(label, 'en'))}"
        )
        drawn.append(f"</small></h2><p>{len(rows)}</p>")
        if rows:
            heads = "".join(f"<th>{html.escape(each)}</th>" for each in rows[0])
            lines = "".join(
                "<tr>" + "".join(f"<td>{html.escape(_cell(value))}</td>" for value in row.values()) + "</tr>"
                for row in rows
            )
            drawn.append(f"<div><table><tr>{heads}</tr>{lines}</table></div>")
    return "\n".join(drawn)


_HEAD = (
    '<!doctype html><html lang="zh-CN"><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1"><title>my-data</title>'
    "<style>body{font:16px/1.5 sans-serif;margin:2em auto;max-width:70em;padding:0 1em}"
    "table{border-collapse:collapse}div{overflow-x:auto}td,th{border:1px solid #ccc;padding:.3em .6em;"
    "text-align:left;vertical-align:top}small{color:#666}</style>"
)


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(clock.CHINA).strftime("%Y-%m-%d %H:%M")
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_cell(each)}" for name, each in value.items())
    return "" if value is None else str(value)
