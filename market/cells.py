"""Text files as people's programs write them: which encoding, which characters."""

from market.i18n import Message, msg


class Unreadable(Exception):
    """The content is not text that can be told for certain. ``reason`` says how to mend it."""

    def __init__(self, reason: Message) -> None:
        super().__init__(reason)
        self.reason = reason


def decoded(raw: bytes) -> str:
    """Return the text of a file in UTF-8 (with its mark or without) or GBK.

    Raises:
        Unreadable: it is UTF-16, no text at all, or bytes that are GBK only by accident.
    """
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unreadable(msg("编码是 UTF-16，请另存为“CSV UTF-8”。"))
    if b"\x00" in raw:
        raise Unreadable(msg("不是文本文件，请存为 CSV UTF-8 或 .xlsx。"))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        content = raw.decode("gb18030")
    except UnicodeDecodeError:
        raise Unreadable(msg("编码不是 UTF-8，也不是 GBK，请另存为“CSV UTF-8”。")) from None
    if all(_common_chinese(sign) for sign in content if ord(sign) > 127):
        return content
    raise Unreadable(msg("编码不是 UTF-8，也不能断定是 GBK，请另存为“CSV UTF-8”。"))


def _common_chinese(sign: str) -> bool:
    """True for Chinese characters and the signs around them: text in GBK, and not an accident."""
    if sign in _SIGNS:
        return True
    try:
        return len(sign.encode("gb2312")) == 2 and (sign >= "\u4e00" or "\u3000" <= sign <= "\u303f")
    except UnicodeEncodeError:
        return "\u4e00" <= sign <= "\u9fff"


#: Signs of Chinese text that lie outside of its blocks: dashes, quotation marks, the middle dot, ℃.
_SIGNS = frozenset("·—―‘’“”…℃×÷±≤≥")
