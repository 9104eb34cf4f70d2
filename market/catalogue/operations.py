"""Loading reference data. Loading the same twice changes nothing; what is not named stays as it is."""

from collections.abc import Iterable, Sequence

import msgspec

from market.catalogue.names import Readings
from market.catalogue.rules import (
    REASON_USES,
    STEP,
    CategoryEntry,
    CoordinateEntry,
    CredentialKindEntry,
    CredentialRouteEntry,
    DivisionEntry,
    GradeEntry,
    ProduceEntry,
    ReasonEntry,
    RecipeYieldEntry,
    ShelfRuleEntry,
)
from market.catalogue.search import all_readings
from market.db.session import execute, fetch, fetch_value, transaction
from market.errors import Invalid
from market.i18n import Message, msg


class Loaded(msgspec.Struct, frozen=True):
    """How many rows were new or differed."""

    categories: int = 0
    produce: int = 0
    divisions: int = 0
    coordinates: int = 0
    shelf_rules: int = 0
    credential_kinds: int = 0
    credential_routes: int = 0
    grades: int = 0
    reasons: int = 0
    recipe_yields: int = 0


async def load_reference(
    *,
    categories: Sequence[CategoryEntry] = (),
    produce: Sequence[ProduceEntry] = (),
    divisions: Sequence[DivisionEntry] = (),
    coordinates: Sequence[CoordinateEntry] = (),
    shelf_rules: Sequence[ShelfRuleEntry] = (),
    credential_kinds: Sequence[CredentialKindEntry] = (),
    credential_routes: Sequence[CredentialRouteEntry] = (),
    grades: Sequence[GradeEntry] = (),
    reasons: Sequence[ReasonEntry] = (),
    recipe_yields: Sequence[RecipeYieldEntry] = (),
    readings: Readings | None = None,
) -> Loaded:
    """Insert or update reference data, all of it or none.

    ``readings`` gives words (长生果) their syllables where the dictionary of pinyin errs.

    Raises:
        Invalid: a code comes twice, or a parent, category or raw material is unknown.
    """
    async with transaction():
        return Loaded(
            categories=await _load_categories(categories),
            produce=await _load_produce(produce, readings or {}),
            divisions=await _load_divisions(divisions),
            coordinates=await _load_coordinates(coordinates),
            shelf_rules=await _load_shelf_rules(shelf_rules),
            credential_kinds=await _load_credential_kinds(credential_kinds),
            credential_routes=await _load_credential_routes(credential_routes),
            grades=await _load_grades(grades),
            reasons=await _load_reasons(reasons),
            recipe_yields=await _load_recipe_yields(recipe_yields),
        )


def _each_once(what: Message, keys: Iterable[str]) -> None:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise Invalid(msg("{what}里“{key}”出现了两次，请只保留一条。", what=what, key=key))
        seen.add(key)


async def _upsert(table: str, key: str, columns: str, source: str, *values: object) -> int:
    """Write the rows of ``source`` (a SELECT) where they differ; return how many did.

    The names are ours and never come from outside; values are parameters.
    """
    changing = [name for name in columns.split(", ") if name != key]
    written: int = await fetch_value(
        f"""WITH written AS (
                INSERT INTO {table} AS kept ({columns}) {source}
                ON CONFLICT ({key}) DO UPDATE SET {", ".join(f"{c} = excluded.{c}" for c in changing)}
                WHERE ({", ".join(f"kept.{c}" for c in changing)})
                    IS DISTINCT FROM ({", ".join(f"excluded.{c}" for c in changing)})
                RETURNING 1)
            SELECT count(*) FROM written""",  # noqa: S608  words of ours; values are parameters
        *values,
    )
    return written


async def _load_categories(entries: Sequence[CategoryEntry]) -> int:
    _each_once(msg("品类大类"), (each.code for each in entries))
    return await _upsert(
        "category",
        "code",
        "code, zh, en, position",
        "SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])",
        *_columns(entries, "code", "zh", "en", "position"),
    )


