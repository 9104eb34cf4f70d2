"""Reads the seed files: a row or a table of a file becomes one frozen Struct, or says where it is wrong."""

import csv
import tomllib
import typing
from pathlib import Path
from typing import Any, TypeVar

import msgspec

HERE = Path(__file__).parent
T = TypeVar("T", bound=msgspec.Struct)


class SeedError(Exception):
    """A seed file is not as its reader expects. Names the file and the line."""


def read_rows(path: Path, kind: type[T]) -> tuple[T, ...]:
    """Return the rows of a CSV file with a header.

    An empty cell takes the field's default. A field that is a tuple of texts holds its parts with
    ``;`` between them. A column that ``kind`` does not know is an error.

    Raises:
        SeedError: naming file, line and field.
    """
    hints = typing.get_type_hints(kind)
    lists = {name for name, hint in hints.items() if typing.get_origin(hint) is tuple}
    optional = {field.name for field in msgspec.structs.fields(kind) if not field.required}
    found: list[T] = []
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, restkey="beyond the header")
        for row in reader:
            cells: dict[str, Any] = {
                name: text.split(";") if name in lists else text
                for name, text in row.items()
                if text or name not in optional
            }
            try:
                found.append(msgspec.convert(cells, kind, strict=False))
            except msgspec.ValidationError as error:
                raise SeedError(f"{path.name}, line {reader.line_num}: {error}") from error
    return tuple(found)


def read_toml(path: Path, kind: type[T]) -> T:
    """Return a TOML file as one Struct.

    Raises:
        SeedError: naming file and field.
    """
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), kind)
    except (msgspec.ValidationError, tomllib.TOMLDecodeError) as error:
        raise SeedError(f"{path.name}: {error}") from error
