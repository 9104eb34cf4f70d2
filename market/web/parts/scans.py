"""Scans of licences and signed sheets: a picture is drawn anew, a PDF is kept and handed out as a file."""

import hashlib
from urllib.parse import quote

from litestar import Response

from market.i18n import msg
from market.organisations.verification import NewPaper
from market.web.parts.forms import Upload
from market.web.parts.pictures import ENDINGS, MOST_BYTES, picture_from
from market.web.parts.typed import Wrong

SCAN_ENDINGS = (*ENDINGS, ".pdf")
PDF = "application/pdf"


async def paper_from(upload: Upload) -> NewPaper:
    """Return what is kept of a scan.

    Raises:
        Wrong: it is neither a picture that can be drawn nor a PDF.
    """
    name = "".join(sign for sign in upload.name if sign.isprintable())[-80:]
    if upload.name.lower().endswith(".pdf"):
        if not upload.content.startswith(b"%PDF-") or len(upload.content) > MOST_BYTES:
            raise Wrong(msg("“{name}”不是 PDF，或者太大，请重新选择。", name=name))
        return NewPaper(name, PDF, upload.content, hashlib.sha256(upload.content).hexdigest())
    picture = await picture_from(upload)
    return NewPaper(name, "image/webp", picture.image, picture.content_hash)


def scan_response(name: str, media_type: str, content: bytes) -> Response[bytes]:
    """Hand a scan out. A PDF may carry a script: it is saved as a file, and never drawn inside the site."""
    headers = {"cache-control": "private, no-cache", "x-content-type-options": "nosniff"}
    if media_type == PDF:
        headers["content-disposition"] = f"attachment; filename*=UTF-8''{quote(name)}"
        headers["content-security-policy"] = "sandbox; default-src 'none'"
    return Response(content, media_type=media_type, headers=headers)