async def _load_produce(entries: Sequence[ProduceEntry], readings: Readings) -> int:
    _each_once(msg("品类目录"), (each.code for each in entries))
    given = {each.code for each in entries}
    needed = {each.made_from for each in entries if each.made_from} - given
    await _require("produce", needed)
    await _require("category", {each.category for each in entries})
    rows = []
    for each in entries:
        pinyin, initials = all_readings([each.zh, *each.aliases], readings)
        rows.append({**msgspec.to_builtins(each), "pinyin": pinyin, "initials": initials})
    # one JSON document, because unnest flattens arrays of arrays
    return await _upsert(
        "produce",
        "code",
        "code, category, zh, en, aliases, pinyin, initials, shelf_life_days, usual_units, made_from, "
        "price_low, price_high, certificate_required",
        """SELECT code, category, zh, en, aliases, pinyin, initials, shelf_life_days, usual_units, made_from,
                  price_low, price_high, certificate_required
           FROM jsonb_to_recordset($1::jsonb) AS given(
               code text, category text, zh text, en text, aliases text[], pinyin text[], initials text[],
               shelf_life_days bigint, usual_units text[], made_from text, price_low bigint,
               price_high bigint, certificate_required bool)""",
        msgspec.json.encode(rows).decode(),
    )


async def _load_divisions(entries: Sequence[DivisionEntry]) -> int:
    _each_once(msg("行政区划"), (each.code for each in entries))
    known = {each.code: each for each in entries}
    outside = {each.parent for each in entries if each.parent} - known.keys()
    rows = await fetch("SELECT code, path FROM division WHERE code = ANY($1::text[])", list(outside))
    paths: dict[str, str] = {row["code"]: row["path"] for row in rows}
    for entry in entries:
        chain: list[DivisionEntry] = []
        code: str | None = entry.code
        while code is not None and code not in paths:
            if code not in known or len(chain) > len(known):
                raise Invalid(
                    msg(
                        "行政区划“{code}”的上级“{parent}”不存在，请先补上。",
                        code=chain[-1].code,
                        parent=code,
                    )
                )
            chain.append(known[code])
            code = known[code].parent
        for each in reversed(chain):
            above = paths[each.parent] + STEP if each.parent else ""
            paths[each.code] = above + each.name
    return await _upsert(
        "division",
        "code",
        "code, level, name, parent, path",
        "SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])",
        *_columns(entries, "code", "level", "name", "parent"),
        [paths[each.code] for each in entries],
    )


async def _load_coordinates(entries: Sequence[CoordinateEntry]) -> int:
    _each_once(msg("坐标"), (each.code for each in entries))
    await _require("division", {each.code for each in entries})
    done = await execute(
        """UPDATE division SET lat = given.lat, lon = given.lon
           FROM unnest($1::text[], $2::float8[], $3::float8[]) AS given(code, lat, lon)
           WHERE division.code = given.code
             AND (division.lat, division.lon) IS DISTINCT FROM (given.lat, given.lon)""",
        *_columns(entries, "code", "lat", "lon"),
    )
    return int(done.split()[-1])


async def _load_shelf_rules(entries: Sequence[ShelfRuleEntry]) -> int:
    _each_once(msg("上架规定"), (each.code for each in entries))
    return await _upsert(
        "shelf_rule",
        "code",
        "code, applies_to, effect, valid_from, valid_to, zh, en, source, sureness",
        """SELECT code, applies_to, effect, valid_from, valid_to, zh, en, source, sureness
           FROM jsonb_to_recordset($1::jsonb) AS given(
               code text, applies_to text[], effect text, valid_from date, valid_to date, zh text, en text,
               source text, sureness text)""",
        msgspec.json.encode(list(entries)).decode(),
    )


async def _load_credential_kinds(entries: Sequence[CredentialKindEntry]) -> int:
    _each_once(msg("资质"), (each.code for each in entries))
    return await _upsert(
        "credential_kind",
        "code",
        "code, zh, en",
        "SELECT * FROM unnest($1::text[], $2::text[], $3::text[])",
        *_columns(entries, "code", "zh", "en"),
    )


