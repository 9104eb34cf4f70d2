"""Files within JSON, as base64: what is sent, and what is given."""

import base64
import binascii
from typing import Annotated

import msgspec
from msgspec import Meta

from market.api.inputs import ONE_LINE
from market.errors import Invalid
from market.i18n import msg
from market.pictures import MOST_BYTES

#: Base64 takes four signs for three bytes.
MOST_SIGNS = (MOST_BYTES + 2) // 3 * 4


class SentFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A PDF or picture (JPEG, PNG, WebP), of an invoice also OFD or XML; `content` is base64."""

    name: Annotated[str, Meta(min_length=1, max_length=80, pattern=ONE_LINE)]
    content: Annotated[str, Meta(min_length=4, max_length=MOST_SIGNS, pattern="^[A-Za-z0-9+/]+={0,2}$")]


class FileContent(msgspec.Struct, frozen=True):
    """`content` is base64, `content_hash` its SHA-256 before that."""

    name: str
    media_type: str
    content_hash: str
    content: str


def decoded(file: SentFile, field: str) -> bytes:
    """Return the bytes of a file. Raises: Invalid, with ``field``."""
    try:
        return base64.b64decode(file.content, validate=True)
    except binascii.Error:
        problem = msg("“{name}”不是完整的 base64。", name=file.name)
        raise Invalid(problem, {field: problem}) from None


def file_content(name: str, media_type: str, content_hash: str, content: bytes) -> FileContent:
    """Return a file as the API gives it."""
    return FileContent(name, media_type, content_hash, base64.b64encode(content).decode())
