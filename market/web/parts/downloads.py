"""Files that a page hands out to be kept."""

import re
from urllib.parse import quote

from litestar import Response

_MEDIA = {
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "zip": "application/zip",
    "png": "image/png",
}
#: Names that stand in a header as they are.
_PLAIN = re.compile(r"[A-Za-z0-9._-]+")


def attachment(
    content: bytes, name: str, media_type: str | None = None, *, inline: bool = False
) -> Response[bytes]:
    """Return a file to keep, or (``inline``) to look at first; ``name`` with its ending may be Chinese.

    ``media_type`` may be left away where the ending says it.
    """
    ending = name.rpartition(".")[2]
    told = f'filename="{name}"'
    if not _PLAIN.fullmatch(name):
        # what knows RFC 6266 takes the second, everything else a name that it can read
        told = f"filename=\"tiantou.{ending}\"; filename*=UTF-8''{quote(name, safe='')}"
    headers = {
        "content-disposition": f"{'inline' if inline else 'attachment'}; {told}",
        "cache-control": "no-store",
    }
    return Response(content, media_type=media_type or _MEDIA[ending], headers=headers)
