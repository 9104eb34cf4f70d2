"""Who comes to a meeting, and what every paper says of it."""

from collections.abc import Iterator

from market.documents.figures import when
from market.documents.gathering import Fair, Guest
from market.meetings.queries import AppointmentRow

SIDES = {"buyer": "采购方", "seller": "供货方", "guest": "媒体和来宾"}


def head(fair: Fair) -> dict[str, object]:
    """Return what stands above a list: on the paper, and so part of what is compared."""
    meeting = fair.meeting
    return {"meeting": {"title": meeting.title, "venue": meeting.venue, "when": when(meeting)}}


def titled(fair: Fair) -> dict[str, object]:
    """Return the meeting's name alone: a card stays as it is when day or place change."""
    return {"meeting": {"title": fair.meeting.title, "town": fair.meeting.town_name}}


def contact(fair: Fair) -> str:
    return f"{fair.meeting.contact} {fair.meeting.contact_phone}".strip()


def placed(fair: Fair) -> list[AppointmentRow]:
    return [each for each in fair.talks if each.slot and each.table_number]


class Comer:
    """Somebody who has a card and a badge: a person, or a firm that has not said who comes."""

    def __init__(self, guest: Guest, subject: str, name: str = "", title: str = "", code: str = "") -> None:
        self.guest, self.subject, self.name, self.title, self.code = guest, subject, name, title, code


def comers(fair: Fair) -> Iterator[Comer]:
    """Yield who comes, firm by firm; a firm without names once, with none."""
    persons: dict[int, list[Comer]] = {}
    by_invitation = {each.invitation: each for each in fair.guests}
    for person in fair.persons:
        if guest := by_invitation.get(person.invitation):
            comer = Comer(guest, f"attendee:{person.id}", person.name, person.title, person.code)
            persons.setdefault(guest.invitation, []).append(comer)
    for guest in fair.guests:
        yield from persons.get(guest.invitation, [Comer(guest, f"organisation:{guest.organisation}")])
