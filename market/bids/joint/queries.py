"""Reading joint offers: who is in one sees its shares, others who could join see that there is one."""

from datetime import date, datetime

import msgspec

from market.bids.joint import rules
from market.bids.offer_queries import GOODS, Goods
from market.catalogue.queries import CredentialKindView
from market.db.session import fetch_into
from market.errors import NotFound
from market.i18n import msg
from market.supply.queries import CREDENTIALS, GRADE


class ShareRow(msgspec.Struct, frozen=True):
    """One seller's part. Grams, fen per kg at the farm gate."""

    id: int
    seller: int
    seller_name: str
    seller_name_en: str
    listing: int
    title: str
    title_en: str
    quantity: int
    price: int
    state: str
    #: What is left of the goods now.
    remaining: int
    grade: int
    grade_zh: str
    grade_en: str
    credentials: list[CredentialKindView]
    place: str
    lat: float
    lon: float
    confirmed_at: datetime | None
    deal: int | None
    #: Why it was declined or left out: for its seller and the lead alone.
    reason_zh: str | None
    reason_en: str | None
    reason_note: str
    #: Grams of the contract that came of it.
    bought: int | None
    #: ... and what has become of it.
    deal_state: str | None = None
    #: Grams that went back on sale when it was terminated.
    released: int | None = None

    @property
    def missing(self) -> int:
        """Grams that were accepted and will not come: the contract was cancelled before it bound, or was
        terminated. The others stand nonetheless."""
        if self.deal_state == "cancelled":
            return self.bought or 0
        return max(0, self.released or 0) if self.deal_state == "terminated" else 0


class JointRow(msgspec.Struct, frozen=True):
    """A joint offer. Grams, fen per kg at the farm gate."""

    id: int
    number: str
    demand: int
    title: str
    title_en: str
    produce: str
    buyer: int
    buyer_name: str
    buyer_name_en: str
    lead: int
    lead_name: str
    lead_name_en: str
    price: int | None
    least: int | None
    deliver_from: date
    deliver_to: date
    note: str
    state: str
    reason_zh: str | None
    reason_en: str | None
    reason_note: str
    accepted: int | None
    created_at: datetime
    expires_at: datetime
    #: Of the shares that are in it: how many, how many are confirmed, and grams.
    sellers: int
    confirmed: int
    grams: int
    #: Fen for the goods; none for a reader who may not see the others' shares.
    worth: int | None
    #: lead, seller, buyer, or outsider: what the reader is to it.
    role: str
    #: The reader sees all shares: its lead, its buyer, who is invited and who is in it. Who has asked to be
    #: let in, or is out of it again, sees its own alone.
    sees_all: bool


class Joint(msgspec.Struct, frozen=True):
    """A joint offer with what the reader may see of its shares; an outsider sees none of them."""

    joint: JointRow
    shares: list[ShareRow]


