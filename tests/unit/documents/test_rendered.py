"""Each paper as an eye sees it: drawn to pixels, so that what is cut off, upside down or blank is found.

A pixel is half a millimetre wide where ink is measured, a tenth where a code is read.
"""

import ctypes
from collections.abc import Iterator
from functools import cache

import msgspec
import numpy as np
import numpy.typing as npt
import pypdfium2
import pypdfium2.raw as pdfium
import pytest
import segno
from scipy import ndimage

from fixtures.paper_fairs import HARD_NAMES, meeting_row, paper_fair, photos
from market.documents.binding import bound
from market.documents.contents import drafts_of
from market.documents.papers import KINDS, Numbered

Pixels = npt.NDArray[np.uint8]
Squares = npt.NDArray[np.bool_]

ORIGIN = "https://tiantou.example"
#: Points of a millimetre.
MM = 72 / 25.4
#: Millimetres at each edge that office printers leave white.
UNPRINTABLE = 3
#: Darker than this is ink: the pale green of a table's head is 240 and more.
INKED = 200
#: Least and most of a page that is inked. A blank page has nothing, one whose type has run together too much.
SHARES = {
    "invitation": (0.015, 0.12),
    "programme": (0.002, 0.12),
    "schedule": (0.002, 0.25),
    "timetable": (0.01, 0.15),
    "table_card": (0.01, 0.15),
    "name_card": (0.01, 0.2),
    "badge": (0.02, 0.4),
    "sign_in": (0.005, 0.15),
    "lot_card": (0.02, 0.45),
    "press": (0.002, 0.15),
    "intent": (0.01, 0.15),
}
#: Papers of a kind: some with a name that breaks a layout, and some usual ones.
MOST = 10
FAIR = msgspec.structs.replace(
    paper_fair(),
    meeting=meeting_row(
        slots=16,
        tables=6,
        title="2026 年大黑岗子镇及周边乡镇秋冬季花生、大米、苹果等农产品产销对接暨签约会（第二场）",
        venue=HARD_NAMES[1],
        contact=HARD_NAMES[2],
    ),
)


def papers_of(kind: str) -> list[Numbered]:
    return [
        Numbered(draft, f"对接〔2026〕12号-{KINDS[kind].sign}-{n:04d}", 12)
        for n, draft in enumerate(drafts_of(FAIR, (kind,))[:MOST], 1)
    ]


@cache
def bytes_of(kind: str, most: int = MOST) -> bytes:
    return bound(papers_of(kind)[:most], title="材料", origin=ORIGIN, photos=photos(FAIR.lots))


@cache
def drawn(kind: str, most: int = MOST, pixels_per_mm: int = 2) -> list[Pixels]:
    """Return the pages of the first papers in shades of grey, row by row; 0 is black."""
    with pypdfium2.PdfDocument(bytes_of(kind, most)) as document:
        return [
            np.asarray(page.render(scale=pixels_per_mm / MM, grayscale=True).to_pil()) for page in document
        ]


def letters(content: bytes) -> Iterator[tuple[int, str, tuple[float, float, float, float], float, float]]:
    """Yield (page, sign, (left, bottom, right, top), page's width, its height) of every sign, in points."""
    with pypdfium2.PdfDocument(content) as document:
        for number, page in enumerate(document, 1):
            width, height = page.get_size()
            text = page.get_textpage()
            for index in range(text.count_chars()):
                sign = chr(pdfium.FPDFText_GetUnicode(text, index))
                box = [ctypes.c_double() for _ in range(4)]
                pdfium.FPDFText_GetCharBox(text, index, *(ctypes.byref(each) for each in box))
                left, right, bottom, top = (each.value for each in box)
                if right > left and top > bottom:
                    yield number, sign, (left, bottom, right, top), width, height


