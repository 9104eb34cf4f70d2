"""Channels beside the inbox: what an address may be, and how much of it is shown."""

import re
from urllib.parse import parse_qs, urlsplit

import msgspec

from market.accounts.rules import Viewer
from market.errors import Invalid
from market.i18n import Message, msg
from market.notices.hosts import may_be_public, plain_host

#: Of one organisation.
MOST_CHANNELS = 5
LONGEST_ADDRESS = 500
KINDS: dict[str, Message] = {
    "mail": msg("邮件"),
    "wecombot": msg("企业微信群机器人"),
    "dingtalk": msg("钉钉群机器人"),
    "feishu": msg("飞书群机器人"),
    "jsons": msg("自有系统（HTTPS）"),
    "json": msg("自有系统（HTTP）"),
}
#: States of a notice on its way out.
WAITING, SENT, FAILED = "waiting", "sent", "failed"
OUTGOING_LABELS: dict[str, Message] = {
    WAITING: msg("待发送"),
    SENT: msg("已发出"),
    FAILED: msg("没发出"),
}

#: Why a message did not get through; what a host itself says stands as it is.
TROUBLES: dict[str, Message] = {
    "timeout": msg("对方没有及时应答"),
    "no_mail": msg("本站还没有设发信邮箱，请联系管理员"),
    "private": msg("这个地址在内网里，不能发"),
    "unknown_host": msg("找不到这个域名"),
    "no_connection": msg("连不上对方，或对方的证书不对"),
    "unusable": msg("这个地址不能用"),
    "refused": msg("对方没有收下，请检查地址和密钥"),
}

_MAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}")
_KEY = re.compile(r"[A-Za-z0-9_-]{8,200}")
_PATH = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?")
#: What a web server is reached at; below 1024 everything else is another service, which reads lines.
_PORTS = {80, 443, *range(1024, 65_536)}
#: The address that a robot's own page hands out: host, path, and where in it the key stands.
_ROBOTS = {
    "wecombot": ("qyapi.weixin.qq.com", "/cgi-bin/webhook/send", "key"),
    "dingtalk": ("oapi.dingtalk.com", "/robot/send", "access_token"),
    "feishu": ("open.feishu.cn", "/open-apis/bot/v2/hook/", None),
}


class Address(msgspec.Struct, frozen=True):
    """Where a channel leads. ``key`` is an e-mail address, a robot's secret, or host and path."""

    kind: str
    key: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.key}" if self.kind == "mail" else f"{self.kind}://{self.key}"

    @property
    def masked(self) -> str:
        """What people are shown: enough to tell one from another, not enough to use it."""
        if self.kind == "mail":
            name, _, host = self.key.partition("@")
            return f"{name[:2]}***@{host}"
        if self.kind in _ROBOTS:
            return f"…{self.key[-4:]}"
        host, slash, path = self.key.partition("/")
        return f"{host}{slash}{'…' if path else ''}"

    @property
    def host(self) -> str | None:
        """The host that the owner chose; None where the kind fixes it."""
        if self.kind not in ("json", "jsons"):
            return None
        return urlsplit(f"//{self.key}").hostname


def address_from(typed: str) -> Address:
    """Read an e-mail address, the address of a group robot, or that of a system of one's own.

    Raises:
        Invalid: it is none of these; the message says what it may be.
    """
    text = typed.strip()
    if len(text) > LONGEST_ADDRESS:
        raise _refused(msg("地址太长了，最多 {most} 个字符。", most=LONGEST_ADDRESS))
    if _MAIL.fullmatch(text.removeprefix("mail:")):
        return Address("mail", text.removeprefix("mail:"))
    try:
        found = _robot(text) or _place(text)
    except ValueError:
        found = None
    if found is None:
        raise _refused(
            msg("请粘贴邮箱，企业微信、钉钉或飞书群机器人的 Webhook 地址，或 https:// 开头的自有系统地址。")
        )
    return found


def _robot(text: str) -> Address | None:
    parts = urlsplit(text)
    for kind, (host, path, name) in _ROBOTS.items():
        key = ""
        if parts.scheme == kind:
            key = parts.netloc or parts.path.strip("/")
        elif parts.scheme == "https" and parts.hostname == host and parts.path.startswith(path):
            key = parse_qs(parts.query).get(name, [""])[0] if name else parts.path.removeprefix(path)
        if _KEY.fullmatch(key.strip("/")):
            return Address(kind, key.strip("/"))
    return None


def _place(text: str) -> Address | None:
    parts = urlsplit(text)
    if any(parts.hostname == host for host, _, _ in _ROBOTS.values()):
        return None
    scheme = {"https": "jsons", "http": "json"}.get(parts.scheme, parts.scheme)
    host = plain_host(parts.hostname or "")
    # a user name would be a secret that is shown, and hides which host it is; a query is not needed here
    if scheme not in ("json", "jsons") or host is None or "@" in parts.netloc:
        return None
    if "\\" in text or any(sign.isspace() or not sign.isprintable() for sign in text):
        return None
    if parts.query or parts.fragment or not _PATH.fullmatch(parts.path):
        return None
    if parts.port is not None and parts.port not in _PORTS:
        return None
    port = "" if parts.port is None else f":{parts.port}"
    return Address(scheme, (f"[{host}]" if ":" in host else host) + port + parts.path)


def tends(viewer: Viewer, *, added_by: int | None) -> bool:
    """Whether a channel of the viewer's organisation is the viewer's to test, to remove and to see whole.

    It belongs to whoever added it and to those who look after the organisation. Colleagues see that it is
    there: what leaves their inbox concerns them, where to and under which key does not.
    """
    return viewer.keeps or (viewer.delegation_id is None and added_by == viewer.person_id)


def check_public(where: Address) -> None:
    """Refuse what cannot lie in the open internet; what a name leads to is checked when a message leaves.

    Raises:
        Invalid: for ``address``.
    """
    if where.host and not may_be_public(where.host):
        raise _refused(msg("这个地址在本机或内网里，消息不能发到那里。请填公网能访问的地址。"))


def _refused(problem: Message) -> Invalid:
    return Invalid(problem, {"address": problem})
