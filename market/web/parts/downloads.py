"""Files that a page hands out to be kept."""

from urllib.parse import quote

from litestar import Response

_MEDIA = {
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "zip": "application/zip",
    "png": "image/png",
}


def attachment(content: bytes, name: str, media_type: str) -> Response[bytes]:
    """Return a file to keep; ``name`` is ours and plain."""
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return Response(content, media_type=media_type, headers=headers)


def attached(content: bytes, name: str, form: str, *, inline: bool = False) -> Response[bytes]:
    """Return a file whose name may be Chinese."""
    how = "inline" if inline else "attachment"
    headers = {
        "content-disposition": f"{how}; filename=\"tiantou.{form}\"; filename*=UTF-8''{quote(name)}.{form}",
        "cache-control": "no-store",
    }
    return Response(content, media_type=_MEDIA[form], headers=headers)
