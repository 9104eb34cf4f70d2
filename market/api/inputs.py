"""What the API takes: types whose limits stand in the OpenAPI document, and the reading of a body.

A body is read strictly (a number in quotes is no number), unknown fields are refused, and everything
that is wrong with it is told at once.
"""

from collections.abc import Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
from litestar.di import NamedDependency
from litestar.dto import AbstractDTO
from litestar.openapi.spec import Schema
from litestar.params import HeaderParameter, PathParameter
from msgspec import Meta, inspect

from market.accounts.rules import Viewer
from market.cells import HIDDEN, NO_WIDTH, is_hiding
from market.errors import Invalid
from market.i18n import Language, Message, msg
from market.units import MOST_FEN_PER_KG, MOST_GRAMS

if TYPE_CHECKING:
    from litestar._openapi.schema_generation import SchemaCreator
    from litestar.dto.data_structures import DTOFieldDefinition
    from litestar.typing import FieldDefinition

#: The largest number that is taken for a row's: the last that every reader of JSON keeps exactly.
MOST_ID = 2**53 - 1
LONGEST_KEY = 80
#: PostgreSQL takes no NUL, and nobody sees the others. Programs are told, people's forms take off some.
LINES = f"^[^{HIDDEN}{NO_WIDTH}]*$"
ONE_LINE = f"^[^\\t\\n\\r{HIDDEN}{NO_WIDTH}]*$"

RowId = Annotated[int, Meta(ge=1, le=MOST_ID)]
Grams = Annotated[int, Meta(ge=1, le=MOST_GRAMS, description="Grams")]
GramsOrNone = Annotated[int, Meta(ge=0, le=MOST_GRAMS, description="Grams; 0: no least quantity")]
Price = Annotated[int, Meta(ge=1, le=MOST_FEN_PER_KG, description="Fen per kilogram")]
Fens = Annotated[int, Meta(ge=1, le=10**13, description="Fen")]
Code = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,40}$", description="A code of the catalogue")]
Title = Annotated[str, Meta(max_length=60, pattern=ONE_LINE)]
Line = Annotated[str, Meta(max_length=200, pattern=ONE_LINE)]
Note = Annotated[str, Meta(max_length=300, pattern=LINES)]
Prose = Annotated[str, Meta(max_length=2000, pattern=LINES)]

#: Whoever is signed in; whoever looks, perhaps nobody known; what that reader reads. See ``app.py``.
SignedIn = NamedDependency[Viewer]
Anybody = NamedDependency[Viewer | None]
Reader = NamedDependency[Language]
#: A row's number in the path.
PathId = Annotated[int, PathParameter(ge=1, le=MOST_ID)]
IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        max_length=LONGEST_KEY,
        pattern=r"^[!-~]+$",
        description="Chosen by the client, new for each deed. The same request with the same key does the "
        "deed once and gets the first reply again; another request with it is a conflict.",
    ),
]

#: What was read of a thing that is to be changed; without it, it is meant whatever stands there.
IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        max_length=240,
        pattern=r'^(\*|(W/)?"[A-Za-z0-9_-]*")$',
        description="The `ETag` of what you read. If somebody else has changed it since, nothing is saved: "
        "412, with the value that you sent and the one that stands now for each field that is at stake, and "
        "the new `ETag`. Left out or `*`: it is saved whatever stands there.",
    ),
]

S = TypeVar("S", bound=msgspec.Struct)
_AGAIN = msg("这个值不合要求，请按接口说明填写。")
_HIDES = msg("里面有看不见的控制字符，请删去后重新输入。")
#: Unknown fields of one body that are named; a body may have a hundred thousand.
_MOST_UNKNOWN = 20
_FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def read_body(kind: type[S], raw: bytes) -> S:
    """Return the body as ``kind``.

    Raises:
        Invalid: it is not JSON, or ``fields`` names every field that is wrong.
    """
    try:
        given = _whole(msgspec.json.decode(raw, type=dict[str, Any]))
    except _FAULTS:
        raise Invalid(msg("请求正文须是一个完整的 JSON 对象，编码为 UTF-8。")) from None
    try:
        read = msgspec.convert(given, kind)
    except _FAULTS:
        problems = _problems(kind, given)
    else:
        # what lies beyond U+FFFF is no part of the documented pattern: not every reader of one knows it
        problems = {name: _HIDES for name, value in given.items() if _hides(value)}
        if not problems:
            return read
    raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)


def _hides(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_hides(each) for each in value.values())
    if isinstance(value, list):
        return any(_hides(each) for each in value)
    return isinstance(value, str) and is_hiding(value)


