from piccolo.constraints import Unique
from piccolo.table import Table

from market.db.columns import binary, document, moment, number, reference, text, whole


class AuditRecord(Table, tablename="audit_record"):
    """Rows are only ever inserted: a trigger refuses UPDATE and DELETE."""

    id = number()
    #: ``deal:17``: what the chain is about.
    subject = text()
    #: 1, 2, 3 ... within the subject.
    position = whole()
    action = text()
    person = reference("Person", null=True)
    organisation = reference("Organisation", null=True)
    at = moment()
    details = document()
    previous_hash = binary()
    hash = binary()
    audit_record_chain = Unique([subject, position], name="audit_record_chain")
