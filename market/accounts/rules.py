"""Kinds of organisation, roles, and the one question of authorisation."""

import hashlib
import re
from datetime import datetime
from typing import Any

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
COUNTY, SERVICE, HOUSEHOLD = "county", "service", "household"
KINDS: dict[str, Message] = {
    VILLAGE: msg("村"),
    COOPERATIVE: msg("合作社"),
    MILL: msg("加工厂"),
    RETAILER: msg("商超"),
    TOWN: msg("镇政府"),
    MEDIA: msg("媒体"),
    COUNTY: msg("县"),
    SERVICE: msg("服务单位"),
    HOUSEHOLD: msg("农户"),
}

SELL, BUY, TRANSFORM, CERTIFY, PACKAGE = "sell", "buy", "transform", "certify", "package"
MEET, VERIFY, AUDIT, REPORT = "meet", "verify", "audit", "report"
#: What an organisation is able to do. A kind brings some; the county grants more, or withholds.
CAPABILITIES: dict[str, Message] = {
    SELL: msg("卖货"),
    BUY: msg("采购"),
    TRANSFORM: msg("加工"),
    CERTIFY: msg("检验检测"),
    PACKAGE: msg("包装设计"),
    MEET: msg("办对接会"),
    VERIFY: msg("核验单位"),
    AUDIT: msg("审计"),
    REPORT: msg("采访报道"),
}
#: A laboratory, a packaging studio and a licensed mill are service providers with what they are granted.
_BY_KIND: dict[str, frozenset[str]] = {
    VILLAGE: frozenset({SELL}),
    COOPERATIVE: frozenset({SELL}),
    HOUSEHOLD: frozenset({SELL}),
    MILL: frozenset({SELL, TRANSFORM}),
    RETAILER: frozenset({BUY}),
    TOWN: frozenset({MEET}),
    COUNTY: frozenset({MEET, VERIFY, AUDIT}),
    MEDIA: frozenset({REPORT}),
    SERVICE: frozenset(),
}
#: Who may own goods.
SELLING_KINDS = frozenset(kind for kind, brings in _BY_KIND.items() if SELL in brings)

SECRETARY, SELLER, BUYER, MANAGER, OFFICIAL, ADMINISTRATOR = (
    "secretary",
    "seller",
    "buyer",
    "manager",
    "official",
    "administrator",
)
CADRE, VERIFIER, AUDITOR = "cadre", "verifier", "auditor"
ROLES: dict[str, Message] = {
    SECRETARY: msg("村书记"),
    CADRE: msg("驻村干部"),
    SELLER: msg("销售员"),
    BUYER: msg("采购员"),
    MANAGER: msg("采购经理"),
    OFFICIAL: msg("政府干部"),
    VERIFIER: msg("核验员"),
    AUDITOR: msg("审计员"),
    ADMINISTRATOR: msg("管理员"),
}
#: What an organisation must be able to do for somebody in it to have the role.
ROLE_NEEDS: dict[str, str] = {
    SECRETARY: SELL,
    CADRE: SELL,
    SELLER: SELL,
    BUYER: BUY,
    MANAGER: BUY,
    OFFICIAL: MEET,
    VERIFIER: VERIFY,
    AUDITOR: AUDIT,
}
#: Who looks after an organisation's own people, limits and delegations.
KEEPING_ROLES = frozenset({SECRETARY, MANAGER, OFFICIAL, ADMINISTRATOR})
#: Which side of the market a role speaks for: lifecycles name sides, people have roles.
SIDES: dict[str, str] = {
    SECRETARY: "seller",
    CADRE: "seller",
    SELLER: "seller",
    BUYER: "buyer",
    MANAGER: "buyer",
    OFFICIAL: "official",
    VERIFIER: "verifier",
    AUDITOR: "auditor",
    ADMINISTRATOR: "administrator",
}

