"""From the garden and the greenhouse."""

from collections.abc import Sequence

from seeds.drawing import Shape, Sheet, ellipse, knots, moved, rounded, smooth
from seeds.scenes.parts import (
    BARK,
    CREAM,
    EMBER,
    FOREST,
    GREEN,
    LEAF,
    LILAC,
    LIME,
    PALE,
    PEACH,
    PINK,
    PLUM,
    RED,
    WARM_SHADOW,
    leaf,
    shadow,
    stage,
    warm_stage,
)


def cabbage() -> Sheet:
    sheet = stage()
    shadow(sheet, 600, 330)
    for side in (-1, 1):
        sheet.fill(
            smooth(
                [
                    (600 + side * 20, 790),
                    (600 + side * 260, 700),
                    (600 + side * 330, 480),
                    (600 + side * 250, 270),
                    (600 + side * 130, 330),
                    (600 + side * 60, 560),
                ]
            ),
            GREEN if side < 0 else LEAF,
        )
        sheet.stroke(
            smooth([(600 + side * 60, 760), (600 + side * 190, 600), (600 + side * 235, 380)], closed=False),
            PALE,
            12,
        )
        sheet.stroke(smooth([(600 + side * 170, 630), (600 + side * 265, 560)], closed=False), PALE, 8)
        sheet.stroke(smooth([(600 + side * 205, 520), (600 + side * 285, 440)], closed=False), PALE, 8)
    sheet.fill(
        smooth(knots("600,800 435,740 400,520 430,300 510,200 600,175 690,200 770,300 800,520 765,740")), LIME
    )
    sheet.fill(smooth(knots("600,800 500,745 470,560 500,360 600,290 700,360 730,560 700,745")), "#DDE9B8")
    sheet.fill(smooth(knots("600,805 545,770 560,600 585,430 600,350 615,430 640,600 655,770")), CREAM)
    for side in (-1, 1):
        for low, high in ((640, 540), (540, 440)):
            sheet.stroke(
                smooth(
                    [
                        (600 + side * 26, low),
                        (600 + side * 70, (low + high) / 2),
                        (600 + side * 96, high - 20),
                    ],
                    closed=False,
                ),
                CREAM,
                9,
            )
    return sheet


def _greens(stalk: str, colours: Sequence[str], band: str) -> Sheet:
    """A bunch of leaves with a band about it."""
    sheet = stage()
    shadow(sheet, 600, 250)
    for i, turn in enumerate((-44, 44, -27, 27, -12, 12, 0)):
        colour = colours[i % len(colours)]
        sheet.stroke(moved([(0, 170), (0, -170)], 600 + turn * 1.1, 620, turn * 0.75), stalk, 26)
        leaf(sheet, 600 + turn * 3.3, 545, turn, 350 - abs(turn) * 1.2, colour, stalk)
    sheet.fill(rounded(600, 668, 190, 56, 20), band)
    return sheet


def leaf_vegetable() -> Sheet:
    return _greens(LIME, (GREEN, LEAF, "#3F9A6B"), EMBER)


def _blades(white: float, head: str, line: str) -> Sheet:
    """Chives or onions: long blades tied in a sheaf, ``white`` the length of their pale foot."""
    sheet = stage()
    shadow(sheet, 600, 250)
    for i in (0, 8, 1, 7, 2, 6, 3, 5, 4):
        lean = i - 4
        foot, waist, top = 600 + lean * 34, 600 + lean * 30, 600 + lean * 64
        path = smooth([(foot, 780), (waist, 570), (top, 190 + abs(lean) * 28)], closed=False)
        sheet.stroke(path, (GREEN, LEAF, "#3F9A6B")[i % 3], 30)
        pale = [(foot, 780), (foot + (waist - foot) * white / 210, 780 - white)]
        sheet.stroke(pale, line, 38)
        sheet.stroke(pale, head, 30)
    sheet.fill(rounded(600, 560, 320, 50, 20), EMBER)
    return sheet


def chives() -> Sheet:
    return _blades(60, CREAM, "#9CC4AB")


def welsh_onion() -> Sheet:
    return _blades(190, CREAM, "#9CC4AB")


