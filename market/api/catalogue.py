"""Produce, divisions and the codes that other requests use. Open to everybody."""

from typing import Annotated

import msgspec
from litestar.params import PathParameter, QueryParameter
from litestar.types import ControllerRouterHandler

from market.api.handling import read
from market.catalogue import queries
from market.catalogue.queries import (
    CategoryView,
    CredentialKindView,
    DivisionView,
    GradeView,
    ProduceFound,
    ProduceView,
    ReasonView,
)

_DIVISION = r"^[0-9]{2,12}$"

Text = Annotated[str, QueryParameter(max_length=100)]
Limit = Annotated[int, QueryParameter(ge=1, le=50)]
Parent = Annotated[str | None, QueryParameter(pattern=_DIVISION)]
ProduceCode = Annotated[str, PathParameter(max_length=40)]
DivisionCode = Annotated[str, PathParameter(pattern=_DIVISION)]


class Codes(msgspec.Struct, frozen=True):
    """Grades best first; reasons in the order in which people are offered them."""

    categories: list[CategoryView]
    grades: list[GradeView]
    credentials: list[CredentialKindView]
    reasons: list[ReasonView]


@read("/produce", guests=True)
async def produce(q: Text = "", limit: Limit = 10) -> list[ProduceFound]:
    """What a text may mean: Chinese, pinyin, first letters or English, slips forgiven; best first."""
    return await queries.find_produce(q, limit)


@read("/produce/{code:str}", guests=True)
async def one_produce(code: ProduceCode) -> ProduceView:
    """One kind of produce. Prices in fen per kg at the farm gate."""
    return await queries.produce_by_code(code)


@read("/divisions", guests=True)
async def divisions(q: Text = "", parent: Parent = None, limit: Limit = 10) -> list[DivisionView]:
    """Divisions by name, or without `q` what lies directly in `parent`.

    Village names repeat: `辽中 东于` tells them apart.
    """
    if q:
        return await queries.find_divisions(q, limit, within=parent)
    return await queries.divisions_in(parent)


@read("/divisions/{code:str}", guests=True)
async def one_division(code: DivisionCode) -> DivisionView:
    """One division with its path from the province down."""
    return await queries.division_by_code(code)


@read("/codes", guests=True)
async def codes() -> Codes:
    """Categories, grades, credentials and reasons."""
    return Codes(
        await queries.categories(),
        await queries.grades(),
        await queries.credential_kinds(),
        await queries.reasons(),
    )


routes: list[ControllerRouterHandler] = [produce, one_produce, divisions, one_division, codes]
