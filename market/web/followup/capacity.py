"""Capacity grown (产能): what a seller has over time; a town sees what its sellers have."""

from datetime import date
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Viewer
from market.errors import Invalid
from market.followup.capacity import Capacity, NewEntry, capacities_of, note_capacity
from market.followup.capacity_rules import KINDS, LONGEST_NOTE
from market.i18n import msg
from market.units import Gram
from market.web.edge.guards import SignedIn, WebRequest, require
from market.web.parts import fields, pages
from market.web.parts.forms import Filled, Form
from market.web.parts.trade import KEY, acting, do_filled, new_key, show

_FORM = Form(
    kind=fields.choice(msg("种类"), dict(KINDS), chips=True),
    units=fields.whole(msg("现在有几个")),
    grams=fields.quantity(msg("每个能放多少"), unit="t", hint=msg("例如一个油罐 3 吨。")),
    on=fields.day(msg("从哪天起")),
    note=fields.text(msg("备注"), most=LONGEST_NOTE, optional=True),
    key=KEY,
)

#: What stands in the field of the size at first, so that its unit is tonnes.
_USUAL_TANK = Gram(3_000_000)


def steps_of(capacity: Capacity, today: date) -> list[tuple[date, Gram]]:
    """Return a capacity as the points of a drawing, up to today."""
    points = [(each.on, Gram(each.grams)) for each in capacity.points]
    return points if points[-1][0] >= today else [*points, (today, points[-1][1])]


@get("/capacity", guards=[require("seller", "official")])
async def index(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """What there is, and how it grew."""
    blank = _FORM.blank(kind="tank", grams=_USUAL_TANK, on=clock.today(), key=new_key())
    return await _draw(request, viewer, blank)


async def _draw(request: WebRequest, viewer: Viewer, form: Filled, *, status: int = 200) -> Response[str]:
    today = clock.today()
    return show(
        request,
        "followup/capacity.html",
        status=status,
        capacities=await capacities_of(organisation_id=viewer.organisation_id),
        steps_of=lambda capacity: steps_of(capacity, today),
        kinds=KINDS,
        form=form,
        writes="seller" in viewer.sides,
    )


@post("/capacity", guards=[require("seller")])
async def add(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Write down what one has from a day on."""
    filled = await _FORM.read(request)
    try:
        filled.check()
        values = filled.values
        entry = NewEntry(values["kind"], values["on"], values["units"], values["grams"], values["note"] or "")
        await do_filled(
            viewer,
            filled,
            "capacity",
            msgspec.to_builtins(entry),
            lambda at: note_capacity(
                entry=entry, organisation_id=viewer.organisation_id, actor=acting(viewer, "seller"), at=at
            ),
        )
    except Invalid as error:
        return await _draw(request, viewer, filled.refused(error), status=422)
    return pages.redirect(request, "/capacity", toast=msg("已记下。"))


routes: list[ControllerRouterHandler] = [index, add]