_JOINT = """SELECT joint_offer.id, joint_offer.number, joint_offer.demand, demand.title, demand.title_en,
    demand.produce, demand.buyer, buyer.name AS buyer_name, buyer.name_en AS buyer_name_en,
    joint_offer.lead, lead.name AS lead_name, lead.name_en AS lead_name_en, joint_offer.price,
    joint_offer.least, joint_offer.deliver_from, joint_offer.deliver_to,
    CASE WHEN reader.sees_all THEN joint_offer.note ELSE '' END AS note, joint_offer.state,
    reason.zh AS reason_zh, reason.en AS reason_en, joint_offer.reason_note, joint_offer.accepted,
    joint_offer.created_at, joint_offer.expires_at, made.sellers, made.confirmed, made.grams,
    CASE WHEN reader.sees_all THEN made.worth END AS worth, reader.sees_all,
    CASE WHEN joint_offer.lead = $1 THEN 'lead' WHEN demand.buyer = $1 THEN 'buyer'
         WHEN own.state IS NOT NULL THEN 'seller' ELSE 'outsider' END AS role
FROM joint_offer JOIN demand ON demand.id = joint_offer.demand
JOIN organisation AS buyer ON buyer.id = demand.buyer
JOIN organisation AS lead ON lead.id = joint_offer.lead
LEFT JOIN reason ON reason.code = joint_offer.reason
LEFT JOIN joint_share AS own ON own.joint = joint_offer.id AND own.seller = $1
CROSS JOIN LATERAL (SELECT joint_offer.lead = $1 OR demand.buyer = $1
    OR coalesce(own.state IN ('invited', 'confirmed', 'needs_reconfirm', 'sold'), false) AS sees_all) reader
CROSS JOIN LATERAL (
    SELECT count(*) AS sellers, count(*) FILTER (WHERE state IN ('confirmed', 'sold')) AS confirmed,
           coalesce(sum(quantity), 0)::bigint AS grams,
           coalesce(sum((quantity * joint_share.price + 500) / 1000), 0)::bigint AS worth
    FROM joint_share WHERE joint_share.joint = joint_offer.id AND joint_share.state = ANY($2::text[])) made
"""
#: Whom a joint offer concerns: its sellers; its buyer once it is put to him; while it gathers, whoever has
#: such goods on sale.
_CONCERNS = """(joint_offer.lead = $1
    OR own.state IS NOT NULL
    OR demand.buyer = $1 AND joint_offer.state = ANY($3::text[])
    OR demand.buyer <> $1 AND joint_offer.state IN ('gathering', 'needs_reconfirm')
       AND EXISTS (SELECT FROM listing JOIN lot ON lot.id = listing.lot WHERE listing.owner = $1
                   AND listing.state = 'published' AND lot.produce = demand.produce))
"""


async def joint_of(*, joint_id: int, organisation_id: int) -> Joint:
    """Return one joint offer with what of its shares the organisation may see.

    Raises:
        NotFound: there is none, or it is no concern of the organisation's.
    """
    found = await _joints("AND joint_offer.id = $4", organisation_id, joint_id)
    if not found:
        raise NotFound(msg("没有找到这次拼货。"))
    joint = found[0]
    if joint.role == "outsider":
        return Joint(joint, [])
    shares = await fetch_into(
        ShareRow,
        f"""SELECT joint_share.id, joint_share.seller, seller.name AS seller_name,
                seller.name_en AS seller_name_en, joint_share.listing, listing.title, listing.title_en,
                joint_share.quantity, joint_share.price, joint_share.state, lot.remaining, lot.grade, {GRADE},
                {CREDENTIALS}, coalesce(division.path, '') AS place, lot.lat, lot.lon,
                joint_share.confirmed_at, joint_share.deal, reason.zh AS reason_zh, reason.en AS reason_en,
                CASE WHEN told.why THEN joint_share.reason_note ELSE '' END AS reason_note,
                deal.quantity AS bought,
                deal.state AS deal_state, deal.released
            FROM joint_share JOIN organisation AS seller ON seller.id = joint_share.seller
            JOIN listing ON listing.id = joint_share.listing JOIN lot ON lot.id = listing.lot
            LEFT JOIN division ON division.code = lot.division LEFT JOIN deal ON deal.id = joint_share.deal
            CROSS JOIN LATERAL (SELECT joint_share.seller = $5 OR $6 AS why) told
            LEFT JOIN reason ON reason.code = joint_share.reason AND told.why
            WHERE joint_share.joint = $1 AND ($2 OR joint_share.state = ANY($3::text[]))
              AND ($4 OR joint_share.seller = $5)
            ORDER BY joint_share.id""",  # noqa: S608  our own text
        joint_id,
        joint.role != "buyer",
        sorted(rules.IN),
        joint.sees_all,
        organisation_id,
        joint.role == "lead",
    )
    return Joint(joint, shares)


async def joints_on(*, demand_id: int, organisation_id: int) -> list[JointRow]:
    """Return the joint offers on a demand that concern the organisation, open ones first."""
    return await _joints("AND joint_offer.demand = $4", organisation_id, demand_id)


async def joints_of(*, organisation_id: int) -> list[JointRow]:
    """Return the joint offers that an organisation is in, or has before it as a buyer."""
    rows = await _joints("AND $4::bigint = 0", organisation_id, 0)
    return [row for row in rows if row.role != "outsider"]


