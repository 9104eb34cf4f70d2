"""The query of lists, documented from the very Structs that read it."""

from datetime import date
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from litestar import Request
from litestar.openapi.spec import Operation, Schema

from market.api.handling import with_query
from market.paging import LAST_PAGE, filters_from_query
from market.units import MOST_FEN_PER_KG, MOST_GRAMS, FenPerKg, Gram, kg, yuan_per_kg

F = TypeVar("F", bound=msgspec.Struct)

#: Decides the language and is no filter.
_LANGUAGE = "lang"


def filters_of(request: Request[Any, Any, Any], kind: type[F]) -> F:
    """Return the filters that stand in the address.

    Raises:
        Invalid: ``fields`` names every one that is wrong.
    """
    pairs = [(name, text) for name, text in request.query_params.multi_items() if name != _LANGUAGE]
    return filters_from_query(kind, pairs)


def filtered(kind: type[msgspec.Struct]) -> type[Operation]:
    """Return an operation that documents the fields of ``kind`` as query parameters."""
    hints = get_type_hints(kind, include_extras=True)
    return with_query({name: _parameter(name, hint) for name, hint in hints.items()})


def _parameter(name: str, hint: Any) -> Schema:
    if get_origin(hint) is Annotated:
        return _parameter(name, get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        return _parameter(name, next(each for each in get_args(hint) if each is not type(None)))
    if get_origin(hint) is tuple:
        return Schema(type="array", items=_parameter(name, get_args(hint)[0]))  # type: ignore[arg-type]
    if get_origin(hint) is Literal:
        return Schema(type="string", enum=list(get_args(hint)))  # type: ignore[arg-type]
    if hint is Gram:
        return _number("Kilograms", float(kg(MOST_GRAMS)))
    if hint is FenPerKg:
        return _number("Yuan per kilogram", float(yuan_per_kg(MOST_FEN_PER_KG)))
    if hint is date:
        return Schema(type="string", format="date")  # type: ignore[arg-type]
    if hint is bool:
        return Schema(type="boolean")  # type: ignore[arg-type]
    if hint is int:
        most = LAST_PAGE if name == "page" else 10**15 - 1
        return Schema(type="integer", minimum=int(name == "page"), maximum=most)  # type: ignore[arg-type]
    return Schema(type="string")  # type: ignore[arg-type]


def _number(unit: str, most: float) -> Schema:
    return Schema(type="number", minimum=0, maximum=most, description=unit)  # type: ignore[arg-type]
