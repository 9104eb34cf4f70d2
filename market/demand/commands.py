"""What can be asked of this room."""

from datetime import date

import msgspec

from market.units import FenPerKg, Gram


class NewDemand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Grams, and fen per kg delivered to the site."""

    produce: str
    title: str
    quantity: Gram
    ceiling: FenPerKg
    site_id: int
    deliver_from: date
    deliver_to: date
    title_en: str = ""
    min_grade: int = 0
    min_order: Gram = Gram(0)
    max_lots: int | None = None
    requires: tuple[str, ...] = ()
    max_distance_km: int | None = None
    note: str = ""
    note_en: str = ""
    invented: bool = False


class DemandWants(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What of a demand may change while it is open. Grams in all, and fen per kg delivered."""

    quantity: Gram
    ceiling: FenPerKg
    deliver_from: date
    deliver_to: date
    min_grade: int = 0
    min_order: Gram = Gram(0)
    requires: tuple[str, ...] = ()
