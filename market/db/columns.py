"""Columns whose defaults do not bite.

Piccolo fills what nobody asked for: ``Integer(null=True)`` gives 0, ``Timestamptz`` now(), and a
foreign key is nullable and cascades. Tables are written with these instead, so that a column is
required unless its line says otherwise and a parent that is still needed cannot vanish.
"""

from piccolo.columns import (
    JSONB,
    Array,
    BigInt,
    BigSerial,
    Boolean,
    Bytea,
    Date,
    DoublePrecision,
    ForeignKey,
    Text,
    Timestamptz,
)
from piccolo.columns.base import OnDelete
from piccolo.columns.reference import LazyTableReference
from piccolo.table import Table

#: The mark of a reference that the database does not check.
UNCHECKED = "without a constraint"


def number() -> BigSerial:
    """The row's own number and primary key."""
    return BigSerial(primary_key=True)


def code() -> Text:
    """A primary key that people chose, such as ``peanut``."""
    return Text(primary_key=True, default="", required=True)


def text(
    *, null: bool = False, unique: bool = False, index: bool = False, default: str | None = None
) -> Text:
    return Text(null=null, default=default, required=not null and default is None, unique=unique, index=index)


def whole(*, null: bool = False, default: int | None = None, index: bool = False) -> BigInt:
    return BigInt(null=null, default=default, required=not null and default is None, index=index)


def real(*, null: bool = False) -> DoublePrecision:
    return DoublePrecision(null=null, default=None, required=not null)


def flag(default: bool) -> Boolean:
    return Boolean(null=False, default=default)


def day(*, null: bool = False) -> Date:
    return Date(null=null, default=None, required=not null)


def moment(*, null: bool = False) -> Timestamptz:
    return Timestamptz(null=null, default=None, required=not null)


def document(*, null: bool = False) -> JSONB:
    return JSONB(null=null, default=None, required=not null)


def binary(*, null: bool = False, unique: bool = False) -> Bytea:
    return Bytea(null=null, default=None, required=not null, unique=unique)


def texts() -> Array:
    return Array(base_column=Text(default="", null=False), default=list, null=False)


def moments() -> Array:
    return Array(base_column=Timestamptz(default=None, null=False), default=list, null=False)


def numbers() -> Array:
    return Array(base_column=BigInt(default=0, null=False), default=list, null=False)


def reference(
    table: type[Table] | str,
    *,
    null: bool = False,
    part_of: bool = False,
    index: bool = True,
    checked: bool = True,
) -> ForeignKey[Table]:
    """A foreign key that refuses to lose its parent; ``part_of`` lets the part go with the whole.

    A name instead of a class points sideways, at a room that this one does not import. ``checked=False``:
    a migration has taken the database's constraint away (ledgers on the way of every accept).
    """
    target = (
        LazyTableReference(table_class_name=table, app_name="market") if isinstance(table, str) else table
    )
    return ForeignKey(
        target,
        default=None,
        null=null,
        required=not null,
        on_delete=OnDelete.cascade if part_of else OnDelete.restrict,
        index=index,
        help_text=None if checked else UNCHECKED,
    )
