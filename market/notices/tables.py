from piccolo.table import Table

from market.db.columns import document, moment, number, reference, text


class Notice(Table, tablename="notice"):
    id = number()
    organisation = reference("Organisation", part_of=True)
    #: What it is about, e.g. ``bid_placed``.
    kind = text()
    #: A market.i18n.Message: translated when it is read.
    message = document()
    #: Where in the app the reader can act.
    link = text()
    #: Until when somebody has to act.
    due_at = moment(null=True)
    created_at = moment()
    read_at = moment(null=True)
