"""Numbers of rows that nobody else may learn of: drawn by chance, so that no number that others see moves."""

import secrets

#: From here on no sequence comes; up to twice as much every reader of JSON keeps a number exactly.
_FIRST = 2**52


def number_apart() -> int:
    """Return the number of a row whose table counts its other rows by a sequence."""
    return _FIRST + secrets.randbelow(_FIRST)
