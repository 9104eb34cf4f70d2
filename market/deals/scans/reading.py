"""Files of a scanned contract as they are kept: a picture is drawn anew, a PDF stays as it was sent."""

import asyncio
import hashlib
from collections.abc import Sequence

import msgspec

from market.deals.scans.rules import MOST_FILES
from market.errors import Invalid
from market.i18n import msg
from market.pictures import ENDINGS, MOST_BYTES, drawn_anew, webp

PDF = "application/pdf"
FILE_ENDINGS = (*ENDINGS, ".pdf")
#: A page of A4 with small print and a seal is still read at this.
_LONGEST_SIDE = 2200
_LONGEST_NAME = 80


class NewFile(msgspec.Struct, frozen=True):
    """``content_hash`` is of what is kept, ``sent_hash`` of the file as its sender has it."""

    name: str
    media_type: str
    content: bytes
    content_hash: str
    sent_hash: str


async def read_files(sent: Sequence[tuple[str, bytes]]) -> tuple[NewFile, ...]:
    """Return what is kept of (name, content), in their order. Runs beside the event loop.

    Raises:
        Invalid: with ``files``: none, too many, or one that is neither a picture nor a PDF.
    """
    try:
        if not 1 <= len(sent) <= MOST_FILES:
            raise Invalid(msg("请选 1 到 {most} 个文件。", most=MOST_FILES))
        files = tuple([await asyncio.to_thread(_kept, name, content) for name, content in sent])
        if len({each.sent_hash for each in files}) < len(files):
            raise Invalid(msg("有两个文件一模一样，请检查是不是选重了、漏了一页。"))
    except Invalid as refused:
        raise Invalid(refused.message, {"files": refused.message}) from None
    return files


def _kept(name: str, content: bytes) -> NewFile:
    name = "".join(sign for sign in name if sign.isprintable())[-_LONGEST_NAME:] or "scan"
    if len(content) > MOST_BYTES:
        raise Invalid(
            msg("“{name}”太大，最多 {most} MB。", name=name[:60], most=f"{MOST_BYTES / 1_000_000:.0f}")
        )
    sent_hash = hashlib.sha256(content).hexdigest()
    if content.startswith(b"%PDF-"):
        return NewFile(name, PDF, content, sent_hash, sent_hash)
    if name.lower().endswith(".pdf"):
        raise Invalid(msg("“{name}”不是 PDF，请重新选择。", name=name[:60]))
    image = webp(drawn_anew(content, name=name, longest=_LONGEST_SIDE), quality=80)
    return NewFile(name, "image/webp", image, hashlib.sha256(image).hexdigest(), sent_hash)
