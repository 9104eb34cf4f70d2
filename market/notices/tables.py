from piccolo.constraints import Unique
from piccolo.table import Table

from market.db.columns import document, flag, moment, number, reference, text, whole


class Notice(Table, tablename="notice"):
    id = number()
    organisation = reference("Organisation", part_of=True, checked=False)
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


class Channel(Table, tablename="channel"):
    """Where an organisation also wants its notices sent, beside its inbox."""

    id = number()
    organisation = reference("Organisation", part_of=True)
    name = text()
    #: An address as Apprise writes it (mailto://, wecombot://, dingtalk:// ...); it holds a secret.
    address = text()
    active = flag(True)
    #: Whose it is beside those who look after the organisation; NULL: theirs alone, nobody knows any more.
    added_by = reference("Person", null=True)
    created_at = moment()


class Outgoing(Table, tablename="outgoing"):
    """A notice on its way to a channel: written with the notice, sent by a job."""

    id = number()
    notice = reference(Notice, part_of=True)
    channel = reference(Channel, part_of=True)
    #: waiting, sent or failed.
    state = text()
    tries = whole(default=0)
    trouble = text(default="")
    created_at = moment()
    sent_at = moment(null=True)
    outgoing_once = Unique([notice, channel], name="outgoing_once")
