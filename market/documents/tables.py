from piccolo.table import Table

from market.db.columns import binary, document, moment, number, reference, text, texts, whole
from market.meetings.tables import Meeting


class Bundle(Table, tablename="bundle"):
    """Papers of a meeting bound to one file, to be fetched for a day."""

    id = number()
    meeting = reference(Meeting)
    #: pdf, docx or zip.
    form = text()
    #: Kinds of paper in it.
    kinds = texts()
    #: The papers with their numbers, as they were given out when it was asked for.
    papers = document()
    total = whole()
    #: Papers that are set so far.
    done = whole(default=0)
    content = binary(null=True)
    #: Why it could not be made (a market.i18n.Message).
    trouble = document(null=True)
    created_by = reference("Person", null=True)
    created_at = moment()
    finished_at = moment(null=True)