async def _joints(condition: str, organisation_id: int, value: int) -> list[JointRow]:
    return await fetch_into(
        JointRow,
        f"""{_JOINT} WHERE {_CONCERNS} {condition}
            ORDER BY joint_offer.state NOT IN ('gathering', 'submitted', 'needs_reconfirm'),
                joint_offer.created_at DESC, joint_offer.id DESC LIMIT 200""",
        organisation_id,
        sorted(rules.IN),
        sorted(rules.SHOWN_TO_BUYER),
        value,
    )


class WaitingJoint(msgspec.Struct, frozen=True):
    """A joint offer that the organisation has to do something about, and what."""

    id: int
    title: str
    title_en: str
    buyer_name: str
    buyer_name_en: str
    lead_name: str
    lead_name_en: str
    expires_at: datetime
    #: answer (its buyer); admit, submit (its lead); confirm, reconfirm (who is to be in it).
    awaits: str


async def joints_waiting_for(*, organisation_id: int, at: datetime) -> list[WaitingJoint]:
    """Return the joint offers that wait for the organisation's own word, and are in time."""
    return await fetch_into(
        WaitingJoint,
        """SELECT joint_offer.id, demand.title, demand.title_en, buyer.name AS buyer_name,
               buyer.name_en AS buyer_name_en, lead.name AS lead_name, lead.name_en AS lead_name_en,
               joint_offer.expires_at,
               CASE WHEN demand.buyer = $1 THEN 'answer'
                    WHEN joint_offer.lead = $1 THEN CASE WHEN made.asked > 0 THEN 'admit' ELSE 'submit' END
                    WHEN own.state = 'invited' THEN 'confirm' ELSE 'reconfirm' END AS awaits
           FROM joint_offer JOIN demand ON demand.id = joint_offer.demand
           JOIN organisation AS buyer ON buyer.id = demand.buyer
           JOIN organisation AS lead ON lead.id = joint_offer.lead
           LEFT JOIN joint_share AS own ON own.joint = joint_offer.id AND own.seller = $1
           CROSS JOIN LATERAL (
               SELECT count(*) FILTER (WHERE state = 'asked') AS asked,
                      -- the lead's own share is confirmed by submitting
                      count(*) >= $3 AND bool_and(state = 'confirmed' OR seller = joint_offer.lead) AS ready
               FROM joint_share WHERE joint_share.joint = joint_offer.id AND state = ANY($4::text[])) made
           WHERE joint_offer.expires_at > $2
             AND (joint_offer.state = 'submitted' AND demand.buyer = $1
                  OR joint_offer.state IN ('gathering', 'needs_reconfirm')
                     AND (joint_offer.lead = $1 AND (made.asked > 0 OR made.ready)
                          OR joint_offer.lead <> $1 AND own.state IN ('invited', 'needs_reconfirm')))
           ORDER BY joint_offer.expires_at, joint_offer.id LIMIT 50""",
        organisation_id,
        at,
        rules.LEAST_SELLERS,
        sorted(rules.IN),
    )


async def goods_of_others(*, joint: JointRow) -> list[Goods]:
    """Return goods of other sellers that the lead may invite: of the product, on sale, not in it yet."""
    return await fetch_into(
        Goods,
        GOODS  # noqa: S608  our own text
        + """AND listing.owner <> $2 AND listing.owner <> $3 AND NOT EXISTS (
                 SELECT FROM joint_share WHERE joint = $4 AND seller = listing.owner
                   AND state = ANY($5::text[]))
             ORDER BY (lot.lat - (SELECT lat FROM organisation WHERE id = $2)) ^ 2
                 + (lot.lon - (SELECT lon FROM organisation WHERE id = $2)) ^ 2, listing.id LIMIT 100""",
        joint.produce,
        joint.lead,
        joint.buyer,
        joint.id,
        sorted(rules.IN),
    )


async def together_with(*, deal_id: int) -> tuple[str, int] | None:
    """Return number and id of the joint delivery that a contract is part of, if it is."""
    rows = await fetch_into(
        _Together,
        """SELECT joint_offer.number, joint_offer.id FROM joint_share
           JOIN joint_offer ON joint_offer.id = joint_share.joint WHERE joint_share.deal = $1""",
        deal_id,
    )
    return (rows[0].number, rows[0].id) if rows else None


class _Together(msgspec.Struct, frozen=True):
    number: str
    id: int
