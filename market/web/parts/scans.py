"""Scans of licences and signed sheets: what is kept of an upload, and handing it out again."""

from urllib.parse import quote

from litestar import Response

from market.errors import Invalid
from market.organisations.verification import NewPaper
from market.pictures import ENDINGS
from market.sent_papers import PDF_ALONE, paper_of
from market.web.parts.forms import Upload
from market.web.parts.typed import Wrong

SCAN_ENDINGS = (*ENDINGS, *PDF_ALONE)


async def paper_from(upload: Upload) -> NewPaper:
    """Return what is kept of a scan.

    Raises:
        Wrong: it is neither a picture that can be drawn nor a PDF.
    """
    try:
        kept = await paper_of(upload.name, upload.content)
    except Invalid as refused:
        raise Wrong(refused.message) from None
    return NewPaper(kept.name, kept.media_type, kept.content, kept.content_hash)


def scan_response(name: str, media_type: str, content: bytes) -> Response[bytes]:
    """Hand a scan out. A PDF may carry a script: what is no picture is saved, never drawn inside the site."""
    headers = {"cache-control": "private, no-cache", "x-content-type-options": "nosniff"}
    if not media_type.startswith("image/"):
        headers["content-disposition"] = f"attachment; filename*=UTF-8''{quote(name)}"
        headers["content-security-policy"] = "sandbox; default-src 'none'"
    return Response(content, media_type=media_type, headers=headers)
