"""From the field and the larder: peanuts, oil, grain, eggs, jars and packets."""

import math
from collections.abc import Callable, Sequence

from seeds.drawing import Point, Sheet, ellipse, knots, moved, rounded, smooth
from seeds.scenes.garden import tomato
from seeds.scenes.orchard import apple
from seeds.scenes.parts import (
    BARK,
    CREAM,
    EMBER,
    FOREST,
    GREEN,
    LEAF,
    LIME,
    PALE,
    SHELL,
    STRAW,
    WARM_SHADOW,
    ear,
    leaf,
    peanut,
    shadow,
    stage,
    warm_stage,
)

#: Skins of peanut kernels.
_SKINS = ("#B9654A", "#C9795A", "#D58C6C")
#: Where single grains lie on a heap.
_HEAP: tuple[Point, ...] = (
    (450, 325),
    (520, 290),
    (600, 262),
    (680, 288),
    (750, 325),
    (560, 330),
    (640, 322),
    (600, 365),
    (500, 362),
    (700, 362),
)


def peanuts() -> Sheet:
    sheet = warm_stage()
    shadow(sheet, 600, 420, WARM_SHADOW)
    for x, y, turn in ((330, 690, -14), (600, 705, 6), (865, 690, 18), (455, 585, 20), (735, 580, -18)):
        peanut(sheet, x, y, turn, 140)
    peanut(sheet, 590, 440, -32, 150, STRAW)
    leaf(sheet, 735, 400, 38, 190, GREEN, LEAF)
    leaf(sheet, 725, 410, 78, 160, LEAF, GREEN)
    return sheet


def _kernel(sheet: Sheet, x: float, y: float, turn: float, size: float, skin: str = "#C9795A") -> None:
    sheet.fill(
        moved(smooth(knots("0,-1 0.56,-0.55 0.62,0.3 0,0.92 -0.62,0.3 -0.56,-0.55")), x, y, turn, size), skin
    )
    sheet.stroke(
        moved(smooth([(-0.28, -0.5), (-0.34, 0), (-0.24, 0.42)], closed=False), x, y, turn, size),
        "#E3A487",
        size * 0.1,
    )
    sheet.fill(moved(ellipse(0, -0.86, 0.14, 0.1), x, y, turn, size), "#F3D9C4")


def peanut_kernels() -> Sheet:
    sheet = warm_stage()
    shadow(sheet, 600, 390, WARM_SHADOW)
    for row, (y, count) in enumerate(((410, 2), (490, 4), (560, 5))):
        for i in range(count):
            _kernel(
                sheet,
                600 + (i - (count - 1) / 2) * 112,
                y,
                (i * 67 + row * 41) % 110 - 55,
                76,
                _SKINS[(i + row) % 3],
            )
    sheet.fill(smooth(knots("270,575 930,575 880,730 740,790 460,790 320,730")), GREEN)
    sheet.fill(ellipse(600, 575, 345, 46), FOREST)
    for i in range(6):
        _kernel(
            sheet, 375 + i * 90, 560 + (i % 2) * 8, (i * 53) % 120 - 60, 70, ("#B9654A", "#C9795A")[i % 2]
        )
    sheet.stroke([(330, 690), (870, 690)], LEAF, 14)
    return sheet


def _bottle(sheet: Sheet, x: float, base: float, size: float, cap: str, oil: str = "#E3A23B") -> None:
    half, top = 118 * size, base - 520 * size
    sheet.fill(rounded(x, top + 22 * size, 92 * size, 66 * size, 12 * size), cap)
    body = [
        (x - 36 * size, top + 50 * size),
        (x + 36 * size, top + 50 * size),
        (x + 40 * size, top + 110 * size),
        (x + half, top + 205 * size),
        (x + half, base - 30 * size),
        (x + half - 30 * size, base),
        (x - half + 30 * size, base),
        (x - half, base - 30 * size),
        (x - half, top + 205 * size),
        (x - 40 * size, top + 110 * size),
    ]
    sheet.fill(body, oil)
    sheet.fill(
        [
            (x - half + 18 * size, top + 225 * size),
            (x - half + 44 * size, top + 205 * size),
            (x - half + 44 * size, base - 40 * size),
            (x - half + 18 * size, base - 46 * size),
        ],
        "#F1C676",
    )
    sheet.fill(rounded(x, base - 175 * size, 2 * half, 190 * size, 6 * size), CREAM)
    sheet.fill(
        [
            (x - half, base - 104 * size),
            (x + half, base - 104 * size),
            (x + half, base - 80 * size),
            (x - half, base - 80 * size),
        ],
        cap,
    )
    peanut(sheet, x, base - 190 * size, -24, 66 * size)