def tomato(sheet: Sheet, x: float, y: float, size: float, colour: str = RED) -> None:
    sheet.fill(
        moved(
            smooth(
                knots(
                    "0,-0.82 0.62,-0.84 1.02,-0.3 0.95,0.42 0.5,0.86 -0.5,0.86 -0.95,0.42 "
                    "-1.02,-0.3 -0.62,-0.84"
                )
            ),
            x,
            y,
            0,
            size,
        ),
        colour,
    )
    sheet.fill(moved(ellipse(-0.56, -0.3, 0.13, 0.26, 28), x, y, 0, size), PINK)
    for turn in (-100, -50, 0, 50, 100):
        sheet.fill(
            moved(smooth(knots("0,0.02 0.11,-0.24 0,-0.52 -0.11,-0.24")), x, y - size * 0.72, turn, size),
            GREEN,
        )
    sheet.stroke([(x, y - size * 0.74), (x + size * 0.1, y - size * 1.12)], GREEN, size * 0.1)


def tomatoes() -> Sheet:
    sheet = stage()
    shadow(sheet, 600, 400)
    tomato(sheet, 385, 655, 165)
    tomato(sheet, 815, 655, 165, "#D65A38")
    tomato(sheet, 600, 610, 200)
    return sheet


def _cucumber(sheet: Sheet, x: float, y: float, turn: float, size: float) -> None:
    sheet.fill(
        moved(
            smooth(
                knots(
                    "-1,0.02 -0.9,-0.15 -0.4,-0.22 0.3,-0.2 0.86,-0.13 0.98,0.04 0.86,0.17 0.3,0.2 "
                    "-0.4,0.16 -0.9,0.15"
                )
            ),
            x,
            y,
            turn,
            size,
        ),
        GREEN,
    )
    for across in (-0.12, 0, 0.1):
        sheet.stroke(moved([(-0.72, across), (0.7, across)], x, y, turn, size), LEAF, size * 0.022)
    for step in range(6):
        sheet.fill(
            moved(ellipse(-0.62 + step * 0.25, 0.06 - 0.12 * (step % 2), 0.018, 0.018), x, y, turn, size),
            PALE,
        )
    sheet.fill(moved(smooth(knots("0.9,-0.05 1.02,-0.12 1.1,0 1.02,0.1")), x, y, turn, size), "#E9C14B")


def cucumbers() -> Sheet:
    sheet = stage()
    shadow(sheet, 600, 380)
    _cucumber(sheet, 590, 690, -4, 350)
    _cucumber(sheet, 620, 560, 8, 340)
    for x, y in ((330, 660), (440, 700)):
        sheet.fill(ellipse(x, y + 40, 82, 82), GREEN)
        sheet.fill(ellipse(x, y + 40, 68, 68), "#DDE9B8")
        for turn in range(0, 360, 60):
            sheet.fill(moved(ellipse(0, -34, 7, 15), x, y + 40, turn), CREAM)
    return sheet


def eggplants() -> Sheet:
    sheet = stage()
    shadow(sheet, 600, 390)
    for x, y, turn in ((470, 640, -64), (735, 620, -112)):
        sheet.fill(
            moved(
                smooth(knots("-0.2,-1 0.2,-1 0.34,-0.4 0.46,0.35 0.26,0.85 -0.22,0.87 -0.44,0.4 -0.32,-0.4")),
                x,
                y,
                turn,
                270,
            ),
            PLUM,
        )
        sheet.stroke(
            moved(smooth([(-0.16, -0.55), (-0.24, 0), (-0.22, 0.45)], closed=False), x, y, turn, 270),
            LILAC,
            16,
        )
        sheet.fill(
            moved(
                smooth(
                    knots("0,-1.16 0.26,-1 0.22,-0.72 0.08,-0.84 0,-0.62 -0.08,-0.84 -0.22,-0.72 -0.26,-1")
                ),
                x,
                y,
                turn,
                270,
            ),
            GREEN,
        )
        sheet.stroke(moved([(0, -1.08), (0.03, -1.32)], x, y, turn, 270), GREEN, 26)
    return sheet


