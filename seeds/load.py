"""Loads the reference data and the demonstration case, through the operations that people use."""

import asyncio
import hashlib
from datetime import datetime, timedelta
from functools import cache

import msgspec

from market import clock
from market.accounts.operations import (
    NewOrganisation,
    NewPerson,
    NewSite,
    add_site,
    register_organisation,
    register_person,
)
from market.accounts.passwords import hash_password
from market.accounts.rules import SELLING_KINDS, SIDES, SYSTEM, Actor
from market.catalogue import operations as catalogue
from market.catalogue.rules import (
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
from market.db.session import execute, fetch, fetch_value, transaction
from market.demand.commands import NewDemand
from market.demand.operations import publish_demand
from market.errors import Conflict
from market.i18n import msg
from market.privacy.consent import answer_notice
from market.privacy.rules import PURPOSES
from market.supply.commands import NewListing
from market.supply.operations import NewPicture, add_picture, publish_listing
from market.units import FenPerKg
from seeds import broken, case, county, joint_load, pictures, reference, rounds, shelves, story, worries

#: Everybody's password in the demonstration; `make run` prints it with the logins.
PASSWORD = "tiantou-2018"  # noqa: S105  made to be known
#: Tables that the reference data fills; a reset of the demonstration leaves them alone.
_KEPT = frozenset(
    {
        "migration",
        "category",
        "produce",
        "division",
        "shelf_rule",
        "credential_kind",
        "credential_route",
        "grade",
        "reason",
        "recipe_yield",
    }
)
#: How long ago the story began when it is loaded up to a stage, so that its end is about now.
DAYS_AGO: dict[case.Stage, int] = {"start": 0, "matched": 0, "met": 45, "contract": 12, "breach": 20}


class Login(msgspec.Struct, frozen=True):
    """Somebody of the demonstration to sign in as."""

    role: str
    name: str
    name_en: str
    organisation: str
    organisation_en: str
    phone: str
    password: str = PASSWORD


async def load_reference() -> catalogue.Loaded:
    """Load produce, divisions, rules and reasons; a second time changes nothing. Returns what changed."""
    return await catalogue.load_reference(
        categories=[
            CategoryEntry(each.code, each.zh, each.en, position)
            for position, each in enumerate(reference.categories())
        ],
        produce=[
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
        ],
        divisions=[
            DivisionEntry(each.code, each.level, each.short_name, each.parent)
            for each in reference.divisions()
        ],
        coordinates=[
            CoordinateEntry(each.code, each.lat, each.lon) for each in reference.coordinates().values()
        ],
        shelf_rules=[
            ShelfRuleEntry(
                code=each.code,
                applies_to=each.applies_to,
                effect=each.effect,
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
        credential_routes=[
            CredentialRouteEntry(
                code=each.code,
                credential=each.credential,
                position=position,
                zh=each.zh,
                en=each.en,
                days_low=each.days_low,
                days_high=each.days_high,
                source=each.source,
                sureness=each.sureness,
            )
            for position, each in enumerate(reference.credential_routes())
        ],
        grades=[GradeEntry(each.level, each.zh, each.en) for each in reference.grades()],
        reasons=[
            ReasonEntry(each.code, each.zh, each.en, position, each.uses)
            for position, each in enumerate(reference.reasons())
        ],
        recipe_yields=[
            RecipeYieldEntry(
                code=each.code,
                process=each.process,
                zh=each.zh,
                en=each.en,
                takes=each.takes,
                gives=each.gives,
                low=each.low,
                high=each.high,
                position=position,
                source=each.source,
                sureness=each.sureness,
            )
            for position, each in enumerate(reference.recipe_yields())
        ],
        readings=reference.readings(),
    )


async def load_demo(stage: case.Stage = "start") -> bool:
    """Load the case up to ``stage``; return False, having done nothing, where it is there already.

    Needs the reference data. The market as it stood before the matching is one transaction; what the
    engine and the people do after it are the operations of every day.
    """
    loaded = case.case()
    town = loaded.organisation(loaded.story.town)
    if await fetch_value("SELECT id FROM organisation WHERE uscc = $1", town.uscc):
        return False
    began = _days(clock.now(), -DAYS_AGO[stage])
    drawings = await asyncio.to_thread(_drawings, tuple({lot.produce for lot in loaded.lots}))
    async with transaction(statement_timeout=0):
        people = await _people(loaded, at=began)
        await county.look_after(loaded, people, at=began)
        await _goods(loaded, people, drawings, at=began, whole=stage not in ("contract", "breach"))
        await _demands(loaded, people, at=began)
    if stage in ("contract", "breach"):
        await _broken(loaded, people, stage, at=began)
        return True
    if stage != "start":
        await story.match(loaded, people, at=_days(began, 1))
    if stage == "matched":
        await worries.open_book(at=_days(began, 1))
    if stage == "met":
        await story.meet(loaded, people, began=began)
        await worries.keep_book(loaded, people, began=began)
        await shelves.fill_shelves(loaded, people, began=began)
        await shelves.grow(loaded, people, began=began)
        await rounds.open_round(loaded, people)
        await joint_load.offer_together(loaded, people, picture=drawings[joint_load.PRODUCE])
    return True


async def reset_demo(stage: case.Stage = "start") -> None:
    """Empty everything but the reference data, and load the case again.

    Raises:
        Conflict: somebody real has an account here: then this is no demonstration any more.
    """
    if await fetch_value("SELECT count(*) FROM person WHERE NOT invented"):
        raise Conflict(msg("这里已有真实用户，不能重置为演示数据。要重来，请换一个数据库。"))
    rows = await fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    emptied = sorted({row["tablename"] for row in rows} - _KEPT)
    async with transaction():
        await execute(f"TRUNCATE {', '.join(emptied)} RESTART IDENTITY")
    await load_reference()
    await load_demo(stage)


async def _broken(loaded: case.Case, people: "story.People", stage: case.Stage, *, at: datetime) -> None:
    """Play the contract of the 172 households, and its breach up to the deals that took its place."""
    tale = broken.told()
    sides = broken.Sides(
        seller=people.actors[loaded.story.village],
        buyer=people.actors[tale.buyer],
        town=people.actors[loaded.story.town],
    )
    deal_id = await broken.contract(tale, sides, at=at)
    if stage == "breach":
        breach_id = await broken.breach(tale, sides, deal_id=deal_id, at=at)
        buyers = {people.organisations[key]: actor for key, actor in people.actors.items()}
        await broken.sell_again(tale, sides, buyers, breach_id=breach_id)


def logins() -> list[Login]:
    """Return one login for each role, the case's own people first."""
    loaded = case.case()
    wanted = [
        (loaded.story.village, "secretary"),
        (loaded.story.town, "official"),
        ("zhongxing", "buyer"),
        (loaded.story.county, "official"),
        (loaded.story.county, "verifier"),
        (loaded.story.county, "auditor"),
    ]
    found = []
    for organisation, role in wanted:
        person = loaded.person_for(organisation, role)
        owner = loaded.organisation(organisation)
        found.append(Login(role, person.zh, person.en, owner.zh, owner.en, person.phone))
    return found


def _days(moment: datetime, days: int) -> datetime:
    return moment + timedelta(days=days)


@cache
def _drawing(produce: str) -> NewPicture:
    drawn = pictures.illustration(produce)
    return NewPicture(
        image=drawn.image,
        thumb=drawn.thumb,
        width=drawn.width,
        height=drawn.height,
        content_hash=hashlib.sha256(drawn.image).hexdigest(),
        illustration=True,
    )


def _drawings(kinds: tuple[str, ...]) -> dict[str, NewPicture]:
    return {produce: _drawing(produce) for produce in kinds}


async def _people(loaded: case.Case, *, at: datetime) -> "story.People":
    """Register organisations, stores and people."""
    organisations: dict[str, int] = {}
    town = loaded.story.town
    ordered = sorted(loaded.organisations, key=lambda each: each.id != town)
    for each in ordered:
        organisations[each.id] = await register_organisation(
            organisation=NewOrganisation(
                kind=each.kind,
                name=each.zh,
                name_en=each.en,
                uscc=each.uscc,
                division=each.division,
                lat=each.lat,
                lon=each.lon,
                town_id=organisations[town] if each.kind in SELLING_KINDS else None,
                invented=each.invented,
            ),
            at=at,
        )
    sites = {
        each.id: await add_site(
            organisation_id=organisations[each.organisation],
            site=NewSite(name=each.zh, name_en=each.en, lat=each.lat, lon=each.lon, invented=each.invented),
        )
        for each in loaded.stores
    }
    actors: dict[str, Actor] = {}
    # once for all: everybody has the same password, and a hash is slow on purpose
    password_hash = await hash_password(PASSWORD)
    for person in loaded.people:
        person_id = await register_person(
            person=NewPerson(
                name=person.zh,
                name_en=person.en,
                phone=person.phone,
                password_hash=password_hash,
                invented=True,
            ),
            organisation_id=organisations[person.organisation],
            roles=frozenset({person.role}),
            at=at,
        )
        own = Actor(person_id, organisations[person.organisation], SIDES[person.role])
        await answer_notice(person_id=person_id, agreed=PURPOSES, actor=own, at=at)
        actors.setdefault(person.organisation, own)
    return story.People(organisations, sites, actors)


async def _goods(
    loaded: case.Case,
    people: "story.People",
    drawings: dict[str, NewPicture],
    *,
    at: datetime,
    whole: bool,
) -> None:
    """Put the case's goods on sale; not ``whole``: without those that were made of the broken contract's."""
    today = at.astimezone(clock.CHINA).date()
    for lot in loaded.lots:
        if not whole and lot.produce in broken.MADE_OF_IT:
            continue
        owner_id = people.organisations[lot.seller]
        harvested = None if lot.harvested_day is None else today + timedelta(days=lot.harvested_day)
        listing_id = await publish_listing(
            listing=NewListing(
                produce=lot.produce,
                title=lot.title_zh,
                title_en=lot.title_en,
                variety=lot.variety,
                grade=lot.grade,
                quantity=lot.quantity,
                ask=lot.ask,
                min_order=lot.min_order,
                priority=FenPerKg(lot.priority_fen_per_kg),
                available_from=today + timedelta(days=lot.from_day),
                available_to=today + timedelta(days=lot.to_day),
                credentials=lot.credentials,
                harvested_on=harvested,
                story=lot.story_zh,
                story_en=lot.story_en,
                invented=lot.invented,
            ),
            owner_id=owner_id,
            actor=people.actors.get(lot.seller, SYSTEM),
            at=at,
        )
        await add_picture(listing_id=listing_id, picture=drawings[lot.produce], owner_id=owner_id)


async def _demands(loaded: case.Case, people: "story.People", *, at: datetime) -> None:
    today = at.astimezone(clock.CHINA).date()
    for demand in loaded.demands:
        buyer = loaded.buyer_of(demand)
        await publish_demand(
            demand=NewDemand(
                produce=demand.produce,
                title=demand.title_zh,
                title_en=demand.title_en,
                quantity=demand.quantity,
                ceiling=demand.ceiling,
                site_id=people.sites[demand.store],
                deliver_from=today + timedelta(days=demand.from_day),
                deliver_to=today + timedelta(days=demand.to_day),
                min_grade=demand.min_grade,
                min_order=demand.min_order,
                max_lots=demand.max_lots,
                requires=demand.requires,
                max_distance_km=demand.max_distance_km,
                note=demand.note_zh,
                note_en=demand.note_en,
                invented=demand.invented,
            ),
            buyer_id=people.organisations[buyer],
            actor=people.actors.get(buyer, SYSTEM),
            at=at,
        )