def oil() -> Sheet:
    sheet = stage()
    shadow(sheet, 600, 390)
    _bottle(sheet, 380, 790, 0.86, GREEN)
    _bottle(sheet, 825, 790, 0.86, EMBER)
    _bottle(sheet, 600, 800, 1.16, FOREST)
    for x, y, turn in ((250, 775, 15), (955, 780, -20)):
        peanut(sheet, x, y, turn, 70)
    return sheet


def _sack(mark: Callable[[Sheet], None], grain: str, band: str) -> Sheet:
    sheet = warm_stage()
    shadow(sheet, 600, 380, WARM_SHADOW)
    sheet.fill(smooth(knots("330,360 870,360 905,560 890,740 820,800 380,800 310,740 295,560")), "#EAD9B8")
    sheet.fill(smooth(knots("320,365 400,300 600,275 800,300 880,365 800,410 600,425 400,410")), "#CDB98F")
    sheet.fill(smooth(knots("375,355 470,265 600,225 730,265 825,355 720,392 600,400 480,392")), grain)
    sheet.fill(smooth(knots("305,520 600,545 895,520 900,600 898,690 600,715 302,690 300,600")), band)
    mark(sheet)
    return sheet


def _grains(sheet: Sheet, colour: str, spots: Sequence[Point]) -> None:
    for i, (x, y) in enumerate(spots):
        sheet.fill(ellipse(x, y, 17, 8, (i * 47) % 180), colour)


def rice() -> Sheet:
    def mark(sheet: Sheet) -> None:
        for turn in (-28, 0, 28):
            ear(sheet, 600, 690, turn, 118, STRAW)
        _grains(sheet, "#E6DCC4", _HEAP)

    sheet = _sack(mark, CREAM, GREEN)
    _grains(sheet, CREAM, ((250, 800), (285, 815), (935, 808), (965, 796), (910, 822)))
    return sheet


def grain() -> Sheet:
    def mark(sheet: Sheet) -> None:
        for turn in (-28, 0, 28):
            ear(sheet, 600, 690, turn, 118, CREAM)
        _grains(sheet, BARK, _HEAP)

    return _sack(mark, SHELL, EMBER)


def beans() -> Sheet:
    def mark(sheet: Sheet) -> None:
        for pod, turn in ((535, -20), (665, 20)):
            sheet.fill(ellipse(pod, 625, 82, 30, turn), LIME)
            for along in (-44, 0, 44):
                sheet.fill(moved(ellipse(along, 0, 18, 18), pod, 625, turn), PALE)
        for i, (x, y) in enumerate(_HEAP):
            sheet.fill(ellipse(x, y, 19, 16, i * 40), "#C99A35")

    return _sack(mark, "#E7BF62", FOREST)


def corn() -> Sheet:
    sheet = stage()
    shadow(sheet, 600, 330)
    for x, turn in ((470, -16), (740, 16)):
        cob = smooth(knots("0,-1 0.27,-0.72 0.34,-0.1 0.28,0.6 0,0.82 -0.28,0.6 -0.34,-0.1 -0.27,-0.72"))
        sheet.fill(moved(cob, x, 500, turn, 300), "#E9B63F")
        for row in range(11):
            half = 0.3 - abs(row - 6.2) ** 2 * 0.0045
            for column in range(5):
                sheet.fill(
                    moved(
                        ellipse((column - 2) * half * 0.42, -0.78 + row * 0.135, half * 0.17, 0.05),
                        x,
                        500,
                        turn,
                        300,
                    ),
                    "#F6D674",
                )
        for side in (-1, 1):
            husk = smooth(
                [
                    (0, 1),
                    (side * 0.42, 0.7),
                    (side * 0.6, 0.1),
                    (side * 0.52, -0.45),
                    (side * 0.34, -0.05),
                    (side * 0.12, 0.5),
                ]
            )
            sheet.fill(moved(husk, x, 500, turn, 300), GREEN if side < 0 else LEAF)
        sheet.fill(
            moved(smooth(knots("0,1.05 0.26,0.75 0.1,0.3 -0.06,0.25 -0.24,0.7")), x, 500, turn, 300),
            "#3F9A6B",
        )
    return sheet


def eggs() -> Sheet:
    sheet = warm_stage()
    shadow(sheet, 600, 410, WARM_SHADOW)
    egg = smooth(knots("0,-1 0.5,-0.7 0.74,0 0.56,0.6 0,0.84 -0.56,0.6 -0.74,0 -0.5,-0.7"))
    for i, (x, y) in enumerate(
        ((440, 470), (600, 450), (760, 470), (360, 560), (520, 550), (680, 550), (840, 560))
    ):
        sheet.fill(moved(egg, x, y, (i * 37) % 24 - 12, 118), ("#E9C6A0", "#DDB084", "#F3DCC0")[i % 3])
        sheet.fill(moved(ellipse(-0.28, -0.36, 0.1, 0.2, 24), x, y, (i * 37) % 24 - 12, 118), CREAM)
    sheet.fill(smooth(knots("215,590 985,590 925,740 800,795 400,795 275,740")), BARK)
    for x in range(300, 920, 78):
        sheet.stroke([(x, 625), (x + 40, 760)], SHELL, 10)
        sheet.stroke([(x + 40, 625), (x, 760)], SHELL, 10)
    sheet.fill(rounded(600, 604, 800, 44, 22), SHELL)
    return sheet


