"""The forms of joint offers: the lead's, of one share, and of the buyer's acceptance."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from market.bids.joint.answering import Seen
from market.bids.offer_queries import Goods
from market.i18n import Language, Message, msg
from market.units import Gram
from market.web.bids.bidding import LONGEST_NOTE
from market.web.parts import fields, formats
from market.web.parts.forms import Form
from market.web.parts.trade import KEY, name_in

#: Drawn once a price has been asked back.
SURE = fields.tick(msg("价格没有写错，就按这个数报价"))


def _goods_options(goods: Sequence[Goods], language: Language, *, owners: bool) -> dict[str, Message | str]:
    return {
        str(each.listing): " · ".join(
            [
                *([name_in(language, each, "seller_name")] if owners else []),
                name_in(language, each, "title"),
                formats.mass(Gram(each.remaining), language),
            ]
        )
        for each in goods
    }


def joint_form(goods: Sequence[Goods], *, language: Language, today: date) -> Form:
    return Form(
        key=fields.hidden(UUID),
        listing_id=fields.choice(msg("我出哪批货"), _goods_options(goods, language, owners=False)),
        quantity=fields.quantity(msg("我出多少")),
        price=fields.price(msg("我的价（地头价，不含运费）")),
        common=fields.tick(msg("大家都按这个价"), hint=msg("不勾选就各家报各家的价。")),
        least=fields.quantity(
            msg("合起来最少卖多少"), optional=True, hint=msg("买方可以少要，按份额比例分摊；不填就是整份。")
        ),
        deliver_from=fields.day(msg("最早交货"), earliest=today),
        deliver_to=fields.day(msg("最晚交货"), earliest=today),
        note=fields.text(msg("给买方的话"), most=LONGEST_NOTE, lines=True, optional=True),
        sure=SURE,
    )


def share_form(goods: Sequence[Goods], *, language: Language, owners: bool) -> Form:
    return Form(
        key=KEY,
        listing_id=fields.choice(
            msg("邀请哪家的货") if owners else msg("我出哪批货"),
            _goods_options(goods, language, owners=owners),
        ),
        quantity=fields.quantity(msg("份额")),
        price=fields.price(msg("单价（地头价，不含运费）")),
        sure=SURE,
    )


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def mark_of(until: datetime) -> int:
    """Return the time of a joint offer as a hidden field has it: microseconds."""
    return (until - _EPOCH) // timedelta(microseconds=1)


def _until(typed: str) -> datetime:
    return _EPOCH + timedelta(microseconds=int(typed))


def _share(typed: str) -> Seen:
    quantity, price, others, *until = typed.split("-")
    return Seen(int(quantity), int(price), int(others), _until(until[0]) if until else None)


#: A share as its seller read it: grams, fen per kg, grams of the others, the time of the whole.
CONFIRM = Form(key=KEY, seen=fields.hidden(_share, optional=True))
#: What is put to the buyer, by its time as the lead read it.
SUBMIT = Form(key=KEY, until=fields.hidden(_until, optional=True))
#: What a buyer accepts: the whole unless a part is named. ``seen``: fen that the whole came to on the page.
ACCEPT = Form(
    key=KEY, seen=fields.hidden(int, optional=True), quantity=fields.quantity(msg("接受多少"), optional=True)
)
