"""The file of an invoice as it is kept: PDF, OFD or XML as sent, a picture drawn anew."""

from market.errors import Invalid
from market.pictures import ENDINGS
from market.sent_papers import PDF_ALONE, Format, Paper, paper_of

_AS_SENT = {
    **PDF_ALONE,
    ".ofd": Format("application/ofd", (b"PK\x03\x04",)),
    ".xml": Format("application/xml", (b"<", b"\xef\xbb\xbf<")),
}
FILE_ENDINGS = (*_AS_SENT, *ENDINGS)


async def read_invoice(name: str, content: bytes) -> Paper:
    """Return what is kept of a file. Raises: Invalid, with ``file``."""
    try:
        return await paper_of(name, content, as_sent=_AS_SENT)
    except Invalid as refused:
        raise Invalid(refused.message, {"file": refused.message}) from None
