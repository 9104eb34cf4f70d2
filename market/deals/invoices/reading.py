"""The file of an invoice as it is kept: PDF, OFD or XML as sent, a picture drawn anew."""

import asyncio
import hashlib

import msgspec

from market.errors import Invalid
from market.i18n import msg
from market.pictures import ENDINGS, MOST_BYTES, drawn_anew, webp

FILE_ENDINGS = (".pdf", ".ofd", ".xml", *ENDINGS)
PICTURE = "image/webp"
#: Ending -> media type, and what the content begins with.
_AS_SENT: dict[str, tuple[str, tuple[bytes, ...]]] = {
    ".pdf": ("application/pdf", (b"%PDF-",)),
    ".ofd": ("application/ofd", (b"PK\x03\x04",)),
    ".xml": ("application/xml", (b"<", b"\xef\xbb\xbf<")),
}
_LONGEST_SIDE = 2200
_LONGEST_NAME = 80


class InvoiceFile(msgspec.Struct, frozen=True):
    """``content_hash`` is the SHA-256 of what is kept."""

    name: str
    media_type: str
    content: bytes
    content_hash: str


async def read_invoice(name: str, content: bytes) -> InvoiceFile:
    """Return what is kept of a file. Runs beside the event loop. Raises: Invalid, with ``file``."""
    try:
        return await asyncio.to_thread(_kept, name, content)
    except Invalid as refused:
        raise Invalid(refused.message, {"file": refused.message}) from None


def _kept(name: str, content: bytes) -> InvoiceFile:
    name = "".join(sign for sign in name if sign.isprintable())[-_LONGEST_NAME:] or "invoice"
    shown = name[:60]
    if len(content) > MOST_BYTES:
        raise Invalid(msg("“{name}”太大，最多 {most} MB。", name=shown, most=f"{MOST_BYTES / 1_000_000:.0f}"))
    ending = f".{name.lower().rpartition('.')[2]}"
    if ending in _AS_SENT:
        media_type, starts = _AS_SENT[ending]
        if not content.startswith(starts):
            raise Invalid(msg("“{name}”的内容不是它的后缀所说的格式，请重新选择。", name=shown))
        return InvoiceFile(name, media_type, content, hashlib.sha256(content).hexdigest())
    image = webp(drawn_anew(content, name=name, longest=_LONGEST_SIDE), quality=80)
    return InvoiceFile(name, PICTURE, image, hashlib.sha256(image).hexdigest())
