"""Processes: what goods can be made into, and what they usually yield."""

import msgspec

from market.db.session import fetch_into


class YieldView(msgspec.Struct, frozen=True):
    """What a part becomes (``gives`` None: it is lost), in thousandths of what goes in."""

    gives: str | None
    gives_zh: str | None
    gives_en: str | None
    low: int
    high: int
    source: str
    sureness: str


class Recipe(msgspec.Struct, frozen=True):
    """A process with what it takes and all that it gives, products first, the loss last."""

    process: str
    zh: str
    en: str
    takes: str
    yields: list[YieldView]


async def recipes_for(produce: str) -> list[Recipe]:
    """Return the processes that take ``produce``, in the order of the catalogue."""
    return await fetch_into(
        Recipe,
        """SELECT process, min(recipe_yield.zh) AS zh, min(recipe_yield.en) AS en, takes,
                  jsonb_agg(jsonb_build_object('gives', gives, 'gives_zh', produce.zh,
                      'gives_en', produce.en, 'low', low, 'high', high, 'source', source,
                      'sureness', sureness) ORDER BY gives IS NULL, position) AS yields
           FROM recipe_yield LEFT JOIN produce ON produce.code = recipe_yield.gives
           WHERE takes = $1 GROUP BY process, takes ORDER BY min(position), process""",
        produce,
    )
