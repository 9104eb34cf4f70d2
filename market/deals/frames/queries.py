"""Reading framework agreements and what was called off of them; both are for their two sides alone."""

from datetime import date, datetime

import msgspec

from market.db.session import fetch_into
from market.deals.clauses import Terms
from market.deals.frames.rules import EarlyEnd
from market.errors import NotFound
from market.i18n import msg


class SiteName(msgspec.Struct, frozen=True):
    id: int
    name: str
    name_en: str


class FrameRow(msgspec.Struct, frozen=True):
    """An agreement. Grams, and fen per kg at the farm gate."""

    id: int
    number: str
    seller: int
    seller_name: str
    seller_name_en: str
    buyer: int
    buyer_name: str
    buyer_name_en: str
    produce: str
    produce_zh: str
    produce_en: str
    min_grade: int
    total: int
    #: Called off: waiting for the seller or confirmed; what of it is confirmed; and what is left. A batch
    #: whose contract ended before all was delivered counts with what is not on sale again.
    called: int
    confirmed: int
    left: int
    least: int
    most_per_week: int | None
    price: int
    floor: int | None
    sites: list[SiteName]
    starts_on: date
    ends_on: date
    notice_days: int
    terms: Terms
    note: str
    state: str
    proposer: int
    #: Why it was refused, or is to end early.
    reason: str | None
    reason_zh: str | None
    reason_en: str | None
    reason_note: str
    #: Why the other side did not agree to the last early end that was proposed.
    end_refused_zh: str | None
    end_refused_en: str | None
    end_refused_note: str
    seller_signed_at: datetime | None
    buyer_signed_at: datetime | None
    created_at: datetime
    expires_at: datetime
    #: Batches that the seller has yet to confirm.
    waiting: int

    @property
    def early_end(self) -> EarlyEnd:
        """What its early end comes to, where one is proposed."""
        return EarlyEnd(self.left, self.reason, self.reason_note)


class CallRow(msgspec.Struct, frozen=True):
    """A batch. Grams, and fen per kg at the farm gate."""

    id: int
    frame: int
    quantity: int
    price: int
    site_name: str
    site_name_en: str
    deliver_from: date
    deliver_to: date
    note: str
    state: str
    reason_zh: str | None
    reason_en: str | None
    reason_note: str
    deal: int | None
    deal_number: str | None
    #: Grams that its contract ended without; they may be called off again.
    returned: int
    created_at: datetime
    expires_at: datetime


_FRAME = """SELECT frame.id, frame.number, frame.seller, seller.name AS seller_name,
    seller.name_en AS seller_name_en, frame.buyer, buyer.name AS buyer_name, buyer.name_en AS buyer_name_en,
    frame.produce, produce.zh AS produce_zh, produce.en AS produce_en, frame.min_grade, frame.total,
    frame.called, made.confirmed, frame.total - frame.called AS left, frame.least, frame.most_per_week,
    frame.price, frame.floor,
    coalesce((SELECT jsonb_agg(jsonb_build_object('id', id, 'name', name, 'name_en', name_en) ORDER BY id)
        FROM site WHERE id = ANY(frame.sites)), '[]') AS sites,
    frame.starts_on, frame.ends_on, frame.notice_days, frame.terms, frame.note, frame.state, frame.proposer,
    frame.reason, reason.zh AS reason_zh, reason.en AS reason_en, frame.reason_note,
    kept.zh AS end_refused_zh, kept.en AS end_refused_en, frame.end_refused_note, frame.seller_signed_at,
    frame.buyer_signed_at, frame.created_at, frame.expires_at, made.waiting
FROM frame JOIN organisation AS seller ON seller.id = frame.seller
JOIN organisation AS buyer ON buyer.id = frame.buyer
JOIN produce ON produce.code = frame.produce LEFT JOIN reason ON reason.code = frame.reason
LEFT JOIN reason AS kept ON kept.code = frame.end_refused
CROSS JOIN LATERAL (
    SELECT coalesce(sum(call_off.quantity - coalesce(deal.released, 0))
               FILTER (WHERE call_off.state = 'confirmed'), 0)::bigint AS confirmed,
           count(*) FILTER (WHERE call_off.state = 'requested') AS waiting
    FROM call_off LEFT JOIN deal ON deal.id = call_off.deal WHERE call_off.frame = frame.id) made
WHERE $1 IN (frame.seller, frame.buyer)
"""


async def frame_of(*, frame_id: int, organisation_id: int) -> FrameRow:
    """Raises: NotFound, where there is none, or it is not the organisation's."""
    rows = await fetch_into(FrameRow, _FRAME + "AND frame.id = $2", organisation_id, frame_id)
    if not rows:
        raise NotFound(msg("没有找到这份框架协议。"))
    return rows[0]


async def frames_of(*, organisation_id: int) -> list[FrameRow]:
    """Return an organisation's agreements: to be signed first, then those in force, then the rest."""
    return await fetch_into(
        FrameRow,
        _FRAME
        + """ORDER BY array_position(ARRAY['proposed', 'seller_ends', 'buyer_ends', 'active'], frame.state)
                  NULLS LAST,
                frame.created_at DESC, frame.id DESC LIMIT 200""",
        organisation_id,
    )


async def calls_of(*, frame_id: int, organisation_id: int) -> list[CallRow]:
    """Return the batches of an agreement, the newest first; none where it is not the organisation's."""
    return await fetch_into(
        CallRow,
        """SELECT call_off.id, call_off.frame, call_off.quantity, call_off.price, site.name AS site_name,
                  site.name_en AS site_name_en, call_off.deliver_from, call_off.deliver_to, call_off.note,
                  call_off.state, reason.zh AS reason_zh, reason.en AS reason_en, call_off.reason_note,
                  call_off.deal, deal.number AS deal_number,
                  greatest(0, coalesce(deal.released, 0)) AS returned, call_off.created_at,
                  call_off.expires_at
           FROM call_off JOIN frame ON frame.id = call_off.frame JOIN site ON site.id = call_off.site
           LEFT JOIN reason ON reason.code = call_off.reason LEFT JOIN deal ON deal.id = call_off.deal
           WHERE call_off.frame = $1 AND $2 IN (frame.seller, frame.buyer) ORDER BY call_off.id DESC""",
        frame_id,
        organisation_id,
    )
