"""Reading the catalogue: produce by what people type, divisions, rules, credentials, grades, reasons."""

from collections.abc import Sequence
from datetime import date

import msgspec

from market.catalogue.rules import STEP, told_reason, words_fault
from market.catalogue.search import Asked, abbreviation, asked, normalise, words
from market.db.session import fetch, fetch_into, fetch_one_into
from market.errors import Invalid, NotFound
from market.i18n import Message, in_both, msg

#: Scores of ``_SCORES``. From LITERAL on a name was hit as it stands; from LOOSE on it lies in the text, was
#: abbreviated or sounds alike; below that it is a guess at a slip.
LITERAL, LOOSE = 600, 420
#: Least score of a guess.
_GUESS = 150


class CategoryView(msgspec.Struct, frozen=True):
    code: str
    zh: str
    en: str


class ProduceView(msgspec.Struct, frozen=True):
    """Prices in fen per kg at the farm gate."""

    code: str
    category: str
    category_zh: str
    category_en: str
    zh: str
    en: str
    aliases: list[str]
    shelf_life_days: int | None
    usual_units: list[str]
    made_from: str | None
    price_low: int | None
    price_high: int | None
    certificate_required: bool


class ProduceFound(msgspec.Struct, frozen=True):
    code: str
    zh: str
    en: str
    category: str
    #: Higher is nearer; see :data:`LITERAL` and :data:`LOOSE`.
    score: int


class DivisionView(msgspec.Struct, frozen=True):
    code: str
    level: str
    name: str
    parent: str | None
    path: str
    lat: float | None
    lon: float | None


class ShelfRuleView(msgspec.Struct, frozen=True):
    code: str
    applies_to: list[str]
    effect: str
    valid_from: date | None
    valid_to: date | None
    zh: str
    en: str
    source: str
    sureness: str


class CredentialKindView(msgspec.Struct, frozen=True):
    code: str
    zh: str
    en: str


class CredentialRouteView(msgspec.Struct, frozen=True):
    """One way to a credential; days from applying to having it, as is usual."""

    code: str
    credential: str
    zh: str
    en: str
    days_low: int
    days_high: int
    source: str
    sureness: str


class GradeView(msgspec.Struct, frozen=True):
    level: int
    zh: str
    en: str


class ReasonView(msgspec.Struct, frozen=True):
    """``uses``: the steps that offer it; none: all of them."""

    code: str
    zh: str
    en: str
    uses: list[str] = []


async def categories() -> list[CategoryView]:
    return await fetch_into(CategoryView, "SELECT code, zh, en FROM category ORDER BY position, code")


_PRODUCE = """
SELECT produce.code, produce.category, category.zh AS category_zh, category.en AS category_en,
       produce.zh, produce.en, produce.aliases, produce.shelf_life_days, produce.usual_units,
       produce.made_from, produce.price_low, produce.price_high, produce.certificate_required
FROM produce JOIN category ON category.code = produce.category
"""


async def all_produce(category: str | None = None) -> list[ProduceView]:
    """Return every kind in the order of the catalogue's categories; of one category if it is given."""
    return await fetch_into(
        ProduceView,
        _PRODUCE + "WHERE $1::text IS NULL OR produce.category = $1 ORDER BY category.position, produce.code",
        category,
    )


async def produce_by_code(code: str) -> ProduceView:
    """
    Raises:
        NotFound: the catalogue has no such code.
    """
    found = await fetch_one_into(ProduceView, _PRODUCE + "WHERE produce.code = $1", normalise(code))
    if found is None:
        raise NotFound(msg("品类目录里没有“{code}”。", code=normalise(code)))
    return found