LIST, ANSWER, SIGN, END = "list", "answer", "sign", "end"
DELIVER, EXCUSE = "deliver", "excuse"
#: What one organisation may let somebody of another do for it, each by its name. The first three bind it, or
#: ask others to: only for who is able to, and only where not suspended.
DEEDS: dict[str, Message] = {
    LIST: msg("发布货源、采购需求"),
    ANSWER: msg("出价、还价、答复"),
    SIGN: msg("签合同、改条款"),
    # of its own: who may sign may not give up what was signed
    END: msg("提议、答复协商解除"),
    # of its own as well: a notice ends the contract at once and is not taken back
    EXCUSE: msg("以不可抗力通知解除、补充证明"),
    DELIVER: msg("安排发货、记已发货"),
}
_SIDE_NEEDS = {"seller": SELL, "buyer": BUY}

UNVERIFIED, FILED, VERIFIED = "unverified", "filed", "verified"
REFUSED, EXPIRED, SUSPENDED = "refused", "expired", "suspended"
#: Sign-in is refused after so many tries within a quarter of an hour: for one account from one address,
#: for one account from everywhere, and from one address for whatever account.
TRIES_PER_ACCOUNT = 10
TRIES_PER_ACCOUNT_ANYWHERE = 50
TRIES_PER_ADDRESS = 100
#: A session ends so long after it began, or when nothing came from it for so long.
SESSION_DAYS = 14
SESSION_IDLE_DAYS = 3
PASSWORD_LENGTH = (8, 128)


class Standing(msgspec.Struct, frozen=True):
    """What of an organisation decides on what it may do. ``state`` is one of VERIFICATION."""

    kind: str
    state: str = UNVERIFIED
    granted: frozenset[str] = frozenset()
    withheld: frozenset[str] = frozenset()

    @property
    def capabilities(self) -> frozenset[str]:
        """What it is able to do, whether it is suspended or not."""
        return (_BY_KIND.get(self.kind, frozenset()) | self.granted) - self.withheld


def roles_in(standing: Standing) -> dict[str, Message]:
    """Return the roles that people may have in such an organisation."""
    able = standing.capabilities
    return {role: name for role, name in ROLES.items() if role not in ROLE_NEEDS or ROLE_NEEDS[role] in able}


def is_able(standing: Standing, *, side: str) -> bool:
    """Tell whether an organisation can be the ``side`` of a contract at all."""
    return _SIDE_NEEDS[side] in standing.capabilities


def allow(standing: Standing, *, side: str, deed: str) -> None:
    """Say whether an organisation may do a deed that binds, on ``side``. It need not be verified for that:
    who deals with it is told. What it owes it fulfils in any state.

    Raises:
        NotAllowed: it is suspended, or not able to.
    """
    if deed not in DEEDS:
        raise KeyError(deed)
    if standing.state == SUSPENDED:
        raise NotAllowed(msg("贵单位已被县里暂停：恢复之前不能发布、出价、签合同；已经签的合同照常履行。"))
    needed = _SIDE_NEEDS.get(side)
    if needed is not None and needed not in standing.capabilities:
        raise NotAllowed(msg("贵单位没有“{able}”的资格，请向县里申请。", able=CAPABILITIES[needed]))


class Viewer(msgspec.Struct, frozen=True):
    """Who is looking: one person acting for one organisation.

    Under a delegation the organisation is the principal, and ``delegated`` names the deeds that the person
    may do for it; what is not named is only looked at.
    """

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
    #: The person's second factor is in use.
    has_factor: bool = False
    #: Of the API token that was shown; None: a session, which may do whatever its person may.
    scopes: frozenset[str] | None = None
    token_id: int | None = None
    state: str = UNVERIFIED
    granted: frozenset[str] = frozenset()
    withheld: frozenset[str] = frozenset()
    delegation_id: int | None = None
    delegated: frozenset[str] = frozenset()
    #: Somebody in the organisation has one of ``KEEPING_ROLES``.
    has_keeper: bool = True
    #: The roles that the organisation's active people have.
    colleagues: frozenset[str] = frozenset()
    #: For pages alone: notices that are new to the viewer's organisation, by kind, and which text of the
    #: privacy notice the person has read last.
    unread: dict[str, int] = {}
    notice_read: str = ""

    @property
    def standing(self) -> Standing:
        return Standing(self.organisation_kind, self.state, self.granted, self.withheld)

    @property
    def sides(self) -> frozenset[str]:
        sides = frozenset(SIDES[role] for role in self.roles)
        # what towns do (meetings, matching) is theirs: a county looks over them
        return sides - {"official"} | {"county"} if self.is_county and "official" in sides else sides

    @property
    def is_county(self) -> bool:
        return self.organisation_kind == COUNTY

    @property
    def keeps(self) -> bool:
        """Whether the viewer looks after the organisation's own affairs; where nobody is named, all do."""
        return self.delegation_id is None and (not self.has_keeper or bool(self.roles & KEEPING_ROLES))

    @property
    def side(self) -> str:
        """The side this viewer mostly speaks for; an official before a seller before a buyer."""
        for side in ("official", "county", "seller", "buyer", "verifier", "auditor", "administrator"):
            if side in self.sides:
                return side
        return "guest"


