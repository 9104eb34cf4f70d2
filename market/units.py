"""Units are types. Mass, money and prices are integers; no float ever carries money.

One jin (斤) is 500 g, one tonne (吨) 1,000 kg. Prices on the market are whole fen per kilogram,
so that both yuan per jin and yuan per kilogram stay exact. Files of the matching engine go to
0.0001 yuan, which is one hao (毫).
"""

from decimal import ROUND_HALF_UP, Decimal
from typing import NewType

Gram = NewType("Gram", int)
Fen = NewType("Fen", int)
FenPerKg = NewType("FenPerKg", int)
#: 0.0001 yuan per kilogram: the resolution of prices in the engine's files.
HaoPerKg = NewType("HaoPerKg", int)

GRAMS_PER_KG = 1_000
GRAMS_PER_JIN = 500
GRAMS_PER_TONNE = 1_000_000
FEN_PER_YUAN = 100
HAO_PER_FEN = 100

#: The largest quantity that one lot or demand may have: 100,000 tonnes. More is a slip of the pen.
MOST_GRAMS = Gram(100_000 * GRAMS_PER_TONNE)
#: The highest price per kilogram: 10,000 yuan.
MOST_FEN_PER_KG = FenPerKg(10_000 * FEN_PER_YUAN)


def grams_from_kg(kg: Decimal) -> Gram:
    """Return whole grams, rounding half up."""
    return Gram(int((kg * GRAMS_PER_KG).quantize(Decimal(1), ROUND_HALF_UP)))


def fen_per_kg_from_yuan(yuan_per_kg: Decimal) -> FenPerKg:
    """Return whole fen per kilogram, rounding half up."""
    return FenPerKg(int((yuan_per_kg * FEN_PER_YUAN).quantize(Decimal(1), ROUND_HALF_UP)))


def kg(mass: Gram) -> Decimal:
    return Decimal(mass) / GRAMS_PER_KG


def jin(mass: Gram) -> Decimal:
    return Decimal(mass) / GRAMS_PER_JIN


def tonnes(mass: Gram) -> Decimal:
    return Decimal(mass) / GRAMS_PER_TONNE


def yuan(money: Fen) -> Decimal:
    return Decimal(money) / FEN_PER_YUAN


def yuan_per_kg(price: FenPerKg) -> Decimal:
    return Decimal(price) / FEN_PER_YUAN


def yuan_per_jin(price: FenPerKg) -> Decimal:
    return Decimal(price) / (FEN_PER_YUAN * 2)


def amount(mass: Gram, price: FenPerKg) -> Fen:
    """Return what ``mass`` costs at ``price``, to the nearest fen (half up)."""
    return Fen((mass * price + GRAMS_PER_KG // 2) // GRAMS_PER_KG)
