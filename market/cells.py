"""Text as people's programs write it: which encoding, which characters, and which that nobody sees."""

import codecs
import io
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Literal

from market.i18n import Message, msg

_CHUNK = 1 << 20
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF_32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
#: What stands for signs that could not be read.
UNREAD = "\ufffd"
#: Signs that hide, as the inside of a class of a regular expression: controls but line breaks and tabs,
#: marks that turn the direction of writing, separators and annotations of lines, tags, noncharacters, and
#: what stands for signs that could not be read. Programs read it too, so it knows no ranges beyond U+FFFF.
HIDDEN = (
    r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f"
    r"\ud800-\udfff\ufdd0-\ufdef\ufff9-\uffff"
)
#: Signs without a width: they come along with what is copied from chats and pages, and mean nothing here.
NO_WIDTH = r"\u00ad\u115f\u1160\u180e\u200b-\u200d\u2060-\u2064\u3164\ufeff\uffa0"
_HIDDEN = re.compile(f"[{HIDDEN}\U000e0000-\U000e0fff\U0001fffe\U0001ffff]")
#: The joiner inside of an emoji stays: a farmer is a person, joined with a sheaf.
_NO_WIDTH = re.compile(f"(?!\u200d[\u2600-\u27bf\U0001f000-\U0001faff])[{NO_WIDTH}]")


def is_hiding(text: str) -> bool:
    """Tell whether ``text`` has signs that hide something or break out of its line."""
    return _HIDDEN.search(text) is not None


def without_debris(text: str) -> str:
    """Return ``text`` without signs that have no width."""
    return _NO_WIDTH.sub("", text)


class Unreadable(Exception):
    """The content is not text that can be told for certain. ``reason`` says how to mend it."""

    def __init__(self, reason: Message) -> None:
        super().__init__(reason)
        self.reason = reason


def decoded(raw: bytes) -> str:
    """Return the text of a file in UTF-8 (with its mark or without) or GBK.

    Raises:
        Unreadable: it is UTF-16 or UTF-32, no text at all, or bytes that are GBK only by accident.
    """
    _refuse_utf_32(raw)
    if raw.startswith(_UTF_16):
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


def _refuse_utf_32(head: bytes) -> None:
    """Refuse what begins like UTF-32: its first two bytes may be those of UTF-16."""
    if head.startswith(_UTF_32):
        raise Unreadable(msg("编码是 UTF-32，请另存为“CSV UTF-8”。"))


def text_lines(file: BinaryIO) -> Iterable[str]:
    """Return the lines of a seekable file with their ends, without holding the whole of it.

    UTF-8, UTF-16 with its mark, and GBK (GB18030) are told apart by reading the file once through. Where
    lines of one file differ in encoding, each is read as what it certainly is; signs that are certain in
    neither become ``UNREAD``.

    Raises:
        Unreadable: it is no text, or in no encoding that can be told.
    """
    encoding = _encoding(file)
    file.seek(0)
    if isinstance(encoding, _Lines):
        return encoding.read(file)
    return io.TextIOWrapper(file, encoding=encoding, newline="")


def _encoding(file: BinaryIO) -> "str | _Lines":
    head = file.read(4)
    file.seek(0)
    _refuse_utf_32(head)
    if head.startswith(_UTF_16):
        if not _decodes(file, "utf-16"):
            raise Unreadable(msg("UTF-16 的内容残缺，请另存为“CSV UTF-8”。"))
        return "utf-16"
    is_utf_8 = _decodes(file, "utf-8")
    file.seek(0)
    if any(b"\x00" in chunk for chunk in iter(lambda: file.read(_CHUNK), b"")):
        raise Unreadable(msg("不是文本文件，请存为 CSV UTF-8 或 .xlsx。"))
    if is_utf_8:
        return "utf-8-sig"
    file.seek(0)
    lines = _Lines(file)
    return "gb18030" if lines.are_gbk else lines


