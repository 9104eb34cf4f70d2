"""The reference data of seeds/, in the form that the catalogue takes in."""

from market.catalogue.operations import Loaded, load_reference
from market.catalogue.rules import (
    CategoryEntry,
    CoordinateEntry,
    CredentialKindEntry,
    DivisionEntry,
    GradeEntry,
    ProduceEntry,
    ReasonEntry,
    ShelfRuleEntry,
)
from seeds import reference


def produce_entries() -> list[ProduceEntry]:
    return [
        ProduceEntry(
            code=each.code,
            category=each.category,
            zh=each.zh,
            en=each.en,
            aliases=each.aliases,
            shelf_life_days=each.shelf_life_days,
            usual_units=each.usual_units,
            made_from=each.made_from,
            price_low=each.price_band_fen[0],
            price_high=each.price_band_fen[1],
            certificate_required=reference.certificate_required(each),
        )
        for each in reference.produce()
    ]


def division_entries(*, villages: bool) -> list[DivisionEntry]:
    """All divisions; without ``villages`` only Liaozhong's and Xinmin's, and what lies above counties."""
    return [
        DivisionEntry(each.code, each.level, each.name, each.parent)
        for each in reference.divisions()
        if villages or len(each.code) <= 6 or each.code.startswith(("210115", "210181"))
    ]


async def load_seeds(*, villages: bool = False) -> Loaded:
    """Load everything, with or without the whole province's villages."""
    divisions = division_entries(villages=villages)
    codes = {each.code for each in divisions}
    return await load_reference(
        categories=[
            CategoryEntry(each.code, each.zh, each.en, position)
            for position, each in enumerate(reference.categories())
        ],
        produce=produce_entries(),
        divisions=divisions,
        coordinates=[
            CoordinateEntry(each.code, each.lat, each.lon)
            for each in reference.coordinates().values()
            if each.code in codes
        ],
        shelf_rules=[
            ShelfRuleEntry(
                code=each.code,
                applies_to=each.applies_to,
                effect=f"{each.effect}:{each.value}" if each.value else each.effect,
                zh=each.zh,
                en=each.en,
                source=each.source,
                sureness=each.sureness,
                valid_from=each.valid_from,
                valid_to=each.valid_to,
            )
            for each in reference.shelf_rules()
        ],
        credential_kinds=[
            CredentialKindEntry(each.code, each.zh, each.en) for each in reference.credential_kinds()
        ],
        grades=[GradeEntry(each.level, each.zh, each.en) for each in reference.grades()],
        reasons=[
            ReasonEntry(each.code, each.zh, each.en, position)
            for position, each in enumerate(reference.reasons())
        ],
        readings=reference.readings(),
    )