#: Each asked text against each name and each spelling. Names are compared with starts_with and strpos, so
#: that a reader's % and _ stand for themselves. Slips cost most: they are looked for only where asked for.
_SCORES = """
WITH asked AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bool[], $6::bool[])
        WITH ORDINALITY AS asked(text, pinyin, initials, abbreviation, latin, guess, n)
),
name AS MATERIALIZED (
    SELECT code, lower(named.name) AS name, named.worth
    FROM produce, LATERAL (
        SELECT zh, 20 UNION ALL SELECT unnest(aliases), 0 UNION ALL SELECT en, 10 UNION ALL SELECT code, 5
    ) AS named(name, worth)
),
spelling AS MATERIALIZED (
    SELECT code, spelt.pinyin, spelt.initials, regexp_replace(spelt.initials, '(.)', '\\1%', 'g') AS first,
        CASE place WHEN 1 THEN 9 ELSE 0 END AS worth
    FROM produce, unnest(pinyin, initials) WITH ORDINALITY AS spelt(pinyin, initials, place)
),
scored AS (
    SELECT n, code, CASE
        WHEN name = text THEN 970 + worth
        WHEN starts_with(name, text) THEN 870 + worth
        WHEN (length(text) > 1 OR NOT latin) AND strpos(CASE WHEN latin THEN ' ' || name ELSE name END,
                CASE WHEN latin THEN ' ' || text ELSE text END) > 0 THEN 770 + worth
        WHEN latin AND similarity(name, text) >= 0.9 THEN 590 + worth / 4
        WHEN length(name) > 1 AND CASE WHEN octet_length(name) = length(name)
                THEN strpos(' ' || text || ' ', ' ' || name || ' ') ELSE strpos(text, name) END > 0
            THEN 500 + least(4 * length(name), 79)
        WHEN guess AND length(text) > 2 AND asked.pinyin <> '' THEN greatest(
            CASE WHEN abs(length(name) - length(text)) <= 2 AND levenshtein_less_equal(name, text, 2)
                <= CASE WHEN length(text) > 7 THEN 2 ELSE 1 END
                THEN 380 - 200 * levenshtein_less_equal(name, text, 2) / length(text) + worth / 4 END,
            (350 * (similarity(name, text) - 0.08))::int + worth / 4)
        END AS score
    FROM asked CROSS JOIN name WHERE text <> ''
    UNION ALL
    SELECT n, code, CASE
        WHEN spelling.pinyin = asked.pinyin THEN CASE WHEN latin THEN 720 ELSE 440 END + spelling.worth
        WHEN latin AND spelling.initials = asked.initials THEN 710 + spelling.worth
        WHEN latin AND length(asked.pinyin) > 1 AND starts_with(spelling.pinyin, asked.pinyin)
            THEN 660 + spelling.worth
        WHEN latin AND length(asked.initials) > 1 AND starts_with(spelling.initials, asked.initials)
            THEN 640 + spelling.worth
        WHEN latin AND length(asked.pinyin) > 3 AND strpos(spelling.pinyin, asked.pinyin) > 0
            THEN 610 + spelling.worth
        WHEN latin AND length(asked.pinyin) > 2 AND spelling.pinyin LIKE abbreviation
            AND asked.pinyin LIKE spelling.first THEN 450 + spelling.worth
        WHEN guess AND length(asked.pinyin) > 3 AND (latin OR length(text) > 2) THEN
            CASE WHEN abs(length(spelling.pinyin) - length(asked.pinyin)) <= 2
                AND levenshtein_less_equal(spelling.pinyin, asked.pinyin, 2)
                    <= CASE WHEN length(asked.pinyin) > 7 THEN 2 ELSE 1 END
                THEN 370 - 200 * levenshtein_less_equal(spelling.pinyin, asked.pinyin, 2)
                    / length(asked.pinyin) END
        END
    FROM asked CROSS JOIN spelling WHERE asked.pinyin <> ''
),
best AS (SELECT n, code, max(score) AS score FROM scored GROUP BY n, code HAVING max(score) >= $7)
SELECT n, produce.code, zh, en, category, score
FROM best JOIN produce ON produce.code = best.code
ORDER BY n, score DESC, length(zh), produce.code
"""


async def _scores(texts: Sequence[Asked], guess: Sequence[bool], least: int) -> list[list[ProduceFound]]:
    rows = await fetch(
        _SCORES,
        [each.text for each in texts],
        [each.pinyin for each in texts],
        [each.initials for each in texts],
        [abbreviation(each.pinyin) for each in texts],
        [each.latin for each in texts],
        list(guess),
        least,
    )
    found: list[list[ProduceFound]] = [[] for _ in texts]
    for row in rows:
        found[row["n"] - 1].append(
            ProduceFound(row["code"], row["zh"], row["en"], row["category"], row["score"])
        )
    return found


