"""The record, its seals and its checks. Private to this room; other rooms' queries may join."""

from piccolo.constraints import Unique
from piccolo.table import Table

from market.db.columns import binary, document, moment, number, reference, text, whole


class AuditRecord(Table, tablename="audit_record"):
    """Rows are only ever inserted: a trigger refuses UPDATE and DELETE, and the serving role lacks both."""

    id = number()
    #: ``deal:17``: what the chain is about.
    subject = text()
    #: 1, 2, 3 ... within the subject.
    position = whole()
    action = text()
    person = reference("Person", null=True, checked=False)
    organisation = reference("Organisation", null=True, checked=False)
    at = moment()
    details = document()
    previous_hash = binary()
    hash = binary()
    #: How ``hash`` was made: ``rules.SCHEMES``.
    scheme = whole(default=1)
    audit_record_chain = Unique([subject, position], name="audit_record_chain")


class AuditSeal(Table, tablename="audit_seal"):
    """One link of the chain over all chains: which heads were new when it was put on."""

    id = number()
    #: 1, 2, 3 ... without a gap: a seal that is gone is missed.
    position = whole()
    at = moment()
    #: Highest ``audit_record.id`` that was seen.
    through = whole()
    #: Heads of this seal (rows of ``audit_seal_head``).
    heads = whole()
    previous_hash = binary()
    hash = binary()
    audit_seal_chain = Unique([position], name="audit_seal_chain")


class AuditSealHead(Table, tablename="audit_seal_head"):
    """How far a subject's chain had come at a seal."""

    id = number()
    #: ``audit_seal.position``.
    seal = whole(index=True)
    subject = text()
    position = whole()
    hash = binary()
    audit_seal_head_once = Unique([subject, position], name="audit_seal_head_once")


class AuditCheck(Table, tablename="audit_check"):
    """One look through everything, as the auditor's page asked for it."""

    id = number()
    asked_by = reference("Person", null=True)
    asked_at = moment()
    #: Records looked at so far, and how many there were when it began.
    done = whole(default=0)
    total = whole(default=0)
    subjects = whole(default=0)
    finished_at = moment(null=True)
    #: Damage found (``rules.Fault``), the first hundred; [] where all is whole; NULL until it is finished.
    faults = document(null=True)
    #: How many there are in all.
    damage = whole(default=0)
