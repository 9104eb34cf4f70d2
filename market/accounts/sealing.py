"""Secrets that have to be read again: sealed in the database under a key that is not in it."""

import os
from functools import cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from market.errors import Conflict
from market.i18n import msg
from market.settings import secret_key

_NONCE = 12


@cache
def _cipher() -> AESGCM:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"tiantou sealed secrets 1")
    return AESGCM(derived.derive(secret_key().encode()))


def seal(plain: bytes, *, about: str) -> bytes:
    """Return ``plain`` encrypted and bound to what it is ``about``: moved to another row it does not open."""
    nonce = os.urandom(_NONCE)
    return nonce + _cipher().encrypt(nonce, plain, about.encode())


def unseal(sealed: bytes, *, about: str) -> bytes:
    """Return what was sealed.

    Raises:
        Conflict: it was sealed under another key, or about something else.
    """
    try:
        return _cipher().decrypt(sealed[:_NONCE], sealed[_NONCE:], about.encode())
    except InvalidTag:
        raise Conflict(
            msg("存着的密钥打不开：安装的密钥（MARKET_SECRET_KEY）换过了。请管理员处理。")
        ) from None
