"""Kinds of organisation, roles, and the one question of authorisation."""

import hashlib
import re
from datetime import datetime

import msgspec

from market.errors import NotAllowed
from market.i18n import Language, Message, msg

VILLAGE, COOPERATIVE, MILL, RETAILER, TOWN, MEDIA = (
    "village",
    "cooperative",
    "mill",
    "retailer",
    "town",
    "media",
)
KINDS: dict[str, Message] = {
    VILLAGE: msg("村"),
    COOPERATIVE: msg("合作社"),
    MILL: msg("加工厂"),
    RETAILER: msg("商超"),
    TOWN: msg("镇政府"),
    MEDIA: msg("媒体"),
}
#: Who may own goods.
SELLING_KINDS = frozenset({VILLAGE, COOPERATIVE, MILL})

SECRETARY, SELLER, BUYER, MANAGER, OFFICIAL, ADMINISTRATOR = (
    "secretary",
    "seller",
    "buyer",
    "manager",
    "official",
    "administrator",
)
ROLES: dict[str, Message] = {
    SECRETARY: msg("村书记"),
    SELLER: msg("销售员"),
    BUYER: msg("采购员"),
    MANAGER: msg("采购经理"),
    OFFICIAL: msg("镇干部"),
    ADMINISTRATOR: msg("管理员"),
}
#: Which side of the market a role speaks for: lifecycles name sides, people have roles.
SIDES: dict[str, str] = {
    SECRETARY: "seller",
    SELLER: "seller",
    BUYER: "buyer",
    MANAGER: "buyer",
    OFFICIAL: "official",
    ADMINISTRATOR: "administrator",
}
#: Sign-in is refused after so many tries within a quarter of an hour: for one account from one address,
#: for one account from everywhere, and from one address for whatever account.
TRIES_PER_ACCOUNT = 10
TRIES_PER_ACCOUNT_ANYWHERE = 50
TRIES_PER_ADDRESS = 100
#: A session ends so long after it began, or when nothing came from it for so long.
SESSION_DAYS = 14
SESSION_IDLE_DAYS = 3
PASSWORD_LENGTH = (8, 128)


class Viewer(msgspec.Struct, frozen=True):
    """Who is looking: one person acting for one organisation."""

    session_id: int
    person_id: int
    name: str
    organisation_id: int
    organisation_name: str
    organisation_name_en: str
    organisation_kind: str
    roles: frozenset[str]
    language: Language
    name_en: str = ""
    #: When something last came from the session, to within minutes.
    seen_at: datetime | None = None

    @property
    def sides(self) -> frozenset[str]:
        return frozenset(SIDES[role] for role in self.roles)

    @property
    def side(self) -> str:
        """The side this viewer mostly speaks for; an official before a seller before a buyer."""
        for side in ("official", "seller", "buyer", "administrator"):
            if side in self.sides:
                return side
        return "guest"


class Actor(msgspec.Struct, frozen=True):
    """Who does something: every operation that writes takes one and hands it to the audit record."""

    person_id: int | None
    organisation_id: int | None
    side: str


#: What the engine and the clock do by themselves.
SYSTEM = Actor(None, None, "system")


def actor(viewer: Viewer, side: str | None = None) -> Actor:
    """Return the viewer as one who acts for ``side``.

    Raises:
        NotAllowed: the viewer does not speak for that side.
    """
    wanted = side or viewer.side
    require(viewer, wanted)
    return Actor(viewer.person_id, viewer.organisation_id, wanted)


def require(viewer: Viewer, *sides: str) -> None:
    """The one authorisation question that is not ownership; ownership is a filter in SQL.

    Raises:
        NotAllowed: the viewer speaks for none of ``sides``.
    """
    if not viewer.sides & set(sides):
        raise NotAllowed(msg("您的账号没有这项权限，请换用有权限的账号登录。"))


_PHONE = re.compile(r"1[3-9]\d{9}")


def is_phone(text: str) -> bool:
    """Tell whether ``text`` has the form of a mainland mobile number."""
    return _PHONE.fullmatch(text) is not None


def masked(phone: str) -> str:
    """Return the number with its middle hidden, as people see it before both sides agreed."""
    return f"{phone[:3]}****{phone[-4:]}"


def token_hash(token: str) -> bytes:
    """Return what the database knows of a session token."""
    return hashlib.sha256(token.encode()).digest()