def _best_tier(found: list[ProduceFound]) -> list[ProduceFound]:
    """Leave guesses out where a name was really hit: 花生 does not mean 花椒."""
    for least in (LITERAL, LOOSE):
        sure = [each for each in found if each.score >= least]
        if sure:
            return sure
    return found


async def find_produce(text: str, limit: int = 10) -> list[ProduceFound]:
    """Return the kinds that ``text`` may mean, best first; empty for an empty text.

    Order: the name itself, its beginning, a part of it (白菜 finds 大白菜), pinyin and first letters (hsy), a
    name that lies in the text, an abbreviation (huasy), the same sound, and, only where nothing else was
    found, slips.
    """
    wanted = asked(text)
    if not wanted:
        return []
    [found] = await _scores([wanted], [True], _GUESS)
    return _best_tier(found)[: max(0, limit)]


async def suggest_produce(text: str, limit: int = 3) -> list[ProduceFound]:
    """Return what an unknown name was perhaps meant to be; looser than :func:`find_produce`."""
    wanted = asked(text)
    if not wanted:
        return []
    [found] = await _scores([wanted], [True], 40)
    return found[: max(0, limit)]


async def produce_meant(texts: Sequence[str], *, guess: Sequence[bool]) -> dict[str, list[str]]:
    """Return, for each text, the codes it stands for in a search: in order, without mere containment.

    ``guess`` says, text by text, whether slips are forgiven.
    """
    wanted = [(text, asked(text), may) for text, may in zip(texts, guess, strict=True)]
    wanted = [each for each in wanted if each[1]]
    if not wanted:
        return {}
    found = await _scores([each[1] for each in wanted], [each[2] for each in wanted], _GUESS)
    meant: dict[str, list[str]] = {}
    for (text, _, may), each in zip(wanted, found, strict=True):
        close = [one for one in each if not 500 <= one.score < LITERAL and (may or one.score >= LITERAL)]
        meant[text] = [one.code for one in _best_tier(close)]
    return meant


async def produce_named(text: str, *, field: str = "produce") -> ProduceView:
    """Return the kind whose code, name, alias or English name is exactly ``text``.

    Raises:
        Invalid: for ``field``, with what was perhaps meant.
    """
    plain = normalise(text)
    named = await fetch_into(
        ProduceView,
        _PRODUCE
        + """WHERE lower(produce.zh) = $1 OR produce.code = $1 OR lower(produce.en) = $1
             OR EXISTS (SELECT FROM unnest(produce.aliases) AS alias WHERE lower(alias) = $1)
           ORDER BY lower(produce.zh) = $1 DESC, produce.code = $1 DESC, lower(produce.en) = $1 DESC,
               produce.code
           LIMIT 1""",
        plain,
    )
    if named:
        return named[0]
    if not plain:
        trouble = msg("请选择品类。")
    else:
        near = [f"{each.zh} {each.en}" for each in await suggest_produce(plain)]
        trouble = (
            msg("目录里没有“{text}”，您要找的是不是：{near}？", text=plain, near=" / ".join(near))
            if near
            else msg("目录里没有“{text}”，请从品类目录中选择。", text=plain)
        )
    raise Invalid(trouble, {field: trouble})


_DIVISION = "SELECT code, level, name, parent, path, lat, lon FROM division "


async def division_by_code(code: str) -> DivisionView:
    """
    Raises:
        NotFound: there is no such division.
    """
    found = await fetch_one_into(DivisionView, _DIVISION + "WHERE code = $1", normalise(code))
    if found is None:
        raise NotFound(msg("没有代码为“{code}”的行政区划。", code=normalise(code)))
    return found


async def divisions_in(parent: str | None = None) -> list[DivisionView]:
    """Return what lies directly in ``parent``; the provinces if it is None."""
    return await fetch_into(
        DivisionView, _DIVISION + "WHERE parent IS NOT DISTINCT FROM $1 ORDER BY code", parent
    )


