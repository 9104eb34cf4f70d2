"""The worry book. Private to this room."""

from piccolo.constraints import Unique
from piccolo.table import Table

from market.db.columns import day, document, moment, number, reference, text
from market.supply.tables import Listing, Lot


class Case(Table, tablename="stuck_case"):
    """A lot that does not move, by a listing of it or, if it was never on sale, by itself.

    A listing has one case at most, and a lot one without a listing; either may be opened again.
    """

    id = number()
    lot = reference(Lot)
    #: None for goods that were never on sale. One that is on sale again goes on by its new listing.
    listing = reference(Listing, null=True, index=False)
    #: The town that looks after the seller; it carries the case to the levels above.
    town = reference("Organisation")
    state = text(index=True)
    #: One of ``rules.CAUSES``: why it was opened last.
    cause = text()
    #: One of ``rules.LEVELS``.
    level = text()
    #: Whoever has to solve it, and the name of the person there.
    owner = reference("Organisation")
    in_charge = text(default="")
    due_on = day()
    #: The last day on which something moved.
    stuck_since = day()
    opened_at = moment()
    #: Since when it is on the agenda of this level's joint meeting.
    level_since = moment()
    closed_at = moment(null=True)
    #: One of ``rules.REASONS``, with a word to it.
    reason = text(null=True)
    reason_note = text(default="")
    stuck_case_listing_once = Unique([listing], name="stuck_case_listing_once")


class CaseEntry(Table, tablename="case_entry"):
    """A line of a case's diary. Append-only."""

    id = number()
    about = reference(Case)
    #: One of ``rules.ENTRY_KINDS`` or ``rules.DEEDS``.
    kind = text()
    #: The level at which it was written.
    level = text()
    #: What the book itself says; people write a note.
    message = document(null=True)
    note = text(default="")
    person = reference("Person", null=True, index=False)
    organisation = reference("Organisation", null=True, index=False)
    at = moment()
