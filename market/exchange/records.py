"""The auditor's records as files: a workbook to read, and JSON lines whose hashes can be computed."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from market.audit.auditing import AuditRow
from market.audit.deeds import action_words, subject_words
from market.audit.words import said
from market.cases.rules import CAUSES
from market.clock import CHINA
from market.deals.breach_rules import GROUNDS
from market.deals.endings.rules import DEPOSITS, EVENTS
from market.exchange.table_book import Column, Piece, named, workbook
from market.i18n import Language, Message, msg, translate
from market.meetings.rules import OUTCOMES
from market.organisations.rules import CHECKS, REFUSALS, SUSPENSIONS
from market.supply.rules import WAYS
from market.supply.stock_rules import STORAGE_KINDS

#: What the codes mean that records have under one name.
VALUES: dict[str, dict[str, Message]] = {
    "way": WAYS,
    "kind": STORAGE_KINDS,
    "cause": CAUSES,
    "checked": CHECKS,
    "reason": {**SUSPENSIONS, **REFUSALS, **CAUSES},
    "ground": {**GROUNDS["seller"], **GROUNDS["buyer"]},
    "event": EVENTS,
    "deposit": DEPOSITS,
    "outcome": OUTCOMES,
    "answer": {"accepted": msg("参加"), "tentative": msg("可能参加"), "declined": msg("不参加")},
    "status": {"optimal": msg("已是最好"), "feasible": msg("可行")},
}


def _told(row: AuditRow, language: Language) -> str:
    """Return what a record says besides who did what, in one line."""

    def word(text: object) -> str:
        if isinstance(text, list):
            return ", ".join(map(word, text))
        if isinstance(text, datetime):
            text = text.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")
        return translate(text, language) if isinstance(text, Message) else str(text)

    return "; ".join(f"{word(each.label)}: {word(each.value)}" for each in said(row.details, VALUES))


RECORDS = (
    Column(msg("时间"), "text", lambda row, _: row.at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S"), 20),
    Column(msg("对象"), "text", lambda row, _: subject_words(row.subject), 18),
    Column(msg("第几条"), "whole", lambda row, _: row.position),
    Column(msg("做了什么"), "text", lambda row, _: action_words(row.action) or row.action),
    Column(msg("人员"), "text", named("person"), 14),
    Column(msg("单位"), "text", named("organisation"), 24),
    Column(msg("内容"), "text", _told, 60),
    Column(msg("哈希"), "text", lambda row, _: row.hash, 66),
)


def records_book(rows: Sequence[AuditRow], language: Language, piece: Piece | None = None) -> bytes:
    return workbook(name=msg("留痕"), columns=RECORDS, rows=rows, language=language, piece=piece)


def lines(rows: Sequence[AuditRow]) -> bytes:
    """Return one JSON object a line: the record as it is hashed, with the names of who acted beside it."""
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
