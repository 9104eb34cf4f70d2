"""Whether whoever comes along finds a seat: how many buses drive each line, and how many seats are missing.

Pure. A line is what one bus can drive in the time there is. Where a bus is too small for all who come,
buses that are left over drive a line together.
"""

from msgspec import Struct

from market.i18n import Message, msg


class Seating(Struct, frozen=True):
    """``buses``: how many drive each line. ``room``: seats of all of them."""

    riders: int
    seats: int
    buses: tuple[int, ...]

    @property
    def room(self) -> int:
        return self.seats * sum(self.buses)

    @property
    def missing(self) -> int:
        return max(0, self.riders - self.room)

    @property
    def more(self) -> int:
        """How many buses of this size it takes besides."""
        return -(-self.missing // self.seats)


def seating(*, lines: int, buses: int, seats: int | None, riders: int) -> Seating | None:
    """Spread ``riders`` over ``lines``; None where the size of a bus is not known, or no bus goes.

    No more buses go than are needed: one for each line, and as many as seat everybody. The line that visits
    the most, which is the first, gets company first.
    """
    if seats is None or not lines:
        return None
    going = max(lines, min(buses, -(-riders // seats)))
    each, over = divmod(going, lines)
    return Seating(riders, seats, tuple(each + (line < over) for line in range(lines)))


def seats_missing(found: Seating | None) -> Message | None:
    """Say how many seats are missing and what helps; None where everybody finds one."""
    if found is None or not found.missing:
        return None
    return msg(
        "已答应来的客商和来宾有 {riders} 位，{buses} 辆 {seats} 座的车只坐得下 {room} 位，"
        "还差 {missing} 个座位：再加 {more} 辆车，或者换大一些的车。",
        riders=found.riders,
        buses=sum(found.buses),
        seats=found.seats,
        room=found.room,
        missing=found.missing,
        more=found.more,
    )