class Actor(msgspec.Struct, frozen=True):
    """Who does something: every operation that writes takes one and hands it to the audit record."""

    person_id: int | None
    organisation_id: int | None
    side: str
    #: The person is an agent: the organisation let them act for it under this delegation.
    delegation_id: int | None = None
    #: A purchasing manager of the same organisation approved this deed, which is above the person's limit.
    approved_by: int | None = None
    #: What that manager has seen it to come to, in fen: more is not approved.
    approved_most: int | None = None

    def told(self, details: dict[str, Any]) -> dict[str, Any]:
        """Return what the record keeps of a deed: who stands behind the person, where somebody does."""
        further: dict[str, Any] = {}
        if self.delegation_id is not None:
            further["delegation"] = self.delegation_id
        if self.approved_by is not None:
            further["approved_by"] = self.approved_by
        return {**details, **further} if further else details


#: What the engine and the clock do by themselves.
SYSTEM = Actor(None, None, "system")


def actor(viewer: Viewer, side: str | None = None, *, deed: str | None = None) -> Actor:
    """Return the viewer as one who acts for ``side``; ``deed`` as in :func:`require`.

    Raises:
        NotAllowed: the viewer does not speak for that side, or may not do that.
    """
    wanted = side or viewer.side
    require(viewer, wanted, deed=deed)
    return party_actor(viewer, wanted, deed=deed)


def party_actor(viewer: Viewer, side: str, *, deed: str | None = None) -> Actor:
    """Return the viewer as one whose organisation has ``side`` of this very paper; ``deed`` as in
    :func:`require`.

    Raises:
        NotAllowed: the organisation may not do that.
    """
    if deed is not None:
        allow(viewer.standing, side=side, deed=deed)
    return Actor(viewer.person_id, viewer.organisation_id, side, viewer.delegation_id)


def require_delegated(viewer: Viewer, deed: str | None) -> None:
    """Let an agent do what its principal has named, and nothing else. ``deed`` of DEEDS; None: has no name.

    Raises: NotAllowed.
    """
    if viewer.delegation_id is not None and deed not in viewer.delegated:
        raise NotAllowed(msg("委托里没有这一项，请由本单位自己的人来办。"))


def require(viewer: Viewer, *sides: str, deed: str | None = None) -> None:
    """The one authorisation question that is not ownership; ownership is a filter in SQL.

    ``deed`` names what is done where it binds (``DEEDS``): the viewer's organisation must be able to do it
    and not be suspended. What an agent may do is :func:`require_delegated`'s.
    ``standing.permit`` asks the same of the database, in the transaction of the deed.

    Raises:
        NotAllowed: the viewer speaks for none of ``sides``, or may not do that.
    """
    # a role that is called as a side is asked for as a side: a county's official is no town's
    spoken = (viewer.sides | (viewer.roles - set(SIDES.values()))) & set(sides)
    if not spoken:
        raise NotAllowed(msg("您的账号没有这项权限，请换用有权限的账号登录。"))
    if deed is not None:
        party_actor(viewer, min(spoken), deed=deed)


_PHONE = re.compile(r"1[3-9]\d{9}")


def is_phone(text: str) -> bool:
    """Tell whether ``text`` has the form of a mainland mobile number."""
    return _PHONE.fullmatch(text) is not None


def masked(phone: str) -> str:
    """Return the number with its middle hidden, as people see it before both sides agreed; "" of none."""
    if not is_phone(phone):
        return ""
    return f"{phone[:3]}****{phone[-4:]}"


def token_hash(token: str) -> bytes:
    """Return what the database knows of a session token."""
    return hashlib.sha256(token.encode()).digest()