def _decodes(file: BinaryIO, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while chunk := file.read(_CHUNK):
            if "\x00" in decoder.decode(chunk) and encoding == "utf-16":
                return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


Reading = Literal["ascii", "utf-8", "gb18030", "either", "neither"]


class _Lines:
    """How the lines of a file that is not UTF-8 throughout are to be read."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        #: Sign -> in GB2312 (True), in GBK alone (False), of no Chinese text (None).
        self._kinds: dict[str, bool | None] = {}
        self._used: set[str] = set()
        counts: dict[Reading, int] = dict.fromkeys(("ascii", "utf-8", "gb18030", "either", "neither"), 0)
        for line in lines:
            counts[self._reading(line)] += 1
        if sum(not self._kinds[sign] for sign in self._used) * 2 > len(self._used):
            raise Unreadable(msg("编码不是 UTF-8，也不能断定是 GBK，请另存为“CSV UTF-8”。"))
        if not counts["utf-8"] + counts["gb18030"] + counts["either"]:
            raise Unreadable(msg("编码不是 UTF-8，也不是 GBK，请另存为“CSV UTF-8”。"))
        main = "gb18030" if counts["gb18030"] > counts["utf-8"] else "utf-8"
        # Where no line is certainly UTF-8, those that could be either are GBK like the rest; and so on.
        is_mixed = counts["utf-8"] and counts["gb18030"]
        self._encodings = {
            "ascii": "ascii",
            "utf-8": "utf-8",
            "gb18030": "gb18030",
            "either": "ascii" if is_mixed else main,
            "neither": main,
        }
        self.are_gbk = not counts["utf-8"] and not counts["neither"]

    def read(self, lines: Iterable[bytes]) -> Iterator[str]:
        for place, line in enumerate(lines):
            text = line.decode(self._encodings[self._reading(line)], "replace")
            yield text.removeprefix("\ufeff") if place == 0 else text

    def _reading(self, line: bytes) -> Reading:
        if line.isascii():
            return "ascii"
        as_utf_8, as_gbk = _try(line, "utf-8"), _try(line, "gb18030")
        signs = {sign for sign in as_gbk or "" if sign > "\x7f"}
        kinds = {self._kind(sign) for sign in signs}
        fits_gbk = as_gbk is not None and None not in kinds
        if as_utf_8 is None:
            if fits_gbk:
                self._used |= signs
            return "gb18030" if fits_gbk else "neither"
        if not fits_gbk:
            return "utf-8"
        is_chinese = all(_common_chinese(sign) for sign in as_utf_8 if sign > "\x7f")
        return "utf-8" if is_chinese and False in kinds else "either"

    def _kind(self, sign: str) -> bool | None:
        try:
            return self._kinds[sign]
        except KeyError:
            kind = None if not _common_chinese(sign) else _try_gb2312(sign)
            return self._kinds.setdefault(sign, kind)


def _try(line: bytes, encoding: str) -> str | None:
    try:
        return line.decode(encoding)
    except UnicodeDecodeError:
        return None


def _try_gb2312(sign: str) -> bool:
    try:
        sign.encode("gb2312")
    except UnicodeEncodeError:
        return sign in _SIGNS
    return True


def _common_chinese(sign: str) -> bool:
    """True for Chinese characters and the signs around them: text in GBK, and not an accident."""
    if sign in _SIGNS:
        return True
    try:
        return len(sign.encode("gb2312")) == 2 and (sign >= "\u4e00" or "\u3000" <= sign <= "\u303f")
    except UnicodeEncodeError:
        return "\u4e00" <= sign <= "\u9fff"


#: Signs of Chinese text that lie outside of its blocks: dashes, quotation marks, the middle dot, ℃.
_SIGNS = frozenset("¥·—―‘’“”…℃°×÷±≤≥㎏①②③④⑤⑥⑦⑧⑨⑩")