async def _load_credential_routes(entries: Sequence[CredentialRouteEntry]) -> int:
    _each_once(msg("资质"), (each.code for each in entries))
    await _require("credential_kind", {each.credential for each in entries})
    return await _upsert(
        "credential_route",
        "code",
        "code, credential, position, zh, en, days_low, days_high, source, sureness",
        """SELECT code, credential, position, zh, en, days_low, days_high, source, sureness
           FROM jsonb_to_recordset($1::jsonb) AS given(
               code text, credential text, position bigint, zh text, en text, days_low bigint,
               days_high bigint, source text, sureness text)""",
        msgspec.json.encode(list(entries)).decode(),
    )


async def _load_grades(entries: Sequence[GradeEntry]) -> int:
    """Grades are few and known by their level; the table's own number means nothing to anybody."""
    _each_once(msg("等级"), (str(each.level) for each in entries))
    levels, zh, en = _columns(entries, "level", "zh", "en")
    given = "unnest($1::bigint[], $2::text[], $3::text[]) AS given(level, zh, en)"
    changed = await execute(
        f"""UPDATE grade SET zh = given.zh, en = given.en FROM {given}
            WHERE grade.level = given.level
              AND (grade.zh, grade.en) IS DISTINCT FROM (given.zh, given.en)""",  # noqa: S608  words of ours; values are parameters
        levels,
        zh,
        en,
    )
    added = await execute(
        f"""INSERT INTO grade (level, zh, en) SELECT level, zh, en FROM {given}
            WHERE NOT EXISTS (SELECT FROM grade WHERE grade.level = given.level) ORDER BY level""",  # noqa: S608  words of ours; values are parameters
        levels,
        zh,
        en,
    )
    return int(changed.split()[-1]) + int(added.split()[-1])


async def _load_reasons(entries: Sequence[ReasonEntry]) -> int:
    _each_once(msg("原因"), (each.code for each in entries))
    for each in entries:
        if not REASON_USES.issuperset(each.uses):
            raise Invalid(msg("原因 {code} 用在哪一步写错了。", code=each.code))
    return await _upsert(
        "reason",
        "code",
        "code, zh, en, position, uses",
        """SELECT code, zh, en, position, string_to_array(uses, ' ')
           FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[])
             AS given (code, zh, en, position, uses)""",
        *_columns(entries, "code", "zh", "en", "position"),
        [" ".join(each.uses) for each in entries],
    )


async def _load_recipe_yields(entries: Sequence[RecipeYieldEntry]) -> int:
    _each_once(msg("加工"), (each.code for each in entries))
    await _require(
        "produce", {each.takes for each in entries} | {each.gives for each in entries if each.gives}
    )
    return await _upsert(
        "recipe_yield",
        "code",
        "code, process, zh, en, takes, gives, low, high, position, source, sureness",
        """SELECT code, process, zh, en, takes, gives, low, high, position, source, sureness
           FROM jsonb_to_recordset($1::jsonb) AS given(
               code text, process text, zh text, en text, takes text, gives text, low bigint, high bigint,
               position bigint, source text, sureness text)""",
        msgspec.json.encode(list(entries)).decode(),
    )


def _columns(entries: Sequence[msgspec.Struct], *names: str) -> list[list[object]]:
    return [[getattr(each, name) for each in entries] for name in names]


async def _require(table: str, codes: set[str]) -> None:
    """
    Raises:
        Invalid: ``table`` misses one of ``codes``.
    """
    if not codes:
        return
    missing = await fetch(
        f"""SELECT code FROM unnest($1::text[]) AS wanted(code)
            WHERE NOT EXISTS (SELECT FROM {table} WHERE {table}.code = wanted.code) ORDER BY code""",  # noqa: S608  words of ours; values are parameters
        sorted(codes),
    )
    if missing:
        listed = "、".join(row["code"] for row in missing[:5])
        raise Invalid(msg("引用了不存在的代码：{codes}。请先补上。", codes=listed))