def jar() -> Sheet:
    sheet = warm_stage()
    shadow(sheet, 600, 320, WARM_SHADOW)
    sheet.fill(rounded(600, 555, 470, 480, 70), "#E9A93C")
    sheet.fill(rounded(600, 330, 400, 60, 14), "#F5D491")
    sheet.fill(rounded(600, 272, 430, 92, 20), GREEN)
    sheet.fill(rounded(420, 560, 34, 330, 17), "#F5D491")
    sheet.fill(rounded(615, 590, 300, 210, 14), CREAM)
    for a, b in ((0, 0), (1, 0), (0.5, 0.87), (-0.5, 0.87), (1.5, 0.87)):
        x, y = 568 + a * 66 - 10, 560 + b * 66
        sheet.fill(
            [
                (x + 36 * math.cos(math.radians(k)), y + 36 * math.sin(math.radians(k)))
                for k in range(30, 390, 60)
            ],
            "#E9A93C" if a != 0.5 else EMBER,
        )
    return sheet


def packet() -> Sheet:
    sheet = warm_stage()
    shadow(sheet, 600, 330, WARM_SHADOW)
    for x, turn, colour in ((470, -8, EMBER), (735, 7, GREEN)):
        sheet.fill(rounded(x, 540, 330, 480, 18, turn), colour)
        sheet.fill(rounded(*moved([(0, -225)], x, 540, turn)[0], 330, 34, 8, turn), STRAW)
        sheet.fill(rounded(*moved([(0, 20)], x, 540, turn)[0], 230, 220, 110, turn), CREAM)
        for lean in (-26, 0, 26):
            px, py = moved([(0, 108)], x, 540, turn)[0]
            ear(sheet, px, py, turn + lean, 120, BARK)
    return sheet


def buns() -> Sheet:
    sheet = warm_stage()
    shadow(sheet, 600, 410, WARM_SHADOW)
    for x, y in ((450, 545), (600, 525), (750, 545), (375, 610), (525, 605), (675, 605), (825, 610)):
        sheet.fill(
            smooth(
                [
                    (x - 92, y + 30),
                    (x - 66, y - 54),
                    (x, y - 84),
                    (x + 66, y - 54),
                    (x + 92, y + 30),
                    (x, y + 60),
                ]
            ),
            BARK,
        )
        sheet.fill(
            smooth(
                [
                    (x - 86, y + 28),
                    (x - 62, y - 50),
                    (x, y - 78),
                    (x + 62, y - 50),
                    (x + 86, y + 28),
                    (x, y + 54),
                ]
            ),
            "#E8C25E",
        )
        sheet.fill(ellipse(x - 28, y - 40, 20, 11, -24), "#F5DFA0")
    sheet.fill(rounded(600, 710, 780, 150, 36), SHELL)
    for y in (680, 715, 750):
        sheet.stroke([(240, y), (960, y)], BARK, 8)
    return sheet


def crate() -> Sheet:
    """Whatever has no drawing of its own: a crate of mixed goods."""
    sheet = stage()
    shadow(sheet, 600, 430)
    for turn in (-30, 0, 30):
        leaf(sheet, 400 + turn, 560, turn, 330, GREEN if turn else LEAF, PALE)
    tomato(sheet, 560, 500, 105)
    apple(sheet, 735, 490, 110, "#D9B84A", "#F5DFA0")
    sheet.fill(
        moved(smooth(knots("0,-1 0.16,-0.9 0.2,0.4 -0.2,0.4 -0.16,-0.9")), 870, 520, 18, 230), "#DF7A33"
    )
    for y in (590, 665, 740):
        sheet.fill(rounded(600, y + 15, 760, 66, 10), SHELL)
        sheet.stroke([(250, y + 16), (950, y + 16)], "#C99A5B", 5)
    for x in (255, 945):
        sheet.fill(rounded(x, 680, 54, 250, 10), BARK)
    sheet.fill(rounded(600, 680, 210, 110, 12), CREAM)
    leaf(sheet, 565, 722, 42, 96, GREEN, LEAF)
    leaf(sheet, 600, 728, 6, 84, LEAF, GREEN)
    return sheet
