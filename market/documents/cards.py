"""What is cut, folded or stood beside the goods: cards of tables, persons and batches, badges, posters."""

from collections.abc import Iterator

from market.documents.figures import (
    clock,
    day,
    days_of,
    end_of_day,
    jin,
    per_jin,
    per_kg,
    short_day,
    slot_times,
    tonnes,
    weekday,
)
from market.documents.gathering import Fair, Lot
from market.documents.guests import SIDES, comers, contact, placed, titled
from market.documents.papers import Draft
from market.meetings.invitations.links import PUBLIC_PATH
from market.meetings.queries import AppointmentRow

#: What the engine's own grade of zero, nothing known, is on a card.
_UNGRADED = "未定级"


def table_cards(fair: Fair) -> Iterator[Draft]:
    meeting = fair.meeting
    at_table: dict[int, list[AppointmentRow]] = {}
    for talk in placed(fair):
        at_table.setdefault(talk.table_number or 0, []).append(talk)
    for table, talks in sorted(at_table.items()):
        rows = [
            [
                (f"{short_day(meeting.slot_day(talk.slot or 1))} " if meeting.days > 1 else "")
                + slot_times(meeting, talk.slot or 1),
                talk.buyer_name,
                talk.seller_name,
            ]
            for talk in talks
        ]
        yield Draft(
            "table_card",
            f"table:{table}",
            f"{table} 号桌",
            {**titled(fair), "number": str(table), "rows": rows},
        )


def name_cards(fair: Fair) -> Iterator[Draft]:
    for comer in comers(fair):
        yield Draft(
            "name_card",
            comer.subject,
            f"{comer.guest.name} {comer.name}".strip(),
            {**titled(fair), "name": comer.name, "title": comer.title, "organisation": comer.guest.name},
        )


def badges(fair: Fair) -> Iterator[Draft]:
    for comer in comers(fair):
        yield Draft(
            "badge",
            comer.subject,
            f"{comer.guest.name} {comer.name}".strip(),
            {
                **titled(fair),
                "name": comer.name,
                "title": comer.title,
                "organisation": comer.guest.name,
                "side": comer.guest.side,
                "side_name": SIDES[comer.guest.side],
                "code": comer.code,
                "link": f"/checkin/{comer.code}" if comer.code else "",
            },
        )


def lot_cards(fair: Fair) -> Iterator[Draft]:
    for lot in fair.lots:
        yield Draft("lot_card", f"listing:{lot.listing}", lot.title, {**titled(fair), **lot_content(lot)})


def lot_content(lot: Lot) -> dict[str, object]:
    """Return what a card or a poster tells of a batch."""
    window = f"{day(lot.available_from)}至{day(lot.available_to)}"
    facts = [
        ["产地", lot.place.replace("/", " ") or "未填"],
        ["等级", lot.grade or _UNGRADED],
        ["数量", f"{jin(lot.remaining)} = {tonnes(lot.remaining)}" if lot.remaining else "已订完"],
        ["起订", f"{jin(lot.min_order)} = {tonnes(lot.min_order)}" if lot.min_order else "不限"],
        ["供货", window],
        ["采收", day(lot.harvested_on) if lot.harvested_on else ""],
        ["资质", "、".join(lot.credentials) or "暂无"],
    ]
    return {
        "title": lot.title,
        "seller": lot.seller_name,
        "produce": f"{lot.produce} {lot.variety}".strip(),
        "price_jin": per_jin(lot.ask),
        "price_kg": per_kg(lot.ask),
        "facts": [fact for fact in facts if fact[1]],
        "story": lot.story,
        "link": f"/listings/{lot.listing}",
        "picture": lot.picture_hash or "",
        "illustration": lot.illustration,
        "invented": lot.invented,
    }


def poster_content(fair: Fair) -> dict[str, object]:
    """Return what the meeting's poster says: no names of firms, for it goes round in public."""
    meeting = fair.meeting
    produce = list(dict.fromkeys(each.produce for each in fair.lots))
    return {
        **titled(fair),
        "days": [f"{day(date)} {weekday(date)}" for date in days_of(meeting)],
        "hours": f"{clock(meeting.starts_at)}–{clock(end_of_day(meeting))}",
        "venue": meeting.venue,
        "figures": [
            [str(sum(each.side == "buyer" for each in fair.guests)), "家采购方"],
            [str(sum(each.side == "seller" for each in fair.guests)), "家供货方"],
            [str(len(fair.lots)), "批货源"],
        ],
        "produce": produce[:12],
        "link": f"{PUBLIC_PATH}{meeting.id}" if meeting.is_public else "",
        "town": meeting.town_name,
        "contact": contact(fair) if meeting.is_public else "",
    }
