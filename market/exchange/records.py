"""The auditor's records as files: a workbook to read, and JSON lines whose hashes can be computed."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from market.accounts.recovery import PROOFS
from market.accounts.rules import CAPABILITIES, DEEDS, ROLES
from market.accounts.tokens import SCOPES
from market.audit.auditing import AuditRow, names_in
from market.audit.deeds import action_words, subject_words
from market.audit.looks import LOOK_REASONS
from market.audit.words import Known, deed_of, said
from market.cases.rules import CAUSES, SHUT
from market.cases.rules import REASONS as CLOSINGS
from market.catalogue.queries import reasons
from market.catalogue.rules import told_reason
from market.clock import CHINA
from market.deals.breach_rules import GROUNDS
from market.deals.endings.rules import DEPOSITS, EVENTS
from market.deals.invoices import rules as invoices
from market.deals.scans.rules import REFUSALS as SCAN_REFUSALS
from market.exchange.table_book import Column, Piece, named, person_named, workbook
from market.i18n import Language, Message, in_both, msg, translate
from market.meetings.day.disruptions import KINDS as DISRUPTIONS
from market.meetings.rules import FOLLOW_UP_LEVELS, OUTCOMES, SAMPLE_VERDICTS
from market.organisations.rules import APPROVAL_REFUSALS, CHECKS, REFUSALS, SUSPENSIONS
from market.supply.rules import WAYS
from market.supply.stock_rules import CORRECTIONS, STORAGE_KINDS

#: What the codes mean that records have under one name.
VALUES: dict[str, dict[str, Message]] = {
    "way": WAYS,
    "kind": {**STORAGE_KINDS, **DISRUPTIONS, **invoices.KINDS},
    "cause": CAUSES,
    "changed": {"held_on": msg("日期"), "starts_at": msg("开始时间"), "venue": msg("地点")},
    "checked": CHECKS,
    "reason": {**REFUSALS, **CAUSES},
    "role": ROLES,
    "granted": CAPABILITIES,
    "withheld": CAPABILITIES,
    "deeds": DEEDS,
    "scopes": SCOPES,
    "proof": PROOFS,
    "level": FOLLOW_UP_LEVELS,
    "verdict": SAMPLE_VERDICTS,
    "ground": {**GROUNDS["seller"], **GROUNDS["buyer"]},
    "event": EVENTS,
    "deposit": DEPOSITS,
    "outcome": OUTCOMES,
    "was": OUTCOMES,
    "answer": {"accepted": msg("参加"), "tentative": msg("可能参加"), "declined": msg("不参加")},
    "status": {"optimal": msg("已是最好"), "feasible": msg("可行")},
    "source": {"planned": msg("按撮合结果"), "manual": msg("手工添加"), "registered": msg("公开报名")},
}
#: Deed -> its reasons, where not those of the trade are chosen from: a ``spoiled`` means several things.
REASONS: dict[str, dict[str, Message]] = {
    "lot:correct": CORRECTIONS,
    f"case:case_{SHUT}": CLOSINGS,
    **dict.fromkeys(("contacts:look_up", "numbers:look_up", "person:look_up"), LOOK_REASONS),
    **dict.fromkeys(("deal:refuse_scan", "deal:dispute_scan"), SCAN_REFUSALS),
    "deal:refuse_invoice": invoices.REFUSALS,
    **dict.fromkeys(("deal:reverse_invoice", "deal:withdraw_invoice"), invoices.REVERSALS),
    "approval:refuse": APPROVAL_REFUSALS,
    "organisation:suspend": SUSPENSIONS,
}


async def words_for(rows: Sequence[AuditRow], *, labels: Mapping[str, Message]) -> Known:
    """Return the words that records are told with: of codes, reasons of the trade, who has which number."""
    trade = {
        each.code: in_both(told_reason(each.zh, "")[0], told_reason(each.en, "")[0])
        for each in await reasons()
    }
    values = {**VALUES, "reason": {**VALUES["reason"], **trade}}
    return Known(values=values, reasons=REASONS, labels=labels, names=await names_in(rows))


def _told(row: AuditRow, language: Language, known: Known) -> str:
    """Return what a record says besides who did what, in one line."""

    def word(text: object) -> str:
        if isinstance(text, list):
            return ", ".join(map(word, text))
        if isinstance(text, datetime):
            text = text.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")
        return translate(text, language) if isinstance(text, Message) else str(text)

    return "; ".join(
        f"{word(each.label)}: {word(each.value)}" if each.label else word(each.value)
        for each in said(row.details, known, deed=deed_of(row.subject, row.action))
    )


def _columns(known: Known) -> tuple[Column, ...]:
    return (
        Column(
            msg("时间"), "text", lambda row, _: row.at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S"), 20
        ),
        Column(msg("对象"), "text", lambda row, _: subject_words(row.subject), 18),
        Column(msg("第几条"), "whole", lambda row, _: row.position),
        Column(msg("做了什么"), "text", lambda row, _: action_words(row.action) or row.action),
        Column(msg("人员"), "text", person_named("person"), 14),
        Column(msg("单位"), "text", named("organisation"), 24),
        Column(msg("内容"), "text", lambda row, language: _told(row, language, known), 60),
        Column(msg("哈希"), "text", lambda row, _: row.hash, 66),
    )


def records_book(
    rows: Sequence[AuditRow], language: Language, piece: Piece | None = None, *, known: Known
) -> bytes:
    """Return a workbook of records, told in the words of :func:`words_for`."""
    return workbook(name=msg("留痕"), columns=_columns(known), rows=rows, language=language, piece=piece)


def lines(rows: Sequence[AuditRow]) -> bytes:
    """Return one JSON object a line: the record as it is hashed, with the names of who acted beside it."""
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
