"""A noun's life: its states, the moves between them, and who may make them.

One :class:`Lifecycle` stands in each room's ``rules.py``. Operations ask it for the next state,
pages for the buttons to draw, docs and tests read the same table.
"""

from collections.abc import Iterable, Set

from market.errors import Conflict
from market.i18n import Message, msg


class WrongState(Conflict):
    """The move does not lead out of this state, or not for this role."""


class Move:
    """One arrow: ``name`` leads from any of ``sources`` to ``target``; ``by`` names the roles."""

    __slots__ = ("by", "name", "sources", "target")

    def __init__(self, name: str, sources: Iterable[str], target: str, *, by: Iterable[str]) -> None:
        self.name = name
        self.sources: Set[str] = frozenset(sources)
        self.target = target
        self.by: Set[str] = frozenset(by)


class Lifecycle:
    """The moves of one noun, e.g. ``BID.apply("award", state=bid.state, by="seller")``."""

    def __init__(self, noun: str, *moves: Move, start: str, labels: dict[str, Message]) -> None:
        self.noun = noun
        self.moves = moves
        self.start = start
        #: state -> its name for people.
        self.labels = labels
        unnamed = self.states - labels.keys()
        if unnamed:
            raise ValueError(f"{noun}: states without a label: {sorted(unnamed)}")

    @property
    def states(self) -> frozenset[str]:
        return frozenset({self.start}).union(*({*m.sources, m.target} for m in self.moves))

    def label(self, state: str) -> Message:
        return self.labels[state]

    def find(self, name: str, *, state: str, by: str) -> Move | None:
        """Return the move, or None where it is not open to ``by`` in ``state``."""
        for move in self.moves:
            if move.name == name and state in move.sources and by in move.by:
                return move
        return None

    def apply(self, name: str, *, state: str, by: str) -> str:
        """Return the new state.

        Raises:
            WrongState: the move is not open to ``by`` in ``state``.
        """
        if all(move.name != name for move in self.moves):
            raise KeyError(f"{self.noun} has no move {name!r}")
        move = self.find(name, state=state, by=by)
        if move is None:
            raise WrongState(msg("现在是“{state}”，这一步已不能做，请刷新后再看。", state=self.labels[state]))
        return move.target

    def available(self, *, state: str, by: str) -> tuple[str, ...]:
        """Return the names of the moves open to ``by`` in ``state``, in table order."""
        return tuple(m.name for m in self.moves if state in m.sources and by in m.by)

    def sources(self, name: str) -> frozenset[str]:
        """Return every state that ``name`` leads out of: the guard of a compare-and-set."""
        return frozenset().union(*(m.sources for m in self.moves if m.name == name))