def _whole(value: Any) -> Any:
    """Return ``value`` with 4.0 as 4: JSON knows one kind of number, and its schema takes both for whole."""
    if isinstance(value, dict):
        return {name: _whole(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _problems(kind: type[msgspec.Struct], given: dict[str, Any]) -> dict[str, Message]:
    problems: dict[str, Message] = {}
    fields = msgspec.structs.fields(kind)
    for field in fields:
        if field.name not in given:
            if field.required:
                problems[field.name] = msg("请填写这一项。")
            continue
        try:
            msgspec.convert(given[field.name], field.type)
        except _FAULTS:
            problems[field.name] = _expectation(inspect.type_info(field.type))
    names = {field.name: None for field in fields}
    for name in [each for each in given if each not in names][:_MOST_UNKNOWN]:
        problems[_shown(name)] = msg("没有这个字段，可用的有：{known}。", known=", ".join(names))
    return problems


def _shown(name: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in name[:40])


def one_of_these(values: Iterable[object]) -> Message:
    """Return which values there are."""
    return msg("须是其中之一：{values}。", values=", ".join(str(value) for value in values))


def _expectation(kind: inspect.Type) -> Message:
    """Return what a field of this type may hold."""
    if isinstance(kind, inspect.Metadata):
        return _expectation(kind.type)
    if isinstance(kind, inspect.UnionType):
        return next(
            (_expectation(each) for each in kind.types if not isinstance(each, inspect.NoneType)), _AGAIN
        )
    if isinstance(kind, inspect.IntType):
        if kind.ge is None or kind.le is None:
            return msg("须是整数，不带引号。")
        return msg("须是 {least} 到 {most} 之间的整数，不带引号。", least=kind.ge, most=kind.le)
    if isinstance(kind, inspect.FloatType):
        return msg("须是 {least} 到 {most} 之间的数，不带引号。", least=str(kind.ge), most=str(kind.le))
    if isinstance(kind, inspect.DateType):
        return msg("须是日期，例如 2026-11-23。")
    if isinstance(kind, inspect.BoolType):
        return msg("须是 true 或 false。")
    if isinstance(kind, inspect.LiteralType):
        return one_of_these(kind.values)
    if isinstance(kind, inspect.StrType):
        if kind.max_length is None:
            return msg("须是代码：字母、数字、连字符，最多 40 个。")
        return msg("须是文字，最多 {most} 个字，不含控制字符。", most=kind.max_length)
    if isinstance(kind, inspect.StructType):
        within = ", ".join(each.encode_name for each in kind.fields)
        return msg("须是一个对象，里面是：{fields}，每一项都要合乎要求。", fields=within)
    if isinstance(kind, inspect.VarTupleType):
        return msg("须是列表，最多 {most} 项，每一项都要合乎要求。", most=kind.max_length or 0)
    return _AGAIN


class Body(AbstractDTO[S]):
    """Litestar's hook for a body that we read ourselves: ``dto=body_of(NewBid)``."""

    kind: type[S]

    def decode_bytes(self, value: bytes) -> S:
        return read_body(self.kind, value)

    def decode_builtins(self, value: dict[str, Any]) -> S:
        return self.decode_bytes(msgspec.json.encode(value))

    @classmethod
    def generate_field_definitions(
        cls,
        model_type: type[Any],  # noqa: ARG003
    ) -> "Generator[DTOFieldDefinition, None, None]":
        yield from ()

    @classmethod
    def detect_nested_field(cls, field_definition: "FieldDefinition") -> bool:  # noqa: ARG003
        return False

    @classmethod
    def create_for_field_definition(
        cls, field_definition: "FieldDefinition", handler_id: str, backend_cls: Any = None
    ) -> None:
        """Nothing: the body goes straight into its Struct."""

    @classmethod
    def create_openapi_schema(
        cls,
        field_definition: "FieldDefinition",  # noqa: ARG003
        handler_id: str,  # noqa: ARG003
        schema_creator: "SchemaCreator",  # noqa: ARG003
    ) -> Schema:
        (_,), components = msgspec.json.schema_components([cls.kind], ref_template="{name}")
        return _schema(components[cls.kind.__name__], components)


def body_of(kind: type[S]) -> type[Body[S]]:
    return type(f"Body_{kind.__name__}", (Body,), {"kind": kind})


_NAMES = {
    "maxLength": "max_length",
    "minLength": "min_length",
    "maxItems": "max_items",
    "minItems": "min_items",
    "additionalProperties": "additional_properties",
}


def _schema(spec: Mapping[str, Any], components: Mapping[str, Any]) -> Schema:
    """Return msgspec's JSON schema as Litestar's; Litestar's own leaves limits inside unions out."""
    if "$ref" in spec:
        return _schema(components[spec["$ref"]], components)
    parts: dict[str, Any] = {}
    for name, value in spec.items():
        if name == "properties":
            parts[name] = {key: _schema(each, components) for key, each in value.items()}
        elif name == "items":
            parts[name] = _schema(value, components)
        elif name == "anyOf":
            parts["any_of"] = [_schema(each, components) for each in value]
        else:
            parts[_NAMES.get(name, name)] = value
    return Schema(**parts)
