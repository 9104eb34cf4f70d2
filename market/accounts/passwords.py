"""Password hashes: argon2id, never on the event loop."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

#: RFC 9106's second recommended setting (64 MiB, 3 passes), four lanes.
_HASHER = PasswordHasher()
#: Verified against where no account answers, so that both answers take as long.
_NOBODY = _HASHER.hash("nobody has this password")


async def hash_password(password: str) -> str:
    return await asyncio.to_thread(_HASHER.hash, password)


async def verify_password(*, password: str, stored: str | None) -> bool:
    """Tell whether ``password`` is the one that ``stored`` was made of. None takes as long and is False."""

    def verify() -> bool:
        try:
            return _HASHER.verify(stored or _NOBODY, password) and stored is not None
        except (VerificationError, InvalidHashError):
            return False

    return await asyncio.to_thread(verify)
