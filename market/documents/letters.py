"""The papers that are letters: invitation, fact sheet for the press, letter of intent."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from market.clock import CHINA
from market.documents.figures import (
    both_masses,
    day,
    jin,
    money,
    per_jin,
    per_kg,
    span,
    tonnes,
    when,
)
from market.documents.gathering import Fair, Lot
from market.documents.guests import contact, titled
from market.documents.papers import Draft
from market.meetings.invitations.links import invitation_path
from market.meetings.queries import AppointmentRow, TopicRow
from market.units import FenPerKg, Gram, amount

_REQUESTS = {
    "buyer": "请携带采购计划、对包装和资质的要求，以便当面比货议价。",
    "seller": "请携带样品、检验报告和资质复印件，以便采购方当场看样。",
    "guest": "请派记者到场采访，现场备有新闻通稿和数据。",
}
#: What an intent leaves to be written in, and what it says of itself.
_TERMS = ["规格和等级", "包装", "交货时间", "交货地点", "结算方式", "是否寄样"]
_CLAUSES = [
    "本意向书只记录双方的初步意向，不是合同，不产生交货、付款、定金或违约责任；"
    "买卖以双方另行签订的购销合同为准。",
    "政府和会议承办单位只提供场地和服务，不是本意向书或将来合同的一方，不作担保。",
    "意向数量不计入成交数量；签订合同后另行统计。",
    "本意向书一式两份，双方各执一份，自签字之日起三十日内未签合同的，自行失效。",
]
#: How many batches' own stories the press is given, the largest first.
_CASES = 3


def invitations(fair: Fair) -> Iterator[Draft]:
    meeting = fair.meeting
    for guest in fair.guests:
        facts = [["时间", when(meeting)], ["地点", meeting.venue]]
        if meeting.answer_by:
            facts.append(["回复", f"请于{day(meeting.answer_by)}前扫描下方二维码，回复是否到场和到场人员"])
        else:
            facts.append(["回复", "请扫描下方二维码，回复是否到场和到场人员"])
        if meeting.weather_plan:
            facts.append(["天气预案", meeting.weather_plan])
        if meeting.contact or meeting.contact_phone:
            facts.append(["联系人", contact(fair)])
        yield Draft(
            "invitation",
            f"invitation:{guest.invitation}",
            guest.name,
            {
                **titled(fair),
                "addressee": guest.name,
                "paragraphs": [
                    f"为使产地农产品与采购单位直接见面，减少中间环节，{meeting.town_name}定于"
                    f"{span(meeting)}在{meeting.venue}举办“{meeting.title}”，诚邀贵单位派员参加。",
                    _REQUESTS[guest.side],
                ],
                "facts": facts,
                "signed": meeting.town_name,
                "dated": day(guest.invited_at.astimezone(CHINA).date()),
                "link": invitation_path(guest.invitation, guest.link_version),
            },
        )


def press(fair: Fair) -> Iterator[Draft]:
    """The facts as the rows have them. What was hoped for, agreed and signed is never added up."""
    meeting = fair.meeting
    sides = {side: [each.name for each in fair.guests if each.side == side] for side in _REQUESTS}
    total = sum(each.remaining for each in fair.lots)
    placed = [each for each in fair.talks if each.slot]
    held = [each for each in fair.talks if each.state == "held" and not each.missed]
    figures = [
        ["采购方", f"{len(sides['buyer'])} 家"],
        ["供货方", f"{len(sides['seller'])} 家"],
        ["媒体和来宾", f"{len(sides['guest'])} 家"],
        ["货源", f"{len(fair.lots)} 批，{both_masses(total)}"],
        ["安排洽谈", f"{len(placed)} 场"],
    ]
    if held:
        figures.append(["已洽谈", f"{len(held)} 场"])
        for outcome, name in (("sample", "索取样品"), ("quote", "要求报价"), ("intent", "达成意向")):
            talks = [each for each in held if each.outcome == outcome]
            figures.append([name, f"{len(talks)} 场{_spoken(talks) if outcome == 'intent' else ''}"])
        deals = fair.deals
        figures.append(["合同，待双方签完", _deals(deals.pending, deals.pending_grams, deals.pending_fen)])
        figures.append(["合同，双方已签", _deals(deals.signed, deals.signed_grams, deals.signed_fen)])
    told = sorted((each for each in fair.lots if each.story), key=lambda lot: (-lot.remaining, lot.listing))
    tense = "举办" if not held else "举办了"
    yield Draft(
        "press",
        "meeting",
        meeting.title,
        {
            **titled(fair),
            "lead": f"{span(meeting)}，{meeting.town_name}在{meeting.venue}{tense}“{meeting.title}”，"
            f"邀请 {len(sides['buyer'])} 家采购单位与 {len(sides['seller'])} 家供货单位一对一洽谈，"
            f"现场展示 {len(fair.lots)} 批货源，共 {tonnes(total)}。",
            "figures": figures,
            "goods": _goods(fair.lots),
            "cases": [
                {"title": each.title, "seller": each.seller_name, "story": each.story}
                for each in told[:_CASES]
            ],
            "sides": [
                {"name": name, "guests": sides[side]}
                for side, name in (("buyer", "采购方"), ("seller", "供货方"))
                if sides[side]
            ],
            "contact": contact(fair),
            "invented": any(each.invented for each in fair.lots),
        },
    )


def _deals(count: int, grams: int, fen: int) -> str:
    return f"{count} 份，{tonnes(grams)}，{money(fen)}" if count else "0 份"


def _spoken(talks: Sequence[AppointmentRow]) -> str:
    grams = sum(topic.intent_quantity or 0 for talk in talks for topic in talk.topics)
    return f"，{both_masses(grams)}" if grams else ""


def _goods(lots: Sequence[Lot]) -> list[list[str]]:
    """Return produce, batches, quantity and prices, the largest quantity first."""
    by_produce: dict[str, list[Lot]] = {}
    for lot in lots:
        by_produce.setdefault(lot.produce, []).append(lot)
    rows = []
    for produce, batches in sorted(
        by_produce.items(), key=lambda item: (-sum(lot.remaining for lot in item[1]), item[0])
    ):
        asks = sorted(lot.ask for lot in batches)
        low, high = per_jin(asks[0]), per_jin(asks[-1])
        price = low if low == high else f"{low.removesuffix(' 元/斤')}–{high}"
        mass = sum(lot.remaining for lot in batches)
        rows.append([produce, str(len(batches)), jin(mass), tonnes(mass), price])
    return rows


def intents(fair: Fair) -> Iterator[Draft]:
    """One for each talk, filled in as far as anything is known; after the talk, with what was said."""
    meeting = fair.meeting
    for talk in fair.talks:
        if talk.state == "no_show":
            continue
        spoken = [each for each in talk.topics if each.intent_quantity is not None]
        rows = [_goods_row(each) for each in spoken or talk.topics]
        while len(rows) < 3:
            rows.append([""] * 5)
        yield Draft(
            "intent",
            f"pair:{talk.seller}-{talk.buyer}",
            f"{talk.seller_name} — {talk.buyer_name}",
            {
                **titled(fair),
                "seller": [talk.seller_name, fair.uscc.get(talk.seller, "")],
                "buyer": [talk.buyer_name, fair.uscc.get(talk.buyer, "")],
                "rows": rows,
                "spoken": bool(spoken),
                "terms": _TERMS,
                "clauses": _CLAUSES,
                "place": meeting.venue,
                "day": day(meeting.slot_day(talk.slot) if talk.slot else meeting.held_on),
            },
        )


def _goods_row(topic: TopicRow) -> list[str]:
    """Return goods, quantity, price per jin and per kg, worth; blank where nobody has said it yet."""
    is_spoken = topic.intent_quantity is not None
    quantity = topic.intent_quantity if is_spoken else topic.proposed
    price = topic.intent_price if is_spoken else topic.proposed_price
    worth = amount(Gram(quantity), FenPerKg(price)) if quantity and price else None
    return [
        topic.title,
        f"{jin(quantity)}\n{tonnes(quantity)}" if quantity else "",
        per_jin(price) if price else "",
        per_kg(price) if price else "",
        f"{Decimal(worth) / 100:,.2f} 元" if worth is not None else "",
    ]
