"""Money divided by shares, so that the parts add up to the whole."""

from collections.abc import Sequence


def divided(amount: int, shares: Sequence[int]) -> list[int]:
    """Return ``amount`` (fen) divided by ``shares`` (grams), in whole fen whose sum is ``amount``.

    The largest-remainder method with Hare's quota (Hamilton's method, by which the seats of the United
    States' House of Representatives were divided from 1852 to 1900): each gets the whole fen of its quota
    ``amount * share / sum``, and the fen left over go one each to the largest remainders. Of equal
    remainders the one that stands first is served first, so that the same list always gives the same. Nobody
    is a whole fen off its quota.

    Raises:
        ValueError: no share, one that is not positive, or a negative amount.
    """
    total = sum(shares)
    if amount < 0 or not shares or min(shares) <= 0:
        raise ValueError("money is divided among positive shares")
    parts = [amount * share // total for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda n: (-(amount * shares[n] % total), n))
    for n in by_remainder[: amount - sum(parts)]:
        parts[n] += 1
    return parts
