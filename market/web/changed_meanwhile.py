"""A form over terms that somebody else has changed since it was drawn: what is told, and what stands in it.

The form carries the terms that it was drawn with (``base``). What its reader left alone takes the new value;
what the reader changed stays, and the next save means it.
"""

from typing import Any, TypeVar

import msgspec

from market.i18n import Language, Message, msg
from market.web import formats
from market.web.fields import Field
from market.web.forms import FileField, Filled
from market.web.typed import Wrong

S = TypeVar("S", bound=msgspec.Struct)

#: Terms as JSON; a price, four numbers and at most twenty credentials stay far below.
_LONGEST = 2_000


def base_field(kind: type[S]) -> Field:
    """The terms that the form was drawn with, kept in the page; gives a ``kind``, or None."""

    def parse(typed: str, _: str) -> S:
        try:
            if len(typed) > _LONGEST:
                raise ValueError
            return msgspec.json.decode(typed, type=kind)
        except ValueError:
            raise Wrong(msg("页面里的隐藏内容被改动了，请刷新页面重新填写。")) from None

    def write(terms: S) -> tuple[str, str]:
        return msgspec.json.encode(terms).decode(), ""

    return Field(kind="hidden", label=msg("隐藏内容"), parse=parse, write=write, optional=True)


def merged(
    filled: Filled,
    *,
    fresh: Filled,
    mine: S,
    base: S,
    now: S,
    language: Language,
) -> Filled:
    """Return the form to be saved again, each term that was changed meanwhile named beside its field.

    ``fresh`` is the form as it would be drawn with ``now``; its fields are called as the terms are.
    """
    typed, errors = dict(filled.typed), dict(filled.errors)
    for name in now.__struct_fields__:
        was, new, own = (getattr(terms, name) for terms in (base, now, mine))
        if was == new:
            continue
        field = filled.form.fields[name]
        words = {"was": _told(field, was, language), "now": _told(field, new, language)}
        if own in (was, new):
            for control in (name, f"{name}_unit"):
                typed.pop(control, None)
                if control in fresh.typed:
                    typed[control] = fresh.typed[control]
            errors[name] = msg("您填写的时候，这一项已由 {was} 改为 {now}；这里换成了新的。", **words)
        else:
            errors[name] = msg(
                "您填写的时候，这一项已由 {was} 改为 {now}；再保存一次，就按您填的改。", **words
            )
    typed["base"] = fresh.typed["base"]
    return msgspec.structs.replace(filled, typed=typed, errors=errors)


def _told(field: Field | FileField, value: Any, language: Language) -> Message | str:
    """Write a term as its reader knows it from the field."""
    if isinstance(field, FileField):
        return str(value)
    if field.kind == "price":
        return formats.price(value, language)
    if field.kind == "quantity":
        return formats.mass(value, language) if value else msg("不限")
    if field.kind == "day":
        return formats.day(value, language)
    if field.several:
        between = "、" if language == "zh" else ", "
        return between.join(str(field.options.get(code, code)) for code in value) or msg("无")
    return field.options.get(str(value), msg("不限"))
