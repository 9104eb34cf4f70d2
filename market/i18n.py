"""Text that people read: written in Chinese, translated by catalogue.

A :class:`Message` is text that has not met its reader yet: errors, notices and reasons carry it,
the edges turn it into words. The Chinese source text is the key (gettext's way), so a missing
translation shows Chinese and never an internal name. Catalogues are ``market/locale/<lang>/*.po``.
"""

import errno
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

import msgspec
from babel.messages.pofile import read_po

from market.days import near

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")

_CATALOGUES = Path(__file__).parent / "locale"


class Message(msgspec.Struct, frozen=True):
    """Chinese source text with named ``{places}`` and what stands in them.

    A value may itself be a message; it is translated with the whole. The form is plain JSON
    (``msgspec.to_builtins``), so that a notice stored today is read in either language tomorrow.
    """

    text: str
    values: dict[str, "str | int | Message"] = {}

    def __str__(self) -> str:
        return translate(self, "zh")


def msg(text: str, /, **values: str | int | Message) -> Message:
    """Mark ``text`` as translatable. The catalogue check collects every call of this name."""
    return Message(text, values)


def message_from(stored: object) -> Message:
    """Read a message back from the JSON that it was stored as."""
    return msgspec.convert(stored, Message)


@cache
def catalogue(language: Language) -> dict[str, str]:
    """Return source text -> translation. Chinese has none: it is the source."""
    entries: dict[str, str] = {}
    for path in sorted((_CATALOGUES / language).glob("*.po")):
        with path.open("rb") as file:
            for entry in read_po(file, locale=language):
                if entry.id and entry.string:
                    entries[cast(str, entry.id)] = cast(str, entry.string)
    return entries


#: Texts that are no words: a day and a moment, written as the reader writes them, when they are read.
_DAY, _MOMENT = "{on_day}", "{at_moment}"
#: A name that is kept in both languages, such as a reason of the catalogue.
_NAME = "{zh}"


def on_day(day: date) -> Message:
    """Return a day as it stands in a message."""
    return Message(_DAY, {"on_day": day.isoformat()})


def at_moment(moment: datetime) -> Message:
    """Return a moment as it stands in a message; it is told in China's time."""
    return Message(_MOMENT, {"at_moment": moment.isoformat()})


def in_both(zh: str, en: str) -> Message:
    """Return a name that is kept in both languages as it stands in a message; ``en`` may be missing."""
    return Message(_NAME, {"zh": zh, "en": en})


def named(row: Mapping[str, Any], field: str) -> Message:
    """Return what a row calls something, its ``field`` and ``field_en``, as it stands in a message."""
    return in_both(row[field], row[f"{field}_en"])


def names_of(several: Iterable[tuple[str, str]]) -> Message:
    """Return names, each in Chinese and, where it is known, in English, as a list stands in a message."""
    both = list(several)
    return in_both("、".join(zh for zh, _ in both), ", ".join(en or zh for zh, en in both))


def translate(message: Message | str, language: Language, *, today: date | None = None) -> str:
    """Return ``message`` in ``language``, with its places filled in.

    ``today`` is the reader's: days of the same year are then told without it.
    """
    if isinstance(message, str):
        message = Message(message)
    if message.text == _DAY:
        return near(date.fromisoformat(str(message.values["on_day"])), language, today=today)
    if message.text == _MOMENT:
        return near(datetime.fromisoformat(str(message.values["at_moment"])), language, today=today)
    if message.text == _NAME:
        return str(message.values[language] or message.values["zh"])
    text = catalogue(language).get(message.text, message.text)
    if not message.values:
        return text
    if language == "en":
        text = counted(text, message.values)
    filled = {
        name: translate(value, language, today=today) if isinstance(value, Message) else value
        for name, value in _read(message.values).items()
    }
    return text.format_map(filled)


#: English counts more than one: catalogues say ``{n} talks``. What is counted, and verbs that may follow.
_COUNTED = (
    "appointments batches bidders bids breaks buses buyers cases changes characters codes conditions"
    " contracts days deals demands devices entries faults files filters households items lines listings lots"
    " matches migrations minutes months notices offers organisations others pairs parties people persons"
    " places points products questions quotes records rounds rows samples seats seconds sellers shares signs"
    " slots sources stops stores suggestions tables talks things times tours villages weeks"
)
_ONE = {
    "people": "person",
    "persons": "person",
    "parties": "party",
    "batches": "batch",
    "matches": "match",
    "buses": "bus",
    "entries": "entry",
}
_ONE |= {noun: noun[:-1] for noun in _COUNTED.split() if noun not in _ONE}
_AGREES = {
    "have": "has",
    "are": "is",
    "were": "was",
    "do": "does",
    "match": "matches",
    **{verb: f"{verb}s" for verb in ("await", "change", "come", "differ", "get", "need", "wait", "want")},
}
#: Words that may stand between.
_KINDS = ("backup", "badge", "idle", "more", "new", "open", "required", "suggested", "table")
_MANY = re.compile(
    rf"\{{(\w+)\}} ((?:{'|'.join(_KINDS)}) )?({'|'.join(_ONE)})\b(?: ({'|'.join(_AGREES)})\b)?('?)"
)


def counted(text: str, values: Mapping[str, object]) -> str:
    """Return an English ``text`` as it is said where one of the things it counts is just one."""

    def one(found: re.Match[str]) -> str:
        name, kind, noun, verb, owner = found.groups()
        if str(values.get(name)) != "1":
            return found[0]
        words = [f"{{{name}}}", (kind or "") + _ONE[noun] + ("'s" if owner else "")]
        return " ".join([*words, _AGREES[verb]] if verb else words)

    return _MANY.sub(one, text)


def one_of(noun: str) -> str:
    """Return the word for one of what ``noun`` counts; in Chinese, or where it is unknown, the same."""
    return _ONE.get(noun, noun)


def system_words(trouble: OSError) -> Message:
    """Return in words why the system did not read or write a file: its own are in one language."""
    match trouble:
        case FileNotFoundError():
            return msg("没有这个文件")
        case PermissionError():
            return msg("没有这个文件的权限")
        case IsADirectoryError():
            return msg("是文件夹，不是文件")
        case NotADirectoryError():
            return msg("路径里有一段不是文件夹")
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            return msg("磁盘满了")
        case OSError(errno=errno.ENAMETOOLONG):
            return msg("名称太长")
        case OSError(errno=errno.EROFS):
            return msg("那里只能读，不能写")
        case _:
            return msg("系统错误 {number}", number=trouble.errno or 0)


#: The place of a day, and what was stored there before days were kept as :func:`on_day` has them.
_DAY_PLACE, _ISO_DAY = "day", re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _read(values: dict[str, str | int | Message]) -> dict[str, str | int | Message]:
    """Return what stands in a message's places; a day that was stored as ``2026-11-30`` is a day there."""
    value = values.get(_DAY_PLACE)
    if not isinstance(value, str) or not _ISO_DAY.fullmatch(value):
        return values
    try:
        return {**values, _DAY_PLACE: on_day(date.fromisoformat(value))}
    except ValueError:  # no day of the calendar
        return values
