"""Organisations of one name, told apart where somebody has to choose between them."""

from collections import Counter
from collections.abc import Collection

from asyncpg import Record

from market.db.session import fetch
from market.i18n import Message, in_both, msg, named

_PLACED = """SELECT organisation.id, organisation.name, organisation.name_en, organisation.address,
                    division.path, town.name AS town, town.name_en AS town_en
             FROM organisation LEFT JOIN division ON division.code = organisation.division
             LEFT JOIN organisation town ON town.id = organisation.town
             WHERE organisation.id = ANY($1::bigint[]) ORDER BY organisation.id"""


async def told_apart(organisations: Collection[int]) -> dict[int, Message]:
    """Return, of those that share a name in either language, how each is called; of the others nothing.

    Its place tells it apart: village and town, the town that looks after it, or the address; where they
    share that too, its number does.
    """
    rows = await fetch(_PLACED, list(organisations))
    names = [Counter(row[each] for row in rows if row[each]) for each in ("name", "name_en")]
    alike = [row for row in rows if names[0][row["name"]] > 1 or names[1][row["name_en"]] > 1]
    places = {row["id"]: _place(row) for row in alike}
    shared = Counter((row["name"], str(places[row["id"]])) for row in alike)
    return {
        row["id"]: msg(
            "{name}（{place}）",
            name=named(row, "name"),
            place=places[row["id"]]
            if str(places[row["id"]]) and shared[row["name"], str(places[row["id"]])] == 1
            else msg("编号 {n}", n=row["id"]),
        )
        for row in alike
    }


def _place(row: Record) -> Message:
    if row["path"]:
        place = " ".join(row["path"].split(" / ")[-2:])
        return in_both(place, place)
    return named(row, "town") if row["town"] else in_both(row["address"], row["address"])
