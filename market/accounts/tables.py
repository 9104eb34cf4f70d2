"""Who takes part. Private to this room; other rooms' queries may join."""

from piccolo.constraints import Check, Unique
from piccolo.table import Table

from market.db.columns import binary, day, flag, moment, moments, number, real, reference, text, texts, whole


class Organisation(Table, tablename="organisation"):
    id = number()
    #: One of ``rules.KINDS``.
    kind = text(index=True)
    name = text()
    name_en = text(default="")
    #: Unified social credit code. Its check digit is verified; that proves no existence.
    uscc = text(null=True, unique=True)
    division = reference("Division", null=True)
    address = text(default="")
    lat = real(null=True)
    lon = real(null=True)
    #: The town that looks after this village or cooperative.
    town = reference("Organisation", null=True)
    #: The county that looks after this organisation; where empty, that of its town.
    county = reference("Organisation", null=True)
    #: A state of ``rules.VERIFICATION``; what follows tells of the newest move.
    standing = text(default="unverified")
    standing_since = moment(null=True)
    #: The last day of a verification.
    verified_until = day(null=True)
    #: What the verifier has checked: ``rules.CHECKS``.
    checked = texts()
    #: Why refused or suspended: a code of ``rules.REFUSALS`` or ``rules.SUSPENSIONS``, and a word to it.
    standing_reason = text(null=True)
    standing_note = text(default="")
    #: Capabilities (``rules.CAPABILITIES``) beyond those of its kind, and those that it is denied.
    granted = texts()
    withheld = texts()
    #: Fen that a buyer may commit this organisation to alone; NULL: any amount.
    buyer_limit = whole(null=True)
    #: Made up for the demonstration, and shown as such.
    invented = flag(False)
    created_at = moment()
    organisation_buyer_limit_positive = Check(
        (buyer_limit > 0) | buyer_limit.is_null(), name="organisation_buyer_limit_positive"
    )


class Site(Table, tablename="site"):
    """A store or depot that goods are delivered to."""

    id = number()
    organisation = reference(Organisation, part_of=True)
    name = text()
    name_en = text(default="")
    address = text(default="")
    lat = real()
    lon = real()
    invented = flag(False)


class Person(Table, tablename="person"):
    id = number()
    name = text()
    name_en = text(default="")
    phone = text(unique=True)
    #: argon2id in PHC form; NULL until the person has chosen a password.
    password_hash = text(null=True)
    language = text(default="zh")
    active = flag(True)
    invented = flag(False)
    created_at = moment()


class Membership(Table, tablename="membership"):
    id = number()
    person = reference(Person, part_of=True)
    organisation = reference(Organisation, part_of=True)
    #: One of ``rules.ROLES``.
    role = text()
    #: Fen that a purchasing manager may approve or commit to; NULL: any amount.
    most = whole(null=True)
    membership_once = Unique([person, organisation, role], name="membership_once")


class Session(Table, tablename="session"):
    id = number()
    #: SHA-256 of the opaque token in the cookie; the token itself is stored nowhere.
    token_hash = binary(unique=True)
    person = reference(Person, part_of=True)
    organisation = reference(Organisation, part_of=True)
    #: The person acts for the organisation under this delegation, not as its member.
    delegation = reference("Delegation", null=True)
    #: Browser and system in ``devices.words``' codes, from what the browser says of itself.
    device = text(default="")
    #: ``code``: the password was right, the second factor has not been shown; empty: signed in.
    awaits = text(default="")
    created_at = moment()
    expires_at = moment()
    #: To within some minutes.
    seen_at = moment()


class Tries(Table, tablename="tries"):
    """When something was tried lately: limits that hold across workers and at every moment."""

    id = number()
    subject = text(unique=True)
    #: The tries that were let through within the last window, the oldest first.
    times = moments()
    last_at = moment()


class AccountInvitation(Table, tablename="account_invitation"):
    """A place in an organisation that waits for one person."""

    id = number()
    organisation = reference(Organisation, part_of=True)
    #: One of ``rules.ROLES``.
    role = text()
    name = text()
    #: The number that the account will have: whoever holds the link has to know it.
    phone = text()
    #: SHA-256 of the token in the link; the token itself is stored nowhere.
    token_hash = binary(unique=True)
    state = text()
    invited_by = reference(Person)
    #: The organisation that the inviter acted for.
    inviter = reference(Organisation)
    created_at = moment()
    #: When the link was given out last.
    sent_at = moment()
    expires_at = moment()
    settled_at = moment(null=True)
    #: Who joined by it.
    person = reference(Person, null=True)


class Recovery(Table, tablename="recovery"):
    """Somebody has lost a password; an official who sees the person lets a new one be chosen."""

    id = number()
    #: None where no account answers to the number: such a request looks the same and leads nowhere.
    person = reference(Person, null=True, part_of=True)
    #: HMAC of the code that the person's screen shows and the official is told.
    code_hash = binary()
    state = text()
    asked_at = moment()
    expires_at = moment()
    #: SHA-256 of the token in the one-time link.
    token_hash = binary(null=True, unique=True)
    granted_by = reference(Person, null=True)
    granted_at = moment(null=True)
    #: How the official made sure: one of ``recovery.PROOFS``.
    proof = text(default="")
    #: The second factor is lost too, and goes with the old password.
    drops_second_factor = flag(False)
    settled_at = moment(null=True)


class SecondFactor(Table, tablename="second_factor"):
    """One-time codes of an authenticator app (RFC 6238)."""

    id = number()
    person = reference(Person, part_of=True)
    #: Encrypted under the installation's key.
    secret = binary()
    #: NULL until the first code has been typed.
    confirmed_at = moment(null=True)
    #: The last step of 30 seconds whose code was taken: none is taken twice.
    last_step = whole(default=0)
    created_at = moment()
    second_factor_once = Unique([person], name="second_factor_once")


class BackupCode(Table, tablename="backup_code"):
    """For the day on which the authenticator is lost; each is taken once."""

    id = number()
    person = reference(Person, part_of=True)
    #: 0 to 9, the first sign of the code: one hash is verified, not ten.
    position = whole()
    #: argon2id in PHC form.
    code_hash = text()
    used_at = moment(null=True)
    backup_code_once = Unique([person, position], name="backup_code_once")


class ApiToken(Table, tablename="api_token"):
    """What a program signs in with: for one person in one organisation, for some groups of the API."""

    id = number()
    person = reference(Person, part_of=True)
    organisation = reference(Organisation, part_of=True)
    name = text()
    #: The token's first signs, by which its owner knows it again.
    prefix = text()
    token_hash = binary(unique=True)
    scopes = texts()
    created_at = moment()
    expires_at = moment()
    last_used_at = moment(null=True)
    revoked_at = moment(null=True)
