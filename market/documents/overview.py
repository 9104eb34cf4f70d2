"""What the page of papers shows of each kind: how many, how many changed, what would not be printed right."""

from collections.abc import Mapping, Sequence

import msgspec

from market.documents.binding import missing_of
from market.documents.contents import drafts_of
from market.documents.gathering import Fair
from market.documents.papers import KINDS, Draft, Kind
from market.meetings.numbering import PaperRow

Known = Mapping[tuple[str, str], PaperRow]
#: Papers that are named where some have changed, or are void.
_NAMED = 6


class Missing(msgspec.Struct, frozen=True):
    """A text on a paper with signs that no font has."""

    label: str
    text: str
    signs: str


class Shelf(msgspec.Struct, frozen=True):
    """All papers of one kind."""

    kind: Kind
    papers: int
    sheets: int
    #: Never printed, and printed but otherwise now.
    new: int
    changed: int
    #: Names of some of the changed.
    named: tuple[str, ...]
    #: Numbers that were printed and are about nobody any more.
    void: tuple[str, ...]
    missing: tuple[Missing, ...]

    @property
    def to_print(self) -> int:
        return self.new + self.changed


def has_changed(draft: Draft, known: Known) -> bool:
    """Tell whether a paper was never printed or reads otherwise now."""
    printed = known.get((draft.kind, draft.subject))
    return printed is None or printed.content != draft.content_hash


def shelves(fair: Fair, known: Known) -> list[Shelf]:
    """Return every kind of paper with its state, in the order in which they are bound."""
    by_kind: dict[str, list[Draft]] = {code: [] for code in KINDS}
    for draft in drafts_of(fair):
        by_kind[draft.kind].append(draft)
    return [_shelf(KINDS[code], drafts, known) for code, drafts in by_kind.items()]


def _shelf(kind: Kind, drafts: Sequence[Draft], known: Known) -> Shelf:
    new = [each for each in drafts if (kind.code, each.subject) not in known]
    changed = [each for each in drafts if (kind.code, each.subject) in known and has_changed(each, known)]
    subjects = {each.subject for each in drafts}
    return Shelf(
        kind=kind,
        papers=len(drafts),
        sheets=-(-len(drafts) // kind.to_a_sheet),
        new=len(new),
        changed=len(changed),
        named=tuple(each.label for each in changed[:_NAMED]),
        void=tuple(
            row.serial
            for (code, subject), row in known.items()
            if code == kind.code and subject not in subjects
        ),
        missing=tuple(Missing(draft.label, text, signs) for draft, text, signs in missing_of(drafts)),
    )
