"""Papers set and bound: one PDF of any of them, or pictures. Takes the processor; call it in a process."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec
from pypdf import PdfWriter

from market.db.processes import tell_parent
from market.documents.papers import KINDS, Draft, Numbered
from market.documents.typesetting import jpeg, missing_glyphs, missing_in, pdf, png, qr_svg

#: Papers that are set at a time: a multiple of eight, the badges on a sheet. Typst forgets what it kept of
#: one only some runs later, so that small batches keep its memory small.
_BATCH = 48
#: So few are tagged for screen readers: they may be for one reader, hundreds are for the printer.
_TAGGED = 8


def bound(
    papers: Sequence[Numbered],
    *,
    title: str,
    origin: str,
    photos: Mapping[str, bytes] | None = None,
    tell: Callable[[int], None] | None = None,
) -> bytes:
    """Return one PDF of all ``papers``, in the order of their kinds.

    Args:
        origin: what links begin with, e.g. ``https://tiantou.example``.
        photos: hash of a picture -> the picture, in any format that Pillow reads.
        tell: is called with how many papers are set, now and then.
    """
    order = list(KINDS)
    ordered = sorted(papers, key=lambda paper: order.index(paper.draft.kind))
    # in batches, each set and let go: at once, two thousand pages would take 3 GB
    written = PdfWriter()
    done = 0
    for batch in _batches(ordered):
        images: dict[str, bytes] = {}
        parts = [
            {"kind": kind, "papers": [_set(paper, origin, photos or {}, images) for paper in group]}
            for kind, group in groupby(batch, key=lambda paper: paper.draft.kind)
        ]
        made = pdf("bundle", {"title": title, "parts": parts}, images=images, tagged=len(ordered) <= _TAGGED)
        if len(batch) == len(ordered):
            return made
        written.append(io.BytesIO(made), import_outline=False)
        done += len(batch)
        if tell:
            tell(done)
    written.add_metadata({"/Title": title})
    buffer = io.BytesIO()
    written.write(buffer)
    return buffer.getvalue()


def bound_telling(
    papers: Sequence[Numbered], *, title: str, origin: str, photos: Mapping[str, bytes] | None = None
) -> bytes:
    """Do as :func:`bound` in a process of its own, and tell its parent how far it has come."""
    return bound(papers, title=title, origin=origin, photos=photos, tell=tell_parent)


def _batches(papers: Sequence[Numbered]) -> Iterator[Sequence[Numbered]]:
    """Yield the papers in turn, each batch of one kind where there are many."""
    if len(papers) <= _BATCH:
        yield papers
        return
    for _, group in groupby(papers, key=lambda paper: paper.draft.kind):
        of_kind = list(group)
        for start in range(0, len(of_kind), _BATCH):
            yield of_kind[start : start + _BATCH]


def poster(
    template: str, content: Mapping[str, Any], *, origin: str, photos: Mapping[str, bytes] | None = None
) -> bytes:
    """Return a poster as PNG, 1080 pixels wide."""
    images: dict[str, bytes] = {}
    return png(template, _drawn(content, origin, photos or {}, images), images=images)


def _set(
    paper: Numbered, origin: str, photos: Mapping[str, bytes], images: dict[str, bytes]
) -> dict[str, Any]:
    serial = paper.serial
    if serial and paper.edition > 1:
        serial = f"{serial}　第 {paper.edition} 版"
    return {**_drawn(paper.draft.content, origin, photos, images), "serial": serial or "预览，未编号"}


def _drawn(
    content: Mapping[str, Any], origin: str, photos: Mapping[str, bytes], images: dict[str, bytes]
) -> dict[str, Any]:
    """Return the content with its code drawn and its picture named; the picture joins ``images``."""
    link, picture = content.get("link", ""), content.get("picture", "")
    name = ""
    if picture in photos:
        name = f"{picture[:24]}.jpg"
        if name not in images:
            images[name] = jpeg(photos[picture])
    return {**content, "qr": qr_svg(origin + link) if link else "", "photo": name}


def missing_of(drafts: Sequence[Draft]) -> list[tuple[Draft, str, str]]:
    """Return (paper, the text, its signs) for whatever would be printed as an empty box, each text once."""
    # all at once first: a meeting has a million signs and hardly ever one that is missing
    if not missing_glyphs(msgspec.json.encode([draft.content for draft in drafts]).decode()):
        return []
    found: dict[str, tuple[Draft, str, str]] = {}
    for draft in drafts:
        for text, signs in missing_in(draft.content):
            found.setdefault(text, (draft, text, signs))
    return list(found.values())
