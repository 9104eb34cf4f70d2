"""Writing down what is on a store's shelf: by the chain, or by the seller who went to look."""

from datetime import date, datetime

import msgspec
from asyncpg import Record

from market.accounts.rules import Actor
from market.audit.operations import record
from market.clock import CHINA
from market.db.session import execute, fetch, fetch_value, transaction
from market.errors import Conflict, Invalid, NotFound
from market.followup.shelf_rules import GONE, LONGEST_LABEL, PUT, SIGHTINGS, sighting_problems
from market.i18n import Message, in_both, msg, named, on_day
from market.notices.operations import notify
from market.units import FenPerKg


class NewSpell(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``price`` in fen per kg as shoppers pay; ``label`` is brand and packing."""

    site_id: int
    seller_id: int
    produce: str
    label: str
    on: date
    price: FenPerKg | None = None
    note: str = ""


class NewSighting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``kind`` is seen or gone."""

    kind: str
    on: date
    price: FenPerKg | None = None
    note: str = ""


async def put_on_shelf(*, spell: NewSpell, organisation_id: int, actor: Actor, at: datetime) -> int:
    """Note that a store carries a product since a day; return the number of the spell.

    Raises:
        NotFound: no such store, or no signed contract for that product between its chain and the seller, or
            neither of them is this organisation.
        Conflict: it is noted as on this shelf already.
        Invalid: a day, price or word is wrong, or it was there before and gone only after that day.
    """
    label, today = spell.label.strip(), at.astimezone(CHINA).date()
    problems = sighting_problems(
        kind=PUT,
        on=spell.on,
        price=spell.price,
        note=spell.note,
        today=today,
        since=spell.on,
        seen_on=spell.on,
    )
    if len(label) > LONGEST_LABEL:
        problems["label"] = msg("太长了：最多 {most} 个字。", most=LONGEST_LABEL)
    _check(problems)
    async with transaction():
        rows = await fetch(
            """SELECT site.name, site.name_en, site.organisation AS chain, produce.zh, produce.en
               FROM site JOIN produce ON produce.code = $4
               WHERE site.id = $1 AND $3 IN (site.organisation, $2::bigint) AND EXISTS (
                 SELECT FROM deal JOIN listing ON listing.id = deal.listing JOIN lot ON lot.id = listing.lot
                 WHERE deal.seller = $2 AND deal.buyer = site.organisation AND lot.produce = $4
                   AND deal.state IN ('active', 'completed', 'terminated'))""",
            spell.site_id,
            spell.seller_id,
            organisation_id,
            spell.produce,
        )
        if not rows:
            raise NotFound(msg("没有找到这家门店，或双方没有这种货的已签合同。"))
        number = await fetch_value(
            """INSERT INTO shelf_spell (site, seller, produce, label, price, since, seen_on, seen_by,
                                        created_at)
               VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8)
               ON CONFLICT (site, seller, produce, label) WHERE gone_on IS NULL DO NOTHING RETURNING id""",
            spell.site_id,
            spell.seller_id,
            spell.produce,
            label,
            spell.price,
            spell.on,
            organisation_id,
            at,
        )
        if number is None:
            raise Conflict(await _there_already(spell, label))
        await _check_apart(number, spell, label)
        first = NewSighting(PUT, spell.on, spell.price, spell.note)
        other = rows[0]["chain"] if organisation_id == spell.seller_id else spell.seller_id
        await _keep(number, first, _what(rows[0], label), other, organisation_id, actor, at)
    return int(number)


async def _spells(spell: NewSpell, label: str) -> list[Record]:
    return await fetch(
        """SELECT id, since, gone_on FROM shelf_spell
           WHERE site = $1 AND seller = $2 AND produce = $3 AND label = $4 ORDER BY since DESC, id DESC""",
        spell.site_id,
        spell.seller_id,
        spell.produce,
        label,
    )


async def _there_already(spell: NewSpell, label: str) -> Message:
    since = next((row["since"] for row in await _spells(spell, label) if row["gone_on"] is None), spell.on)
    return msg(
        "这家门店从 {day} 起就记着有“{label}”了：还在架上，在列表里点“还在”；"
        "中间下过架，先在那一条记下架，再记新的。",
        day=on_day(since),
        label=label,
    )


async def _check_apart(number: int, spell: NewSpell, label: str) -> None:
    """Refuse a spell that begins before an earlier one ended: one product is not there twice.

    It is asked after the new row is written: whoever noted meanwhile that it is gone has been waited for.
    """
    for row in await _spells(spell, label):
        if row["id"] != number and row["gone_on"] > spell.on:
            problem = msg(
                "这家门店 {since} 上架、{gone} 下架的“{label}”已经记过，"
                "两条不能重叠：请填 {gone} 或以后的日期。",
                since=on_day(row["since"]),
                gone=on_day(row["gone_on"]),
                label=label,
            )
            raise Invalid(problem, {"on": problem})


async def see(
    *, spell_id: int, sighting: NewSighting, organisation_id: int, actor: Actor, at: datetime
) -> None:
    """Note that a product is on the shelf still, at which price, or that it is gone.

    Raises:
        NotFound: no such spell of this seller or chain.
        Conflict: it is noted as gone already.
        Invalid: no such kind, or a day, price or word is wrong.
    """
    if sighting.kind not in SIGHTINGS or sighting.kind == PUT:
        raise Invalid(msg("没有这个选项，请从列出的里面选一个。"))
    async with transaction():
        rows = await fetch(
            """SELECT shelf_spell.*, site.name, site.name_en, site.organisation AS chain, produce.zh,
                   produce.en
               FROM shelf_spell JOIN site ON site.id = shelf_spell.site
               JOIN produce ON produce.code = shelf_spell.produce
               WHERE shelf_spell.id = $1 AND $2 IN (shelf_spell.seller, site.organisation)
               FOR NO KEY UPDATE OF shelf_spell""",
            spell_id,
            organisation_id,
        )
        if not rows:
            raise NotFound(msg("没有找到这条上架记录。"))
        spell: Record = rows[0]
        if spell["gone_on"] is not None:
            raise Conflict(msg("已经记为下架；又上架了，请重新记一条。"))
        _check(
            sighting_problems(
                kind=sighting.kind,
                on=sighting.on,
                price=sighting.price,
                note=sighting.note,
                today=at.astimezone(CHINA).date(),
                since=spell["since"],
                seen_on=spell["seen_on"],
            )
        )
        # an older sighting that comes in late does not hide a newer one
        newest = sighting.on >= spell["seen_on"]
        await execute(
            """UPDATE shelf_spell SET gone_on = $2,
                 seen_on = CASE WHEN $3 THEN $4 ELSE seen_on END,
                 seen_by = CASE WHEN $3 THEN $5 ELSE seen_by END,
                 price = CASE WHEN $3 THEN coalesce($6, price) ELSE price END WHERE id = $1""",
            spell_id,
            sighting.on if sighting.kind == GONE else None,
            newest,
            sighting.on,
            organisation_id,
            sighting.price,
        )
        other = spell["chain"] if organisation_id == spell["seller"] else spell["seller"]
        await _keep(spell_id, sighting, _what(spell, spell["label"]), other, organisation_id, actor, at)


def _check(problems: dict[str, Message]) -> None:
    if problems:
        raise Invalid(msg("有 {n} 处要改，改好后再提交；填过的内容都还在。", n=len(problems)), problems)


def _what(row: Record, label: str) -> dict[str, Message]:
    """Return what was seen where, as a notice tells it; a label of one's own is told in Chinese alone."""
    return {"store": named(row, "name"), "goods": in_both(label or row["zh"], row["en"])}


async def _keep(
    spell_id: int,
    sighting: NewSighting,
    what: dict[str, Message],
    other: int,
    organisation_id: int,
    actor: Actor,
    at: datetime,
) -> None:
    await execute(
        """INSERT INTO shelf_sighting (spell, kind, "on", price, note, organisation, person, created_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
        spell_id,
        sighting.kind,
        sighting.on,
        sighting.price,
        sighting.note,
        organisation_id,
        actor.person_id,
        at,
    )
    await record(
        subject=f"shelf:{spell_id}",
        action=sighting.kind,
        actor=actor,
        at=at,
        details={"on": sighting.on.isoformat(), "fen_per_kg": sighting.price},
    )
    if sighting.kind in (PUT, GONE):
        await notify(
            organisation_id=other,
            kind="shelf",
            message=msg("{store}：“{goods}”{what}。", what=SIGHTINGS[sighting.kind], **what),
            link=f"/shelf/{spell_id}",
            at=at,
        )
