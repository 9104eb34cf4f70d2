"""Links that open one thing without signing in: an invitation, or the state of a registration.

A token is the row's number and a version, with 96 bits of HMAC-SHA-256 over both under the installation's
key: nothing of it is stored, none can be guessed, and raising the row's version makes every token that was
given out before worthless. It opens that one row and nothing else.
"""

import base64
import binascii
import hashlib
import hmac
import re

from market import settings

#: Bytes of the signature: short enough for a QR code that a phone reads from across a table.
_SIGNED = 12
#: A row's number and its version, seven bits a byte, are at most 18 bytes.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{19,40}")
_INVITATION, _REGISTRATION = "invitation", "registration"
#: What a link is called in its address.
INVITATION_PATH = "/i/"
PUBLIC_PATH = "/m/"


def invitation_token(invitation_id: int, version: int) -> str:
    """Return what stands behind ``/i/`` in the link to an invitation; ``version`` is its ``link_version``."""
    return _token(_INVITATION, invitation_id, version)


def read_token(token: str) -> tuple[int, int] | None:
    """Return the invitation's number and the version of its link, or None where we never gave the token out.

    Whether that version still holds is for the caller to compare with the row.
    """
    return _read(_INVITATION, token)


def registration_token(registration_id: int) -> str:
    """Return what opens the state of a registration to whoever sent it."""
    return _token(_REGISTRATION, registration_id, 1)


def read_registration_token(token: str) -> int | None:
    found = _read(_REGISTRATION, token)
    return found[0] if found else None


def invitation_path(invitation_id: int, version: int) -> str:
    """Return the address of the invitation's page on this site."""
    return INVITATION_PATH + invitation_token(invitation_id, version)


def _token(purpose: str, number: int, version: int) -> str:
    body = _written(number) + _written(version)
    return base64.urlsafe_b64encode(body + _signature(purpose, body)).decode().rstrip("=")


def _read(purpose: str, token: str) -> tuple[int, int] | None:
    if not _TOKEN.fullmatch(token):
        return None
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError):
        return None
    body, signature = raw[:-_SIGNED], raw[-_SIGNED:]
    if not hmac.compare_digest(signature, _signature(purpose, body)):
        return None
    number, rest = _number(body)
    version, _ = _number(rest)
    # one row has one spelling: the last sign of base64 holds bits that nobody signs
    return (number, version) if _token(purpose, number, version) == token else None


def _signature(purpose: str, body: bytes) -> bytes:
    key = settings.secret_key().encode()
    return hmac.new(key, f"link:{purpose}\0".encode() + body, hashlib.sha256).digest()[:_SIGNED]


def _written(number: int) -> bytes:
    """Return ``number`` seven bits a byte, the lowest first; the last byte is below 128."""
    signs = bytearray()
    while number > 127:
        signs.append(number & 127 | 128)
        number >>= 7
    signs.append(number)
    return bytes(signs)


def _number(signs: bytes) -> tuple[int, bytes]:
    number = 0
    for place, sign in enumerate(signs):
        number |= (sign & 127) << (7 * place)
        if sign < 128:
            return number, signs[place + 1 :]
    return number, b""