def test_every_kind_is_looked_at() -> None:
    assert list(SHARES) == list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_page_is_neither_blank_nor_smeared(kind: str) -> None:
    least, most = SHARES[kind]
    shares = [round(float((page < INKED).mean()), 4) for page in drawn(kind)]
    assert [share for share in shares if not least <= share <= most] == []


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_drawn_where_no_printer_prints(kind: str) -> None:
    rim = UNPRINTABLE * 2
    for page in drawn(kind):
        inner = page.copy()
        inner[rim:-rim, rim:-rim] = 255
        assert int((inner < 250).sum()) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_no_sign_stands_over_the_edge(kind: str) -> None:
    margin = UNPRINTABLE * MM
    over = {
        (page, sign)
        for page, sign, (left, bottom, right, top), width, height in letters(bytes_of(kind))
        if left < margin or bottom < margin or right > width - margin or top > height - margin
    }
    assert over == set()


@pytest.mark.parametrize("kind", ["table_card", "name_card"])
def test_folded_card_reads_the_same_from_both_sides(kind: str) -> None:
    for page in drawn(kind):
        height = page.shape[0] // 2
        upper, lower = page[:height], page[-height:]
        # the marks of the fold lie on the middle line itself
        turned = np.rot90(upper, 2)[4:].astype(int)
        assert ink_apart(turned, lower[4:].astype(int)) < 0.03
        # and it is indeed turned: unturned, the halves have little in common
        assert ink_apart(upper[:-4].astype(int), lower[4:].astype(int)) > 0.5


def ink_apart(one: npt.NDArray[np.int_], other: npt.NDArray[np.int_]) -> float:
    """Return how much of the ink differs, as a share of all ink, from 0 (the same) to 2 (nothing shared).

    Edges may fall between other pixels once turned: a pixel counts where its whole neighbourhood differs.
    """
    first, second = blurred(255 - one), blurred(255 - other)
    return float(np.abs(first - second).sum() / ((first.sum() + second.sum()) / 2))


def blurred(shades: npt.NDArray[np.int_]) -> npt.NDArray[np.float64]:
    """Return means of 5 by 5 pixels."""
    sums = np.pad(shades, ((5, 0), (5, 0))).cumsum(0).cumsum(1).astype(float)
    return (sums[5:, 5:] - sums[:-5, 5:] - sums[5:, :-5] + sums[:-5, :-5]) / 25


@pytest.mark.parametrize("kind", ["invitation", "timetable", "badge", "lot_card"])
def test_code_shows_the_address_square_by_square(kind: str) -> None:
    links = [paper.draft.content["link"] for paper in papers_of(kind)[:4]]
    found = [written(code) for page in drawn(kind, 4, 10) for code in codes_on(page)]
    assert sorted(found) == sorted(written(matrix(ORIGIN + link)) for link in links if link)


def matrix(link: str) -> Squares:
    return np.array([list(row) for row in segno.make(link, error="m", micro=False).matrix], dtype=bool)


def written(code: Squares) -> str:
    return "\n".join("".join("#" if square else "." for square in row) for row in code)


def codes_on(page: Pixels) -> list[Squares]:
    """Return the squares of every QR code on a page, found by the three rings in its corners."""
    dark = page < 128
    rings = list(rings_in(dark))
    codes = []
    for top, left, side in rings:
        # a blot within a code may count as a ring too: only two equally far off are corners
        alike = [(y - top, x - left) for y, x, other in rings if abs(other - side) < 3]
        right = [x for y, x in alike if abs(y) < 3 and x > side]
        below = [y for y, x in alike if abs(x) < 3 and y > side]
        corners = [x for x in right if any(abs(x - y) < 3 for y in below)]
        if corners:
            # A ring is seven squares wide, a code of version v has 17 + 4 v a side. Far apart, two
            # rings measure a square better than one.
            apart = min(corners)
            squares = 17 + 4 * round((apart / side * 7 - 10) / 4)
            square = apart / (squares - 7)
            middles = ((np.arange(squares) + 0.5) * square).astype(int)
            codes.append(dark[np.ix_(top + middles, left + middles)])
    return codes


def rings_in(dark: Squares) -> Iterator[tuple[int, int, int]]:
    """Yield (top, left, side) of every square ring that is one seventh thick: 24 of its 49 squares."""
    labels, _ = ndimage.label(dark)
    sizes = np.bincount(labels.ravel())
    for label, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        height, width = rows.stop - rows.start, columns.stop - columns.start
        if height > 30 and abs(height - width) <= 2 and abs(sizes[label] / (height * width) - 24 / 49) < 0.05:
            yield rows.start, columns.start, width
