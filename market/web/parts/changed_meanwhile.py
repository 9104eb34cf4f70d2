"""A form over a thing that somebody else has changed since it was drawn (``market.meanwhile``).

The form carries the marks of what it was drawn with (``seen``). Where the same field was changed by both, it
is drawn again: what its reader left alone takes what stands there now, what the reader changed stays as it
was typed beside what the others made of it, and the next save means it.
"""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from market.i18n import Language, Message, msg
from market.meanwhile import ChangedMeanwhile, check_marks
from market.web.parts import fields, formats
from market.web.parts.fields import Field
from market.web.parts.forms import FileField, Filled

#: The field of every such form: what was read, in marks.
SEEN = fields.hidden(check_marks, optional=True)


def merged(
    filled: Filled,
    changed: ChangedMeanwhile,
    *,
    fresh: Filled,
    language: Language,
    controls: Mapping[str, Collection[str]] | None = None,
) -> Filled:
    """Return the form to be saved again, each field that was changed meanwhile told beside it.

    ``fresh`` is the form as it would be drawn now. Its fields are called as those of the thing are; where
    a field of the thing has other ones, ``controls`` names them.
    """
    again = with_theirs(filled, changed.theirs, fresh=fresh, language=language, controls=controls)
    errors = dict(again.errors)
    for name in _drawn(filled, changed.both, controls):
        now = _now(fresh, name, language)
        if again.typed.get(name) != fresh.typed.get(name):
            errors[name] = changed.beside(now)
    return msgspec.structs.replace(again, errors={"": changed.message, **errors})


def with_theirs(
    filled: Filled,
    theirs: Collection[str],
    *,
    fresh: Filled,
    language: Language,
    controls: Mapping[str, Collection[str]] | None = None,
) -> Filled:
    """Return the form with what others alone have changed (``theirs``) standing in it, and told."""
    typed, errors = dict(filled.typed), dict(filled.errors)
    for name in _drawn(filled, theirs, controls):
        if typed.get(name) == fresh.typed.get(name):
            continue
        for control in (name, f"{name}_unit"):
            typed.pop(control, None)
            if control in fresh.typed:
                typed[control] = fresh.typed[control]
        told = msg(
            "您填写的时候，别人把这一项改成了 {now}；这里换成了新的。", now=_now(fresh, name, language)
        )
        errors.setdefault(name, told)
    for name, field in fresh.form.fields.items():
        if field.kind == "hidden" and name != "key" and name in fresh.typed:
            typed[name] = fresh.typed[name]
    return msgspec.structs.replace(filled, typed=typed, errors=errors)


def saved_with(done: Message, filled: Filled, theirs: Collection[str]) -> Message:
    """Return what is said of a form that was saved while others changed other fields of the thing."""
    labels = [field.full_label for name, field in filled.form.fields.items() if name in theirs]
    if not labels:
        return done
    return msg("{done}别人刚改的也都保留：{fields}。", done=done, fields=_listed(labels))


def _listed(labels: list[Message]) -> Message:
    told = labels[0]
    for label in labels[1:]:
        told = msg("{first}、{then}", first=told, then=label)
    return told


def _drawn(
    filled: Filled, names: Collection[str], controls: Mapping[str, Collection[str]] | None
) -> list[str]:
    controls = controls or {}
    wanted = {control for name in names for control in controls.get(name, (name,))}
    return [name for name in filled.form.fields if name in wanted]


def _now(fresh: Filled, name: str, language: Language) -> Message | str:
    """Return what stands in a field now, as its reader knows it from the form."""
    field = fresh.form.fields[name]
    if isinstance(field, FileField):
        return ""
    value: Any = fresh.form.parse(fresh.typed).values.get(name)
    if field.several:
        between = "、" if language == "zh" else ", "
        return between.join(str(field.options.get(code, code)) for code in value or ()) or msg("无")
    if field.kind == "tick":
        return msg("是") if value else msg("否")
    if value in (None, "", ()):
        return msg("（空着）")
    return _told(field, value, fresh.text(name), language)


def _told(field: Field, value: Any, text: str, language: Language) -> Message | str:
    if field.kind == "price":
        return formats.price(value, language)
    if field.kind == "money":
        return formats.money(value, language)
    if field.kind == "quantity":
        return formats.mass(value, language)
    if field.kind == "day":
        return formats.day(value, language)
    return field.options.get(str(value), " ".join(text.split()))