async def find_divisions(text: str, limit: int = 10, *, within: str | None = None) -> list[DivisionView]:
    """Return divisions whose path has every word of ``text`` and whose own name has the last one.

    Village names repeat: ``辽中 东于`` tells them apart. Higher levels come first among equals.
    """
    wanted = words(normalise(text))
    if not wanted:
        return []
    return await fetch_into(
        DivisionView,
        _DIVISION
        + """WHERE strpos(name, $1) > 0
               AND NOT EXISTS (SELECT FROM unnest($2::text[]) AS word WHERE strpos(path, word) = 0)
               AND ($3::text IS NULL OR starts_with(code, $3))
           ORDER BY name = $1 DESC, starts_with(name, $1) DESC, length(code), code LIMIT $4""",
        wanted[-1],
        list(wanted),
        within,
        max(0, limit),
    )


async def place_names(code: str | None) -> tuple[str, ...]:
    """Return the names from the province down to ``code``; empty where it is unknown."""
    rows = await fetch("SELECT path FROM division WHERE code = $1", code) if code else []
    return tuple(rows[0]["path"].split(STEP)) if rows else ()


async def shelf_rules_for(produce: str, *, on: date) -> list[ShelfRuleView]:
    """Return the rules that hold for a kind of produce on a day, those of its own before the general."""
    return await fetch_into(
        ShelfRuleView,
        """SELECT rule.code, applies_to, effect, valid_from, valid_to, rule.zh, rule.en, source, sureness
           FROM shelf_rule AS rule JOIN produce ON produce.code = $1
           WHERE applies_to && ARRAY['kind:' || produce.code, 'category:' || produce.category, 'all']
             AND $2 BETWEEN coalesce(valid_from, '-infinity') AND coalesce(valid_to, 'infinity')
           ORDER BY 'kind:' || produce.code = ANY(applies_to) DESC, effect, rule.code""",
        produce,
        on,
    )


async def credential_kinds() -> list[CredentialKindView]:
    return await fetch_into(CredentialKindView, "SELECT code, zh, en FROM credential_kind ORDER BY code")


async def credential_routes(codes: Sequence[str]) -> list[CredentialRouteView]:
    """Return the ways to these credentials, the usual one of each first."""
    return await fetch_into(
        CredentialRouteView,
        """SELECT code, credential, zh, en, days_low, days_high, source, sureness
           FROM credential_route WHERE credential = ANY($1::text[]) ORDER BY position, code""",
        list(codes),
    )


async def grades() -> list[GradeView]:
    """Return the grades, best first."""
    return await fetch_into(GradeView, "SELECT level, zh, en FROM grade ORDER BY level DESC")


#: A reason that a step offers; no step: all of them.
_FITS = "($1::text IS NULL OR uses = ARRAY[]::text[] OR $1 = ANY(uses))"


async def reasons(use: str | None = None) -> list[ReasonView]:
    """Return the reasons that a step (of ``rules.REASON_USES``) offers, or all of them."""
    return await fetch_into(
        ReasonView,
        f"SELECT code, zh, en, uses FROM reason WHERE {_FITS} ORDER BY position, code",  # noqa: S608  words of ours; values are parameters
        use,
    )


async def check_reason(
    code: str | None, use: str | None = None, *, words: str, field: str = "note"
) -> Message:
    """Return what a reason that was given is called, as it stands in a notice to the other side.

    Raises:
        Invalid: with ``reason``, where there is no such reason, or it does not fit the step ``use``; with
            ``field``, where it says nothing without ``words`` and there are none.
    """
    rows = await fetch(f"SELECT zh, en FROM reason WHERE {_FITS} AND code = $2", use, code)  # noqa: S608  words of ours; values are parameters
    if not rows:
        problem = msg("请选择原因，让对方知道为什么。")
        if code:
            fit = await reasons(use)
            problem = msg(
                "这一步用不了这个原因，可用的有：{codes}。", codes=", ".join(each.code for each in fit)
            )
        raise Invalid(problem, {"reason": problem})
    if fault := words_fault(code, words):
        raise Invalid(fault, {field: fault})
    return in_both(*(told_reason(rows[0][language], "")[0] for language in ("zh", "en")))
