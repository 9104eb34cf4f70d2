"""Prices from gains: ask - priority + u, inside [ask, ceiling - freight], to 0.0001 yuan."""

from decimal import ROUND_CEILING, Decimal

from market.units import HaoPerKg

HAO_PER_YUAN = 10_000
#: What floating point may blur at a limit, in hao: far below what a price shows.
_BLUR = 1e-7


def least_hao(ask: Decimal) -> HaoPerKg:
    """The lowest price to 0.0001 yuan that is not under ``ask``."""
    return HaoPerKg(int((ask * HAO_PER_YUAN).to_integral_value(ROUND_CEILING)))


def price_within(wanted: float, *, ask: Decimal, most: float) -> Decimal:
    """Return ``wanted`` kept within [ask, most] and rounded to 0.0001 yuan without leaving it.

    ``most`` is ceiling - freight, and not under ``ask``. When no price to 0.0001 yuan lies between the
    two (an ask with more decimals, hardly any room), the ask itself is returned, all decimals kept.
    """
    floor = least_hao(ask)
    cap = int((most * HAO_PER_YUAN + _BLUR) // 1)
    if cap < floor:
        return ask
    hao = min(max(round(wanted * HAO_PER_YUAN), floor), cap)
    return Decimal(hao).scaleb(-4)
