"""One call of the scheduler: its time, its settings, and who hears how far it is."""

from collections.abc import Callable
from time import perf_counter

from market.i18n import Message

Progress = Callable[[Message], None]


class Run:
    """Seconds are of wall time, counted from the start of the call."""

    def __init__(self, *, time_limit: float, threads: int, seed: int, progress: Progress | None) -> None:
        self._start = perf_counter()
        self.limit = time_limit
        self.threads = threads
        self.seed = seed
        self._progress = progress

    @property
    def spent(self) -> float:
        return perf_counter() - self._start

    @property
    def left(self) -> float:
        return max(0.0, self.limit - self.spent)

    def minor(self, part: float) -> float:
        """Return the seconds for a lesser level: ``part`` of what has been spent, a sixtieth of all at least.

        Idle slots and table changes are the least of the objective and the hardest to prove: they may not
        hold up a timetable that is otherwise done. With one thread they get a tenth, two seconds at least, so
        that the same seed mostly ends at the same timetable.
        """
        least = self.limit / 60 if self.threads > 1 else max(2.0, self.limit / 10)
        return min(self.left, max(least, part * self.spent))

    def end_within(self, seconds: float) -> None:
        """Bring the end nearer: so many seconds from now at the latest."""
        self.limit = min(self.limit, self.spent + seconds)

    def say(self, text: Message) -> None:
        if self._progress is not None:
            self._progress(text)
