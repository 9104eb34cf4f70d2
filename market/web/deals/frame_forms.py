"""The forms of framework agreements, and from what one is proposed."""

from collections.abc import Sequence
from datetime import date

import msgspec

from market.accounts.queries import SiteRow, sites_of
from market.accounts.rules import Viewer
from market.bids.offer_queries import Goods, goods_of
from market.catalogue.queries import grades
from market.deals.clauses import MOST_DAYS
from market.deals.frames import rules
from market.deals.frames.queries import FrameRow
from market.demand.queries import demand_page
from market.errors import NotFound
from market.i18n import Language, msg
from market.supply.queries import listing_page
from market.units import FenPerKg, Gram
from market.web.edge.addresses import row_number
from market.web.edge.guards import WebRequest
from market.web.edge.language import language_of
from market.web.parts import fields, formats
from market.web.parts.forms import Form
from market.web.parts.trade import KEY, name_in

LONGEST_NOTE = 300
SURE = fields.tick(msg("价格没有写错，就按这个价"))


class Offered(msgspec.Struct, frozen=True):
    """From what an agreement is proposed: the other side, the product, the viewer's side, and where to."""

    side: str
    other: int
    other_name: str
    produce: str
    produce_name: str
    price: FenPerKg
    grade: int
    sites: list[SiteRow]
    query: str


async def offered_in(request: WebRequest, viewer: Viewer) -> Offered:
    """Read what the address names: ``listing``, for its buyer, or ``demand``, for a seller.

    Raises: NotFound.
    """
    language = language_of(request)
    listing, demand = (request.query_params.get(name, "") for name in ("listing", "demand"))
    if listing.isascii() and listing.isdigit() and "buyer" in viewer.sides:
        goods = await listing_page(row_number(int(listing)), viewer.organisation_id)
        if goods.seller != viewer.organisation_id:
            return Offered(
                "buyer",
                goods.seller,
                name_in(language, goods, "seller_name"),
                goods.produce,
                name_in(language, goods, "produce"),
                FenPerKg(goods.ask),
                goods.grade,
                await sites_of(organisation_id=viewer.organisation_id),
                f"listing={goods.listing_id}",
            )
    if demand.isascii() and demand.isdigit() and "seller" in viewer.sides:
        wanted = await demand_page(row_number(int(demand)), viewer.organisation_id)
        if not wanted.mine:
            own = await goods_of(seller_id=viewer.organisation_id, produce=wanted.produce)
            return Offered(
                "seller",
                wanted.buyer,
                name_in(language, wanted, "buyer_name"),
                wanted.produce,
                name_in(language, wanted, "produce"),
                FenPerKg(own[0].ask if own else wanted.ceiling),
                wanted.min_grade,
                [each for each in await sites_of(organisation_id=wanted.buyer) if each.id == wanted.site],
                f"demand={wanted.demand_id}",
            )
    raise NotFound(msg("请从一批货源或一条采购需求里提出框架协议。"))


async def frame_form(offered: Offered, *, language: Language, today: date) -> Form:
    return Form(
        key=KEY,
        total=fields.quantity(msg("总量")),
        price=fields.price(msg("约定单价（地头价，不含运费）")),
        floor=fields.price(
            msg("保底价"), optional=True, hint=msg("填了就是每批可以另议价，但不低于它；不填就是固定价。")
        ),
        sure=SURE,
        starts_on=fields.day(msg("从哪天起交货")),
        ends_on=fields.day(msg("到哪天止"), earliest=today),
        least=fields.quantity(msg("每批最少"), optional=True),
        most_per_week=fields.quantity(
            msg("每周最多"), optional=True, hint=msg("从协议第一天起，每七天算一周；不填不限。")
        ),
        notice_days=fields.whole(
            msg("要货提前几天"), least=0, most=rules.MOST_NOTICE_DAYS, hint=msg("给卖方备货的时间。")
        ),
        sites=fields.choices(
            msg("收货门店"),
            {str(each.id): name_in(language, each, "name") for each in offered.sites},
            required=True,
        ),
        min_grade=fields.choice(
            msg("最低等级"),
            {str(each.level): name_in(language, each, "") for each in await grades() if each.level},
            optional=True,
        ),
        payment_days=fields.whole(
            msg("每批到货后几天付清"), least=0, most=MOST_DAYS, hint=msg("向中小企业付款不超过 60 天。")
        ),
        note=fields.text(msg("给对方的话"), most=LONGEST_NOTE, lines=True, optional=True),
    )


def call_form(frame: FrameRow, *, language: Language, today: date) -> Form:
    """Return the form of a batch; its price is asked only where it is not fixed."""
    priced: dict[str, fields.Field] = (
        {"price": fields.price(msg("这批单价"), optional=True), "sure": SURE} if frame.floor else {}
    )
    return Form(
        key=KEY,
        quantity=fields.quantity(msg("要多少")),
        **priced,
        site_id=fields.choice(
            msg("送到哪个门店"), {str(each.id): name_in(language, each, "name") for each in frame.sites}
        ),
        deliver_from=fields.day(msg("最早到货"), earliest=today),
        deliver_to=fields.day(msg("最晚到货"), earliest=today),
        note=fields.text(msg("给卖方的话"), most=LONGEST_NOTE, optional=True),
    )


def confirm_form(goods: Sequence[Goods], language: Language) -> Form:
    return Form(
        key=KEY,
        listing_id=fields.choice(
            msg("用哪批货供"),
            {
                str(each.listing): "{title} · {left}".format(
                    title=name_in(language, each, "title"),
                    left=formats.mass(Gram(each.remaining), language),
                )
                for each in goods
            },
        ),
    )
