"""Passwords: which may be chosen, and their hashes (argon2id, never on the event loop)."""

import asyncio
import gzip
import unicodedata
from functools import cache
from importlib.resources import files

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from market.accounts.rules import PASSWORD_LENGTH
from market.errors import Invalid
from market.i18n import Message, msg

#: OWASP's Password Storage Cheat Sheet: argon2id with 19 MiB, 2 passes, 1 lane. More memory would let a
#: crowd at the door fill that of the machine.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
#: Verified against where no account answers, so that both answers take as long.
_NOBODY = _HASHER.hash("nobody has this password")


def _normal(password: str) -> str:
    """Return what is hashed: two keyboards may write one sign in two ways (NFKC, as ASVS 5.0 has it)."""
    return unicodedata.normalize("NFKC", password)


@cache
def _common() -> frozenset[str]:
    """Return the 20,000 passwords that are tried first, in small letters: Django's list."""
    packed = (files("django") / "contrib" / "auth" / "common-passwords.txt.gz").read_bytes()
    return frozenset(gzip.decompress(packed).decode().split())


def check_new_password(password: str, *, phone: str, field: str = "new") -> None:
    """Length in code points, not among the common ones, not the own number; no rule of composition.

    Raises:
        Invalid: it may not be chosen; ``fields`` has the reason under ``field``.
    """
    if problem := _fault(_normal(password), phone):
        raise Invalid(problem, {field: problem})


def _fault(password: str, phone: str) -> Message | None:
    shortest, longest = PASSWORD_LENGTH
    if not shortest <= len(password) <= longest:
        return msg("密码须有 {shortest} 到 {longest} 个字符。", shortest=shortest, longest=longest)
    flat = password.casefold().strip()
    if phone and (phone in flat or (flat.isdigit() and flat in phone)):
        return msg("密码里不要用自己的手机号，别人最先试它。")
    if flat in _common() or len(set(flat)) < 3:
        return msg("这个密码太常见，别人最先试它。几个不相干的词连在一起，好记又难猜。")
    return None


async def hash_password(password: str) -> str:
    return await asyncio.to_thread(_HASHER.hash, _normal(password))


async def verify_password(*, password: str, stored: str | None) -> bool:
    """Tell whether ``password`` is the one that ``stored`` was made of. None takes as long and is False."""

    def verify() -> bool:
        try:
            return _HASHER.verify(stored or _NOBODY, _normal(password)) and stored is not None
        except (VerificationError, InvalidHashError):
            return False

    return await asyncio.to_thread(verify)


def is_outdated(stored: str) -> bool:
    """Tell whether ``stored`` was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(stored)
