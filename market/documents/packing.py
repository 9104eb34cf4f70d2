"""All papers as one archive: a folder's worth of files, each with the name that an office would give it."""

import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from itertools import groupby

from market.db.processes import tell_parent
from market.documents.binding import bound
from market.documents.office import word_file
from market.documents.papers import KINDS, Numbered

#: What a file's name may not hold on one system or another.
_BARRED = re.compile(r'[\\/:*?"<>|\x00-\x1f]')


def zipped(
    papers: Sequence[Numbered],
    *,
    title: str,
    origin: str,
    photos: Mapping[str, bytes] | None = None,
    calendars: Sequence[tuple[str, bytes]] = (),
) -> bytes:
    """Return a ZIP: a PDF of each kind, a Word file where an office edits the kind, and calendars.

    Args:
        calendars: (whose, the calendar (iCalendar) with that participant's talks); two may have one name.
    """
    buffer = io.BytesIO()
    done = 0
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (kind, group) in enumerate(groupby(papers, key=lambda each: each.draft.kind), 1):
            of_kind = list(group)
            name = f"{number:02d}-{KINDS[kind].name.text}"
            made = bound(of_kind, title=title, origin=origin, photos=photos)
            archive.writestr(_entry(f"{name}.pdf"), made)
            if KINDS[kind].is_word:
                written = word_file(of_kind, title=title, origin=origin)
                archive.writestr(_entry(f"{name}.docx"), written)
            done += len(of_kind)
            tell_parent(done)
        for number, (whose, content) in enumerate(calendars, 1):
            # numbered, for two names may be one once what is barred is gone
            name = f"日历/{number:03d}-{_BARRED.sub('_', whose)[:60]}.ics"
            archive.writestr(_entry(name), content)
    return buffer.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    # a fixed day: the same papers give the same archive
    entry = zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry
