"""Goods of a lot made into others: the form has a line for each product of the recipe."""

from typing import Any

from market import clock
from market.accounts.rules import Viewer, actor
from market.catalogue.recipes import Recipe, recipes_for
from market.errors import Invalid, NotFound
from market.i18n import Language, Message, msg
from market.supply.lots import LotRow, storages_of
from market.supply.stock_rules import bounds_told
from market.supply.transforming import NewTransformation, Output, transform
from market.web.goods.stock import NOWHERE, chosen_storage, storage_choices
from market.web.goods.stock_task import Task
from market.web.parts import fields
from market.web.parts.forms import Filled, Form
from market.web.parts.trade import KEY, name_in

#: A product may go into so many lots at once: oil into two kinds of bottle.
_LINES = 2


def _gives(recipe: Recipe) -> list[tuple[str, int]]:
    """Return what each line of the form is: a product, and the how-manieth line of it."""
    return [(each.gives, line) for each in recipe.yields if each.gives for line in range(_LINES)]


async def making(viewer: Viewer, lot: LotRow, language: Language, process: str) -> Task:
    recipe = next((each for each in await recipes_for(lot.produce) if each.process == process), None)
    if recipe is None:
        raise NotFound(msg("这种货没有这样的加工。"))
    choices = storage_choices(await storages_of(viewer.organisation_id))
    known = {each.gives: each for each in recipe.yields}
    asked: dict[str, Any] = {
        "quantity": fields.quantity(msg("投入")),
        "storage": fields.choice(msg("从哪里"), choices),
    }
    for at, (gives, line) in enumerate(_gives(recipe)):
        bound = known[gives]
        name = name_in(language, bound, "gives")
        asked[f"made_{at}"] = fields.quantity(
            msg("得{name}", name=name) if line == 0 else msg("得{name}（另一种规格）", name=name),
            hint=msg("通常占投入的 {low}% 到 {high}%。", **bounds_told(bound.low, bound.high)),
            optional=line > 0,
        )
        asked[f"kind_{at}"] = fields.text(
            msg("规格、品种"), most=40, optional=True, hint=msg("例如 5 升瓶装。")
        )
        asked[f"into_{at}"] = fields.choice(msg("放到哪里"), choices, optional=True, default=NOWHERE)
    lost = known.get(None)
    asked["loss"] = fields.quantity(
        msg("损耗"),
        hint=msg(
            "不填就按投入减产出算。通常占 {low}% 到 {high}%。",
            **bounds_told(lost.low if lost else 0, lost.high if lost else 0),
        ),
        optional=True,
    )
    form = Form(**asked, key=KEY)

    async def deed(filled: Filled) -> tuple[str, Message]:
        outputs = tuple(
            Output(
                gives,
                filled.values[f"made_{at}"],
                filled.values[f"kind_{at}"] or "",
                chosen_storage(filled.values[f"into_{at}"]),
            )
            for at, (gives, _) in enumerate(_gives(recipe))
            if filled.values[f"made_{at}"]
        )
        grams = filled.values["quantity"]
        loss = filled.values["loss"]
        if loss is None:
            loss = grams - sum(each.grams for each in outputs)
        try:
            await transform(
                transformation=NewTransformation(
                    lot.id, process, grams, loss, outputs, chosen_storage(filled.values["storage"])
                ),
                owner_id=viewer.organisation_id,
                actor=actor(viewer, "seller"),
                at=clock.now(),
            )
        except Invalid as error:
            typed = [at for at, _ in enumerate(_gives(recipe)) if filled.values[f"made_{at}"]]
            raise Invalid(error.message, _on_the_form(error, recipe, typed)) from None
        return f"/selling/lots/{lot.id}", msg("已记加工，产出的新批次列在下面。")

    return Task(
        msg("加工：{name}", name=name_in(language, recipe, "")),
        msg("投入等于产出加损耗，一克都要对上；产出各成一个新批次。"),
        msg("记加工"),
        form,
        deed,
        {"storage": NOWHERE, **{f"into_{at}": NOWHERE for at in range(len(_gives(recipe)))}},
    )


def _on_the_form(error: Invalid, recipe: Recipe, typed: list[int]) -> dict[str, Message]:
    """Return the faults of a transformation under the names of the form's fields.

    ``typed``: the lines of the form that its outputs stand in.
    """
    lines = [gives for gives, _ in _gives(recipe)]
    named = {f"out_{gives}": f"made_{lines.index(gives)}" for gives in lines} | {"outputs": "made_0"}
    named |= {f"into_{at}": f"into_{line}" for at, line in enumerate(typed)}
    return {named.get(field, field): message for field, message in error.fields.items()}