def peppers() -> Sheet:
    sheet = stage()
    shadow(sheet, 600, 380)
    for x, y, size, colour, light in (
        (420, 610, 190, FOREST, LEAF),
        (785, 620, 180, RED, PINK),
        (600, 580, 220, LEAF, LIME),
    ):
        sheet.fill(
            moved(
                smooth(
                    knots(
                        "-0.1,-0.66 -0.6,-0.84 -0.92,-0.35 -0.74,0.5 -0.4,0.9 0,0.78 0.4,0.9 0.74,0.5 "
                        "0.92,-0.35 0.6,-0.84 0.1,-0.66"
                    )
                ),
                x,
                y,
                0,
                size,
            ),
            colour,
        )
        sheet.stroke(
            moved(smooth([(-0.5, -0.46), (-0.56, 0), (-0.42, 0.5)], closed=False), x, y, 0, size),
            light,
            size * 0.09,
        )
        sheet.stroke(
            moved(smooth([(0.02, -0.6), (0.12, 0), (0.02, 0.62)], closed=False), x, y, 0, size),
            light,
            size * 0.035,
        )
        sheet.stroke(
            moved(smooth([(0, -0.68), (0.02, -0.92), (0.16, -1.1)], closed=False), x, y, 0, size),
            FOREST,
            size * 0.13,
        )
    return sheet


def potatoes() -> Sheet:
    sheet = warm_stage()
    shadow(sheet, 600, 400, WARM_SHADOW)
    for x, y, turn, size, colour in (
        (395, 680, -10, 175, "#CFA163"),
        (800, 685, 14, 170, "#CFA163"),
        (605, 590, 4, 205, "#E0BA80"),
    ):
        sheet.fill(
            moved(
                smooth(knots("-1,0 -0.78,-0.56 -0.1,-0.72 0.66,-0.6 1,0 0.74,0.55 0.05,0.66 -0.74,0.6")),
                x,
                y,
                turn,
                size,
            ),
            colour,
        )
        for across, down in (
            (-0.5, -0.2),
            (0.15, -0.4),
            (0.55, 0.05),
            (-0.1, 0.2),
            (-0.6, 0.26),
            (0.3, 0.42),
        ):
            sheet.fill(moved(ellipse(across, down, 0.055, 0.032), x, y, turn, size), BARK)
    return sheet


def _tuber(skin: str, line: str, flesh: str) -> Sheet:
    sheet = warm_stage()
    shadow(sheet, 600, 400, WARM_SHADOW)
    body = smooth(knots("-1.1,0.06 -0.7,-0.3 0,-0.42 0.66,-0.3 1.14,0.02 0.64,0.34 0,0.42 -0.66,0.3"))
    for x, y, turn, size, colour in (
        (600, 560, -6, 255, line),
        (395, 700, 8, 215, skin),
        (785, 705, -8, 220, skin),
    ):
        sheet.fill(moved(body, x, y, turn, size), colour)
        for across, down in ((-0.6, -0.05), (-0.1, -0.2), (0.4, -0.02), (-0.2, 0.2), (0.7, 0.08)):
            sheet.stroke(
                moved([(across - 0.08, down), (across + 0.08, down + 0.02)], x, y, turn, size),
                line if colour == skin else skin,
                size * 0.026,
            )
    sheet.fill(ellipse(868, 560, 84, 92, -12), line)
    sheet.fill(ellipse(868, 560, 70, 78, -12), flesh)
    sheet.fill(ellipse(868, 560, 34, 40, -12), PEACH if flesh != LILAC else "#B58BB1")
    return sheet


def sweet_potatoes() -> Sheet:
    return _tuber("#B5573A", "#8A3B26", "#EFA45C")


def purple_sweet_potatoes() -> Sheet:
    return _tuber(PLUM, "#40243E", LILAC)


def _roots(flesh: str, line: str, body: Shape) -> Sheet:
    sheet = stage()
    shadow(sheet, 600, 330)
    for x, turn in ((430, -10), (770, 10), (600, 0)):
        for lean in (-30, -10, 12, 32):
            leaf(sheet, x, 420, turn + lean, 250, GREEN if lean < 0 else LEAF, PALE)
        sheet.fill(moved(body, x, 600, turn, 208), line)
        sheet.fill(moved(body, x, 600, turn, 198), flesh)
        for down in (-0.4, -0.05, 0.3):
            sheet.stroke(moved([(-0.3, down), (-0.08, down + 0.03)], x, 600, turn, 200), line, 7)
    return sheet


def carrots() -> Sheet:
    return _roots(
        "#DF7A33",
        EMBER,
        smooth(knots("-0.34,-0.86 0,-0.96 0.34,-0.86 0.36,-0.4 0.16,0.5 0,1.02 -0.16,0.5 -0.36,-0.4")),
    )


def radishes() -> Sheet:
    return _roots(
        CREAM,
        "#A9C3AE",
        smooth(knots("-0.32,-0.9 0,-0.98 0.32,-0.9 0.46,-0.2 0.36,0.5 0,1.02 -0.36,0.5 -0.46,-0.2")),
    )
