"""What people agreed to, asked for and may fetch. Private to this room."""

from piccolo.table import Table

from market.db.columns import binary, day, flag, moment, number, reference, text


class ConsentAct(Table, tablename="consent_act"):
    """A consent given or withdrawn; the newest of a purpose counts. Rows are only ever inserted."""

    id = number()
    person = reference("Person")
    #: One of ``rules.PURPOSES``.
    purpose = text()
    #: Which text was read: ``rules.VERSION`` of then.
    version = text()
    given = flag(False)
    at = moment()


class PhoneChange(Table, tablename="phone_change"):
    """A new telephone number that somebody asked for, and that the official has to confirm by calling it."""

    id = number()
    person = reference("Person")
    #: For which organisation the person acted: its town confirms.
    organisation = reference("Organisation")
    #: Emptied once it is decided.
    phone = text()
    #: ``rules.PHONE_CHANGE``.
    state = text(index=True)
    asked_at = moment()
    decided_by = reference("Person", null=True)
    decided_at = moment(null=True)


class DataExport(Table, tablename="data_export"):
    """A person's own data, made by a job and fetched once."""

    id = number()
    person = reference("Person")
    asked_at = moment()
    ready_at = moment(null=True)
    fetched_at = moment(null=True)
    #: The ZIP; gone once it was fetched, or not fetched in time.
    content = binary(null=True)


class KeptName(Table, tablename="kept_name"):
    """The name of somebody who left, where contracts that they signed oblige to keep it for a time."""

    id = number()
    person = reference("Person")
    name = text()
    until = day()
