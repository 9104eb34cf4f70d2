"""Who takes part. Private to this room; other rooms' queries may join."""

from piccolo.constraints import Check, Unique
from piccolo.table import Table

from market.db.columns import binary, flag, moment, number, real, reference, text, whole


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
    #: Made up for the demonstration, and shown as such.
    invented = flag(False)
    created_at = moment()


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
    membership_once = Unique([person, organisation, role], name="membership_once")


class Session(Table, tablename="session"):
    id = number()
    #: SHA-256 of the opaque token in the cookie; the token itself is stored nowhere.
    token_hash = binary(unique=True)
    person = reference(Person, part_of=True)
    organisation = reference(Organisation, part_of=True)
    created_at = moment()
    expires_at = moment()
    seen_at = moment()


class Attempt(Table, tablename="attempt"):
    """How often something was tried in a window of time: limits that hold across workers."""

    id = number()
    subject = text()
    window_start = moment()
    tries = whole()
    attempt_once = Unique([subject, window_start], name="attempt_once")
    attempt_tries_positive = Check(tries > 0, name="attempt_tries_positive")
