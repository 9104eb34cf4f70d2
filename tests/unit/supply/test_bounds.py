"""What is refused at an upper bound is told the bound, not that it is too small."""

import asyncio
from datetime import date

import pytest

from fixtures.factories import STORY
from market.accounts.rules import Actor
from market.errors import Invalid
from market.followup.capacity_rules import entry_problems
from market.i18n import translate
from market.supply.households import MOST_FEN, settle
from market.supply.stock_rules import Yield, correction_problems, storage_problems, yield_problems
from market.units import MOST_GRAMS, Fen

DAY = date(2026, 1, 5)


@pytest.mark.parametrize(("grams", "told"), [(MOST_GRAMS + 1, "太多了：最多 "), (0, "要大于 0。")])
def test_a_mass_out_of_bounds_is_told_which_bound(grams: int, told: str) -> None:
    entry = entry_problems(kind="silo", on=DAY, units=1, grams=grams, note="", today=DAY)
    for problem in (
        storage_problems(name="罐", kind="silo", capacity=grams)["capacity"],
        correction_problems(grams=grams, reason="", note="")["quantity"],
        yield_problems(grams=grams, outputs=[], loss=0, yields=[])["quantity"],
        entry["grams"],
    ):
        assert told in translate(problem, "zh")


@pytest.mark.parametrize(
    ("oil", "told"), [(400_000, "40.0%"), (350_400, "35.04%"), (350_001, "35.0001%"), (299_999, "29.9999%")]
)
def test_a_yield_just_out_of_bounds_is_not_told_as_the_bound_itself(oil: int, told: str) -> None:
    problems = yield_problems(
        grams=1_000_000,
        outputs=[("oil", oil)],
        loss=1_000_000 - oil,
        yields=[Yield("oil", 300, 350), Yield(None, 0, 1_000)],
    )
    assert translate(problems["out_oil"], "zh").startswith(f"占投入的 {told}，通常在 30% 到 35% 之间")


@pytest.mark.parametrize(
    ("money", "told"), [(MOST_FEN + 1, "金额太大：一次最多 1,000,000,000.00 元。"), (0, "金额要大于 0。")]
)
def test_money_out_of_bounds_is_told_which_bound(money: int, told: str) -> None:
    with pytest.raises(Invalid) as refused:
        asyncio.run(
            settle(
                lot_id=1,
                money=Fen(money),
                received_on=DAY,
                deal_id=None,
                note="",
                owner_id=1,
                actor=Actor(person_id=1, organisation_id=1, side="seller"),
                at=STORY,
            )
        )
    assert translate(refused.value.fields["amount"], "zh") == told
