"""Prices of framework agreements and of batches that may be a slip: asked back once, on page and API."""

from market.amounts import odd_price
from market.catalogue.queries import produce_by_code
from market.errors import Invalid, NotFound
from market.i18n import Message
from market.units import FenPerKg


async def check_frame_prices(
    prices: dict[str, FenPerKg | None], *, produce: str, sure: bool, asked: FenPerKg | None = None
) -> None:
    """Ask back prices, by the names of their fields, that are far from what the produce usually costs.

    ``asked``: what the goods or the demand that it is proposed from say, where it is from one.

    Raises:
        Invalid: for each of them, unless they are ``sure``.
    """
    if sure:
        return
    try:
        kind = await produce_by_code(produce)
    except NotFound:
        return  # that the proposal itself says
    usual = [each for each in (kind.price_low, kind.price_high, asked) if each]
    if not usual:
        return
    low, high = FenPerKg(min(usual)), FenPerKg(max(usual))
    _ask_back({name: odd_price(price, low=low, high=high) for name, price in prices.items() if price})


def check_batch_price(price: FenPerKg | None, *, agreed: FenPerKg, sure: bool) -> None:
    """Ask back a batch's own price that is far from the agreed one. Raises: Invalid: for ``price``."""
    if price is not None and not sure:
        _ask_back({"price": odd_price(price, low=agreed, high=agreed)})


def _ask_back(odd: dict[str, Message | None]) -> None:
    faults = {name: problem for name, problem in odd.items() if problem is not None}
    if faults:
        raise Invalid(next(iter(faults.values())), faults)
