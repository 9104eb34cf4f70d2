"""Papers that people send: a PDF and the like are kept as they came, a picture is drawn anew."""

import asyncio
import hashlib
from collections.abc import Mapping

import msgspec

from market.errors import Invalid
from market.i18n import msg
from market.pictures import MOST_BYTES, drawn_anew, webp

PDF, WEBP = "application/pdf", "image/webp"
#: A page of A4 with small print and a seal is still read at this.
_LONGEST_SIDE = 2200
_LONGEST_NAME = 80


class Format(msgspec.Struct, frozen=True):
    """A kind of file that is kept as it was sent; its content begins with one of ``starts``."""

    media_type: str
    starts: tuple[bytes, ...]


#: Ending -> what is kept as it came.
PDF_ALONE: Mapping[str, Format] = {".pdf": Format(PDF, (b"%PDF-",))}


class Paper(msgspec.Struct, frozen=True):
    """What is kept of a file. SHA-256: ``content_hash`` of that, ``sent_hash`` of what its sender has."""

    name: str
    media_type: str
    content: bytes
    content_hash: str
    sent_hash: str


async def paper_of(name: str, content: bytes, *, as_sent: Mapping[str, Format] = PDF_ALONE) -> Paper:
    """Return what is kept of a file that somebody sent. Computes beside the event loop.

    Raises:
        Invalid: it is too large, or neither what its ending says nor a picture.
    """
    return await asyncio.to_thread(_kept, name, content, as_sent)


async def paper_in(field: str, name: str, content: bytes) -> Paper:
    """:func:`paper_of` for a form's ``field``, beside which a fault stands."""
    try:
        return await paper_of(name, content)
    except Invalid as refused:
        raise Invalid(refused.message, {field: refused.message}) from None


def _kept(name: str, content: bytes, as_sent: Mapping[str, Format]) -> Paper:
    name = "".join(sign for sign in name if sign.isprintable())[-_LONGEST_NAME:] or "file"
    shown = name[:60]
    if len(content) > MOST_BYTES:
        raise Invalid(msg("“{name}”太大，最多 {most} MB。", name=shown, most=f"{MOST_BYTES / 1_000_000:.0f}"))
    sent_hash = hashlib.sha256(content).hexdigest()
    ending = f".{name.lower().rpartition('.')[2]}"
    if ending not in as_sent and content.startswith(as_sent[".pdf"].starts):
        ending = ".pdf"  # a phone's scanner may leave the ending out
    if (found := as_sent.get(ending)) is not None:
        if not content.startswith(found.starts):
            raise Invalid(msg("“{name}”的内容不是它的后缀所说的格式，请重新选择。", name=shown))
        return Paper(name, found.media_type, content, sent_hash, sent_hash)
    image = webp(drawn_anew(content, name=name, longest=_LONGEST_SIDE), quality=80)
    return Paper(name, WEBP, image, hashlib.sha256(image).hexdigest(), sent_hash)
