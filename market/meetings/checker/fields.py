"""JSON taken apart field by field: each is declared once, as what it may hold."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from msgspec import Struct

from market.errors import Invalid
from market.i18n import Message, msg, system_words

_LONGEST = 200

Faults = dict[str, Message]


def tame(written: str) -> str:
    """Return what is ``written`` fit for a terminal: short, and without what would steer it."""
    shown = "".join(sign if sign.isprintable() else "?" for sign in written[:60])
    return shown + "…" if len(written) > 60 else shown


class _Twice(ValueError):
    """An object has a name twice."""


class _NoNumber(ValueError):
    """NaN or Infinity, of which JSON knows nothing."""


def _pairs(entries: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in entries:
        if name in found:
            raise _Twice(name)
        found[name] = value
    return found


def _constant(name: str) -> float:
    raise _NoNumber(name)


def _digits(written: str) -> int:
    return int(written) if len(written) < 20 else 10**19


def load(path: Path) -> dict[str, Any]:
    """Read a JSON object strictly: UTF-8, no NaN, no name twice.

    Raises:
        Invalid: it cannot be read as one.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Invalid(
            msg("读不到文件 {path}：{error}。", path=str(path), error=system_words(error))
        ) from None
    found = _parsed(content, msg("文件 {path} ", path=str(path)))
    if not isinstance(found, dict):
        raise Invalid(msg("文件 {path} 里应是一个对象。", path=str(path)))
    return found


def _parsed(content: bytes, what: Message) -> object:
    if not content.strip():
        raise Invalid(msg("{what}是空的。", what=what))
    try:
        return json.loads(
            content.decode("utf-8-sig"),
            object_pairs_hook=_pairs,
            parse_constant=_constant,
            parse_int=_digits,
        )
    except UnicodeDecodeError as error:
        text = msg("{what}不是 UTF-8 文字（第 {byte} 字节），请另存为 UTF-8。", what=what, byte=error.start)
    except _Twice as error:
        text = msg("{what}里字段“{name}”写了两次。", what=what, name=tame(str(error)))
    except _NoNumber as error:
        text = msg("{what}里写了 {name}，JSON 里没有这样的数。", what=what, name=str(error))
    except json.JSONDecodeError as error:
        line, column = error.lineno, error.colno
        text = msg("{what}不是 JSON：第 {line} 行第 {column} 列读不通。", what=what, line=line, column=column)
    except RecursionError:
        text = msg("{what}嵌套过深。", what=what)
    raise Invalid(text)


#: Says what is wrong with a value, or None.
Test = Callable[[object], Message | None]


def whole(low: int, high: int) -> Test:
    def test(value: object) -> Message | None:
        # True is an int to Python, and 2.0 is one to nobody.
        if type(value) is int and low <= value <= high:
            return None
        return msg("应为 {low} 到 {high} 之间的整数。", low=low, high=high)

    return test


def number(high: float, *, finest: float = 0.0) -> Test:
    """Hold a number from 0 to ``high``; one that is not 0 is no less than ``finest``."""

    def test(value: object) -> Message | None:
        if (
            type(value) in (int, float)
            and 0 <= cast(float, value) <= high
            and math.isfinite(cast(float, value))
        ):
            if value and cast(float, value) < finest:
                return msg("权重太小：写 0，或者不小于 0.000001。")
            return None
        return msg("应为 0 到 {high} 之间的数字。", high=str(int(high)))

    return test


def text(value: object) -> Message | None:
    if not isinstance(value, str):
        return msg("应为文字。")
    if len(value) > _LONGEST:
        return msg("文字过长，最多 {most} 个字符。", most=_LONGEST)
    if any(ord(sign) < 32 or 127 <= ord(sign) < 160 or 0xD800 <= ord(sign) < 0xE000 for sign in value):
        return msg("文字里有看不见的控制字符。")
    return None


def identity(value: object) -> Message | None:
    return msg("编号不能为空。") if value == "" else text(value)


def phrase(value: object) -> Message | None:
    return None if isinstance(value, str) and value.strip() else msg("应为文字。")


def one_of(*choices: str) -> Test:
    def test(value: object) -> Message | None:
        if isinstance(value, str) and value in choices:
            return None
        return msg("应为其中之一：{choices}。", choices=", ".join(choices))

    return test


def truth(value: object) -> Message | None:
    return None if isinstance(value, bool) else msg("应为 true 或 false。")


def listed(value: object) -> Message | None:
    return None if isinstance(value, list) else msg("应为列表。")


class Field(Struct, frozen=True):
    """What a field may hold, and what its absence means; without ``default`` it must be there."""

    test: Test
    default: Any = ...
    nullable: bool = False
    #: Test of each member, where the field is a list.
    each: Test | None = None


Shape = Mapping[str, Field]


def fields(faults: Faults, path: str, value: object, shape: Shape) -> dict[str, Any]:
    """Return the fields of ``value`` that are right, and note the fault of every other one."""
    if not isinstance(value, dict):
        faults.setdefault(path, msg("应为对象。"))
        return {}
    for name in value:
        if name not in shape:
            faults.setdefault(f"{path}.{tame(name)}", msg("不认识的字段“{name}”。", name=tame(name)))
    found: dict[str, Any] = {}
    for name, field in shape.items():
        here = f"{path}.{name}"
        if name not in value:
            if field.default is ...:
                faults.setdefault(here, msg("缺少字段“{name}”。", name=name))
            else:
                found[name] = field.default
        elif value[name] is None and field.nullable:
            found[name] = None
        elif (trouble := field.test(value[name])) is not None:
            faults.setdefault(here, trouble)
        elif not _wrong_members(faults, here, value[name], field.each):
            found[name] = value[name]
    return found


def _wrong_members(faults: Faults, path: str, members: Any, test: Test | None) -> int:
    """Note the faults of a list's members, where there is a test for them, and count them."""
    troubles = [(j, test(member)) for j, member in enumerate(members)] if test is not None else []
    wrong = [(j, trouble) for j, trouble in troubles if trouble is not None]
    for j, trouble in wrong:
        faults.setdefault(f"{path}[{j}]", trouble)
    return len(wrong)
