"""Goods of one lot made into others: one commit, and the mass balances to the gram."""

from datetime import date, datetime

import msgspec

from market.accounts.rules import Actor
from market.audit.operations import record
from market.catalogue.recipes import recipes_for
from market.clock import CHINA
from market.db.replay import once
from market.db.session import execute, fetch, fetch_value, transaction
from market.errors import Invalid, NotFound
from market.i18n import msg
from market.supply import rules, stock_rules
from market.supply.commands import NewTerms
from market.supply.operations import index_listing, unknown_credentials
from market.supply.stock import follow_stock, own_lot, own_storages, refused
from market.supply.stock_rules import Yield
from market.units import FenPerKg, Gram


class Output(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One new lot: grams of a product, its variety or packing, and where it stands."""

    produce: str
    grams: Gram
    variety: str = ""
    storage_id: int | None = None


class NewTransformation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``grams`` go in (from ``storage_id``; None: from no named place); ``loss`` is in no new lot."""

    lot_id: int
    process: str
    grams: Gram
    loss: Gram
    outputs: tuple[Output, ...]
    storage_id: int | None = None


class Transformed(msgspec.Struct, frozen=True):
    """The numbers of the new lots, in the order of the outputs."""

    transformation_id: int
    lots: tuple[int, ...]


async def transform(
    *, transformation: NewTransformation, owner_id: int, actor: Actor, at: datetime, key: str | None = None
) -> Transformed:
    """Take goods out of a lot and make new lots of them, all or nothing.

    New lots lie where their source lies and have its grade, but no credential: those are of a
    product. The same ``key`` again gives the same lots.

    Raises:
        NotFound: no such lot, place or process of this owner.
        Invalid: the mass does not balance, a yield is out of its bounds, there is not so much, or the place
            of an output takes no more (``into_0`` for the first).
    """

    async def deed() -> Transformed:
        return await _transform(transformation, owner_id=owner_id, actor=actor, at=at)

    return await once(
        key=key,
        person_id=actor.person_id,
        request=transformation,
        reply_type=Transformed,
        deed=deed,
        at=at,
    )


async def _transform(made: NewTransformation, *, owner_id: int, actor: Actor, at: datetime) -> Transformed:
    lot = await own_lot(made.lot_id, owner_id)
    recipe = next((each for each in await recipes_for(lot["produce"]) if each.process == made.process), None)
    if recipe is None:
        raise NotFound(msg("这种货没有这样的加工。"))
    problems = stock_rules.yield_problems(
        grams=made.grams,
        outputs=[(each.produce, each.grams) for each in made.outputs],
        loss=made.loss,
        yields=[Yield(each.gives, each.low, each.high) for each in recipe.yields],
    )
    if problems:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
    await own_storages([made.storage_id, *(each.storage_id for each in made.outputs)], owner_id)
    transformation_id = int(
        await fetch_value(
            """INSERT INTO transformation (source, process, grams, loss, person, at)
               VALUES ($1, $2, $3, $4, $5, $6) RETURNING id""",
            *(made.lot_id, made.process, made.grams, made.loss, actor.person_id, at),
        )
    )
    lots = [
        int(
            await fetch_value(
                """INSERT INTO lot (owner, produce, variety, grade, quantity, remaining, division, lat, lon,
                                    credentials, harvested_on, story, story_en, invented, made_by, created_at)
                   SELECT owner, $2, $3, grade, 0, 0, division, lat, lon, '{}', harvested_on, '', '',
                          invented, $4, $5
                   FROM lot WHERE id = $1 RETURNING id""",
                *(made.lot_id, each.produce, each.variety or lot["variety"], transformation_id, at),
            )
        )
        for each in made.outputs
    ]
    told = await fetch_value(
        "SELECT transform_stock($1, $2, $3::bigint[], $4::bigint[], $5::bigint[])",
        transformation_id,
        made.storage_id,
        lots,
        [each.grams for each in made.outputs],
        [each.storage_id for each in made.outputs],
    )
    if told != "":
        # the outputs before the one that found no room are written by now, and all is taken back
        written = {
            row["lot"]
            for row in await fetch("SELECT DISTINCT lot FROM stock_entry WHERE lot = ANY($1::bigint[])", lots)
        }
        full = next((at for at, lot_id in enumerate(lots) if lot_id not in written), 0)
        raise await refused(
            told,
            lot_id=made.lot_id,
            out_of=made.storage_id,
            into=made.outputs[full].storage_id,
            field=f"into_{full}",
        )
    await follow_stock(made.lot_id)
    await record(
        subject=f"lot:{made.lot_id}",
        action="transform",
        actor=actor,
        at=at,
        details={
            "process": made.process,
            "grams": made.grams,
            "loss": made.loss,
            "lots": [[new, each.grams] for new, each in zip(lots, made.outputs, strict=True)],
        },
    )
    return Transformed(transformation_id, tuple(lots))


class ListingOfLot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Terms on which a lot that is in stock goes on sale. Fen per kg at the farm gate; grams."""

    title: str
    ask: FenPerKg
    available_from: date
    available_to: date
    min_order: Gram = Gram(0)
    credentials: tuple[str, ...] = ()


async def list_lot(*, lot_id: int, listing: ListingOfLot, owner_id: int, actor: Actor, at: datetime) -> int:
    """Put a lot that is in stock, and on no listing that can still sell, on sale; return the listing.

    Raises:
        NotFound: no such lot of this owner.
        Invalid: with every field that is wrong, or there is nothing to sell, or it is on sale already.
    """
    async with transaction():
        lot = await own_lot(lot_id, owner_id)
        if not lot["remaining"]:
            raise Invalid(msg("这批货没有可卖的数量了。"))
        if await fetch_value(
            """SELECT EXISTS (SELECT FROM listing WHERE lot = $1
               AND state IN ('draft', 'pending', 'published', 'suspended', 'sold_out'))""",
            lot_id,
        ):
            raise Invalid(msg("这批货已经有货源了，请到货源页面操作。"))
        terms = NewTerms(
            ask=listing.ask,
            min_order=listing.min_order,
            available_from=listing.available_from,
            available_to=listing.available_to,
            credentials=listing.credentials,
        )
        problems = rules.terms_problems(terms, quantity=Gram(lot["remaining"]))
        if not 0 < len(listing.title.strip()) <= rules.LONGEST_TITLE:
            problems["title"] = msg("标题最多 {most} 个字。", most=rules.LONGEST_TITLE)
        if listing.available_to < at.astimezone(CHINA).date():
            problems["available_to"] = msg("供应截止日期已过，请改为今天或以后。")
        problems |= await unknown_credentials(listing.credentials)
        if problems:
            raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
        await execute("UPDATE lot SET credentials = $2 WHERE id = $1", lot_id, list(listing.credentials))
        listing_id = int(
            await fetch_value(
                """INSERT INTO listing (lot, owner, title, title_en, ask, min_order, available_from,
                                        available_to, priority, state, search, published_at, created_by,
                                        created_at)
                   VALUES ($1, $2, $3, '', $4, $5, $6, $7, 0, $8, '', $9, $10, $9) RETURNING id""",
                lot_id,
                owner_id,
                listing.title.strip(),
                listing.ask,
                listing.min_order,
                listing.available_from,
                listing.available_to,
                rules.LISTING.apply("publish", state=rules.LISTING.start, by="seller"),
                at,
                actor.person_id,
            )
        )
        await index_listing(listing_id)
        await record(
            subject=f"listing:{listing_id}",
            action="publish",
            actor=actor,
            at=at,
            details={"lot": lot_id, "grams": lot["remaining"], "fen_per_kg": listing.ask},
        )
    return listing_id
