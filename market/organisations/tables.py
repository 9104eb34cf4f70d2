"""What makes an organisation trusted, who acts for it and up to which sum. Private to this room."""

from piccolo.constraints import Check
from piccolo.table import Table

from market.accounts.tables import Organisation, Person
from market.db.columns import binary, day, document, moment, number, reference, text, texts, whole


class Verification(Table, tablename="verification"):
    """One filing of evidence, and what the verifier made of it. It is never changed after that."""

    id = number()
    organisation = reference(Organisation, part_of=True)
    #: What the organisation says of itself.
    words = text(default="")
    filed_by = reference(Person)
    filed_at = moment()
    #: The state that the decision led to, "verified" or "refused"; NULL while it waits.
    outcome = text(null=True)
    #: Of ``rules.CHECKS``.
    checked = texts()
    valid_until = day(null=True)
    #: Why refused: of ``rules.REFUSALS``.
    reason = text(null=True)
    note = text(default="")
    decided_by = reference(Person, null=True)
    #: The county that decided.
    verifier = reference(Organisation, null=True)
    decided_at = moment(null=True)


class VerificationPaper(Table, tablename="verification_paper"):
    """A scan that goes with a filing: a picture drawn anew, or a PDF, which is only handed out as a file."""

    id = number()
    filing = reference(Verification, part_of=True)
    name = text()
    media_type = text()
    content = binary()
    content_hash = text()


class Delegation(Table, tablename="delegation"):
    """One organisation lets one person of another act for it: named deeds, until a day, revocably."""

    id = number()
    principal = reference(Organisation, part_of=True)
    agent = reference(Person, part_of=True)
    #: Of which the agent is a member.
    agent_organisation = reference(Organisation, part_of=True)
    #: Of ``accounts.rules.DEEDS``.
    deeds = texts()
    #: The last day on which it holds.
    until = day()
    #: How it was given: ``online`` by the principal's own people, ``paper`` by a signed sheet.
    consent = text()
    words = text(default="")
    #: The signed sheet, drawn anew.
    sheet = binary(null=True)
    sheet_hash = text(default="")
    granted_by = reference(Person)
    granted_at = moment()
    revoked_by = reference(Person, null=True)
    revoked_at = moment(null=True)


class Approval(Table, tablename="approval"):
    """A deed of a buyer above its limit, as it was asked for: it waits for a purchasing manager."""

    id = number()
    organisation = reference(Organisation, part_of=True)
    #: Name of the deed in ``approving``, and its request.
    deed = text()
    request = document()
    #: What it is about, e.g. ``bid:12``, and where that stands.
    subject = text(index=True)
    link = text()
    #: The other side, which sees that something waits; NULL where it must not know (a sealed bid).
    other = reference(Organisation, null=True)
    #: Fen.
    amount = whole()
    #: The asker's limit when it was asked for, fen.
    most = whole()
    state = text(index=True)
    asked_by = reference(Person)
    asked_at = moment()
    expires_at = moment()
    decided_by = reference(Person, null=True)
    decided_at = moment(null=True)
    #: Why refused: of ``rules.APPROVAL_REFUSALS``.
    reason = text(null=True)
    note = text(default="")
    #: Where the deed led to, once it was done.
    result = text(default="")
    approval_amount_positive = Check(amount > 0, name="approval_amount_positive")
