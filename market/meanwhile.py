"""Two who change the same thing at once: field by field, what is whose.

Whoever reads a thing to change it is given a short mark of each field (:func:`marks_of`), in a hidden field
of the page or as an ETag. What comes back is compared with the thing as it stands by then (:func:`settled`):
what only they changed is kept, what only others changed is kept too, and what both changed is asked back.
Marks instead of the values: a page stays small, and nobody can make up what they have read.
"""

import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import Collection
from typing import Any, Generic, TypeVar

import msgspec

from market.errors import Conflict
from market.i18n import Message, msg

S = TypeVar("S", bound=msgspec.Struct)

#: Signs of one mark, of six bits each: enough to tell what stood there, too few to tell what it was.
_MARK = 6
_MARKS = re.compile(rf"(?:[A-Za-z0-9_-]{{{_MARK}}})+")


class ChangedMeanwhile(Conflict):
    """Others have changed it since it was read, and one of the fields is wanted otherwise now.

    ``both``: the fields that both sides changed; ``theirs``: those that the others alone changed. ``mine`` is
    what was sent, ``now`` what stands: a field's value is read from either. ``marks`` are those of ``now``.
    """

    def __init__(
        self,
        *,
        both: Collection[str],
        theirs: Collection[str],
        mine: msgspec.Struct,
        now: msgspec.Struct,
        marks: str,
    ) -> None:
        super().__init__(
            msg("您填写的时候，别人改过这里，这次没有保存。改了什么标在各项下面，看过再保存一次。")
        )
        self.both, self.theirs = frozenset(both), frozenset(theirs)
        self.mine, self.now, self.marks = mine, now, marks

    def beside(self, now: Message | str) -> Message:
        """Return what is told beside a field that both sides changed, ``now`` being what stands there."""
        return msg("您填写的时候，别人把这一项改成了 {now}；再保存一次，就按您填的改。", now=now)

    def values(self) -> dict[str, dict[str, Any]]:
        """Return field -> what was ``sent`` and what stands ``now``, in JSON's types."""
        return {
            name: {
                "sent": msgspec.to_builtins(getattr(self.mine, name)),
                "now": msgspec.to_builtins(getattr(self.now, name)),
            }
            for name in sorted(self.both | self.theirs)
        }


class NotAsRead(ChangedMeanwhile):
    """It was to be changed only as long as it stands as it was read, and it does not."""

    def __init__(self, changed: ChangedMeanwhile) -> None:
        super().__init__(
            both=changed.both, theirs=changed.theirs, mine=changed.mine, now=changed.now, marks=changed.marks
        )
        self._values = changed.values()
        self.message = msg(
            "读取以后别人改过，这次没有保存。现在的值在 changed 里，请看过再按新的 ETag 提交。"
        )

    def values(self) -> dict[str, dict[str, Any]]:
        return self._values


class Settled(msgspec.Struct, Generic[S], frozen=True):
    """What is to be saved, and which fields of it others alone have changed since it was read."""

    value: S
    theirs: frozenset[str] = frozenset()


def marks_of(values: msgspec.Struct, names: Collection[str] | None = None) -> str:
    """Return a short mark of each field (or of those in ``names``), in one word."""
    return "".join(_mark(getattr(values, name)) for name in _names(values, names))


def check_marks(word: str) -> str:
    """Return ``word``. Raises: ValueError, where no :func:`marks_of` can have made it."""
    if not _MARKS.fullmatch(word):
        raise ValueError(word)
    return word


def differing(values: msgspec.Struct, seen: str, names: Collection[str] | None = None) -> frozenset[str]:
    """Return the fields that are no longer as they were when ``seen`` was made of them.

    Every field, where ``seen`` is no word of this thing: who has read something else has read none of it.
    """
    own = _names(values, names)
    if len(seen) != _MARK * len(own):
        return frozenset(own)
    marks = (seen[at : at + _MARK] for at in range(0, len(seen), _MARK))
    return frozenset(
        name for name, mark in zip(own, marks, strict=True) if _mark(getattr(values, name)) != mark
    )


def settled(
    mine: S, *, now: S, seen: str | None, names: Collection[str] | None = None, exact: bool = False
) -> Settled[S]:
    """Return what is to be saved of ``mine`` while ``now`` stands, and what of it others have changed.

    ``seen``: the marks of what was read; None: it is meant whatever stands there. ``exact``: nothing is kept
    of itself, a change of others is told even where it does not touch one's own.

    Raises:
        ChangedMeanwhile: both changed the same field, to different values.
    """
    if seen is None:
        return Settled(mine)
    wanted = frozenset(
        name for name in _names(mine, names) if _mark(getattr(mine, name)) != _mark(getattr(now, name))
    )
    moved = differing(now, seen, names) & wanted
    theirs = moved - differing(mine, seen, names)
    if (both := moved - theirs) or (exact and moved):
        raise ChangedMeanwhile(both=both, theirs=theirs, mine=mine, now=now, marks=marks_of(now, names))
    kept: dict[str, Any] = {name: getattr(now, name) for name in theirs}
    return Settled(msgspec.structs.replace(mine, **kept), theirs)


def _names(values: msgspec.Struct, names: Collection[str] | None) -> tuple[str, ...]:
    return tuple(values.__struct_fields__ if names is None else names)


def _mark(value: object) -> str:
    if isinstance(value, (tuple, list, set, frozenset)) and all(isinstance(one, (str, int)) for one in value):
        # a set by its meaning: the order in which its parts were ticked says nothing
        value = sorted(set(value), key=str)
    digest = hashlib.sha256(msgspec.json.encode(value)).digest()
    return urlsafe_b64encode(digest).decode()[:_MARK]
