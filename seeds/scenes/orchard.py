"""From the orchard, the wood and the water."""

from seeds.drawing import Shape, Sheet, ellipse, knots, moved, smooth
from seeds.scenes.parts import (
    BARK,
    CREAM,
    FOREST,
    GREEN,
    LEAF,
    LILAC,
    LIME,
    PALE,
    PINK,
    PLUM,
    RED,
    SHELL,
    STRAW,
    WARM_SHADOW,
    leaf,
    shadow,
    stage,
    warm_stage,
)


def _berries(colour: str, light: str) -> Sheet:
    sheet = stage()
    sheet.stroke(smooth([(640, 130), (610, 200), (600, 290)], closed=False), BARK, 22)
    leaf(sheet, 610, 220, -66, 250, GREEN, LEAF)
    leaf(sheet, 612, 215, 62, 230, LEAF, GREEN)
    shadow(sheet, 600, 150)
    for row, count in enumerate((4, 5, 5, 4, 3, 2, 1)):
        for i in range(count):
            x, y = 600 + (i - (count - 1) / 2) * 96, 310 + row * 74
            sheet.fill(ellipse(x, y, 58, 58), FOREST if colour == LIME else "#40243E")
            sheet.fill(ellipse(x, y, 54, 54), colour)
            sheet.fill(ellipse(x - 18, y - 20, 12, 15, 30), light)
    return sheet


def grapes() -> Sheet:
    return _berries(PLUM, LILAC)


def green_grapes() -> Sheet:
    return _berries(LIME, "#DDE9B8")


def apple(sheet: Sheet, x: float, y: float, size: float, colour: str, light: str) -> None:
    sheet.fill(
        moved(
            smooth(
                knots(
                    "0,-0.62 0.46,-0.86 0.94,-0.5 0.96,0.16 0.58,0.84 0.16,0.94 0,0.86 -0.16,0.94 "
                    "-0.58,0.84 -0.96,0.16 -0.94,-0.5 -0.46,-0.86"
                )
            ),
            x,
            y,
            0,
            size,
        ),
        colour,
    )
    sheet.fill(moved(ellipse(-0.56, -0.28, 0.12, 0.25, 24), x, y, 0, size), light)
    sheet.stroke(
        moved(smooth([(0, -0.58), (0.04, -0.86), (0.16, -1.1)], closed=False), x, y, 0, size),
        BARK,
        size * 0.08,
    )
    leaf(sheet, x + size * 0.08, y - size * 0.82, 66, size * 0.62, GREEN, LEAF)


def apples() -> Sheet:
    sheet = stage()
    shadow(sheet, 600, 400)
    apple(sheet, 395, 640, 165, "#D65A38", PINK)
    apple(sheet, 815, 640, 165, LIME, "#DDE9B8")
    apple(sheet, 600, 590, 205, RED, PINK)
    return sheet


def pears() -> Sheet:
    sheet = warm_stage()
    shadow(sheet, 600, 390, WARM_SHADOW)
    for x, y, size, colour in (
        (400, 625, 170, "#D9B84A"),
        (805, 625, 170, "#C9C25A"),
        (600, 570, 215, "#E2C45A"),
    ):
        sheet.fill(
            moved(
                smooth(
                    knots(
                        "0,-1 0.3,-0.86 0.4,-0.4 0.78,0.1 0.84,0.62 0.45,0.96 -0.45,0.96 -0.84,0.62 "
                        "-0.78,0.1 -0.4,-0.4 -0.3,-0.86"
                    )
                ),
                x,
                y,
                0,
                size,
            ),
            colour,
        )
        sheet.fill(moved(ellipse(0.42, 0.42, 0.26, 0.34, -18), x, y, 0, size), "#E0895A")
        for across, down in ((-0.4, 0.3), (-0.2, 0.6), (-0.5, 0.62), (-0.12, 0.1), (0.05, 0.8)):
            sheet.fill(moved(ellipse(across, down, 0.028, 0.028), x, y, 0, size), BARK)
        sheet.stroke(
            moved(smooth([(0, -0.96), (0.03, -1.15), (0.13, -1.32)], closed=False), x, y, 0, size),
            BARK,
            size * 0.075,
        )
        leaf(sheet, x + size * 0.06, y - size * 1.08, 70, size * 0.55, GREEN, LEAF)
    return sheet


def nuts() -> Sheet:
    sheet = warm_stage()
    shadow(sheet, 600, 400, WARM_SHADOW)
    shell = smooth(knots("0,-1 0.66,-0.44 0.9,0.26 0.5,0.7 -0.5,0.7 -0.9,0.26 -0.66,-0.44"))
    for x, y, size, turn in ((390, 660, 150, -16), (810, 660, 150, 18), (600, 580, 200, 0)):
        sheet.fill(moved(shell, x, y, turn, size), "#7A4526")
        sheet.fill(
            moved(smooth(knots("-0.84,0.36 0,0.2 0.84,0.36 0.5,0.7 -0.5,0.7")), x, y, turn, size), STRAW
        )
        sheet.stroke(
            moved(smooth([(-0.36, -0.46), (-0.52, 0), (-0.56, 0.2)], closed=False), x, y, turn, size),
            "#A9683F",
            size * 0.08,
        )
    return sheet


def mushrooms() -> Sheet:
    sheet = stage()
    shadow(sheet, 600, 380)
    for x, y, size, cap in ((400, 610, 165, BARK), (810, 620, 150, SHELL), (600, 540, 230, "#8A5A2E")):
        sheet.fill(
            moved(
                smooth(knots("-0.26,-0.1 0.26,-0.1 0.24,0.5 0.36,1 0,1.1 -0.36,1 -0.24,0.5")), x, y, 0, size
            ),
            CREAM,
        )
        sheet.fill(moved(ellipse(0, -0.02, 0.82, 0.2), x, y, 0, size), "#E9D8BC")
        sheet.fill(
            moved(
                smooth(
                    knots(
                        "-1,-0.02 -0.86,-0.5 -0.4,-0.86 0,-0.94 0.4,-0.86 0.86,-0.5 1,-0.02 0.5,-0.12 "
                        "0,-0.16 -0.5,-0.12"
                    )
                ),
                x,
                y,
                0,
                size,
            ),
            cap,
        )
        for across, down in ((-0.42, -0.46), (0.05, -0.68), (0.46, -0.42)):
            sheet.fill(moved(ellipse(across, down, 0.1, 0.06, across * 40), x, y, 0, size), STRAW)
    return sheet


def wood_ear() -> Sheet:
    sheet = warm_stage()
    shadow(sheet, 600, 400, WARM_SHADOW)
    for x, y, turn, size, colour in (
        (410, 650, -12, 200, "#3A2A25"),
        (795, 660, 14, 195, "#3A2A25"),
        (600, 560, 0, 240, "#54403A"),
    ):
        sheet.fill(
            moved(
                smooth(
                    knots(
                        "-1,0.1 -0.8,-0.4 -0.45,-0.3 -0.2,-0.68 0.25,-0.5 0.56,-0.62 0.98,-0.1 0.8,0.38 "
                        "0.3,0.5 0,0.36 -0.4,0.56"
                    )
                ),
                x,
                y,
                turn,
                size,
            ),
            colour,
        )
        for reach in (0.3, 0.55):
            sheet.stroke(
                moved(
                    smooth(
                        [
                            (-reach, 0.2),
                            (-reach * 0.6, -0.2),
                            (0, -reach * 0.6),
                            (reach * 0.7, -0.16),
                            (reach, 0.16),
                        ],
                        closed=False,
                    ),
                    x,
                    y,
                    turn,
                    size,
                ),
                "#7B635A",
                size * 0.035,
            )
    return sheet


def herbs() -> Sheet:
    sheet = stage()
    shadow(sheet, 600, 250)
    for turn in (-46, -16, 16, 46):
        leaf(sheet, 600 + turn * 0.6, 400, turn, 290, GREEN if turn < 0 else LEAF, PALE)
    for x, y in ((545, 225), (600, 195), (655, 225), (600, 255)):
        sheet.fill(ellipse(x, y, 27, 27), RED)
        sheet.fill(ellipse(x - 9, y - 9, 7, 7), PINK)
    sheet.stroke([(600, 420), (600, 260)], GREEN, 16)
    sheet.fill(
        smooth(
            knots(
                "560,400 640,400 676,500 660,590 700,700 720,790 660,715 612,640 590,700 "
                "520,795 500,790 545,690 540,590 524,500"
            )
        ),
        STRAW,
    )
    for y in (470, 520, 570):
        sheet.stroke(smooth([(552, y), (600, y + 12), (648, y)], closed=False), BARK, 7)
    for a, b in (((535, 540), (440, 640)), ((668, 540), (770, 650)), ((545, 690), (450, 770))):
        sheet.stroke(smooth([a, ((a[0] + b[0]) / 2, a[1] + 30), b], closed=False), STRAW, 15)
    return sheet


def crab() -> Sheet:
    sheet = stage()
    shadow(sheet, 600, 400)
    for side in (-1, 1):
        for step in range(4):
            y = 560 + step * 48
            sheet.stroke(
                smooth(
                    [
                        (600 + side * 190, y),
                        (600 + side * (350 - step * 14), y - 60 + step * 26),
                        (600 + side * (410 - step * 30), y + 80),
                    ],
                    closed=False,
                ),
                GREEN,
                30,
            )
        sheet.stroke(
            smooth([(600 + side * 180, 500), (600 + side * 310, 440), (600 + side * 300, 330)], closed=False),
            GREEN,
            46,
        )
        claw = smooth(
            knots(
                "0,0.5 0.5,0.2 0.56,-0.4 0.2,-0.9 0.22,-0.3 0,-0.1 -0.2,-0.4 -0.12,-0.95 -0.5,-0.4 -0.42,0.2"
            )
        )
        sheet.fill(moved(claw, 600 + side * 285, 270, side * -14, 120), LEAF)
        sheet.stroke([(600 + side * 70, 440), (600 + side * 84, 392)], GREEN, 14)
        sheet.fill(ellipse(600 + side * 86, 384, 18, 18), FOREST)
    sheet.fill(smooth(knots("600,420 760,440 850,560 780,700 600,760 420,700 350,560 440,440")), LEAF)
    sheet.stroke(smooth(knots("500,540 560,590 600,570 640,590 700,540"), closed=False), GREEN, 16)
    for x in (470, 730):
        sheet.fill(ellipse(x, 620, 26, 18), GREEN)
    return sheet


def fish() -> Sheet:
    sheet = stage()
    shadow(sheet, 600, 390)
    for y, flip, colour, light in ((660, -1, LEAF, PALE), (480, 1, GREEN, PALE)):

        def put(shape: Shape, y: int = y, flip: int = flip) -> Shape:
            return [(600 + flip * a, y + b) for a, b in shape]

        sheet.fill(put(smooth(knots("200,-10 330,-110 372,-90 330,0 372,96 330,112 200,20"))), colour)
        sheet.fill(put(smooth([(-60, -90), (40, -160), (130, -90)])), colour)
        sheet.fill(put(smooth(knots("-350,10 -220,-90 0,-122 180,-60 260,0 180,62 0,116 -220,96"))), colour)
        sheet.fill(put(smooth(knots("-330,26 -200,92 0,112 170,64 0,66 -200,52"))), light)
        sheet.fill(put(ellipse(-255, -14, 20, 20)), CREAM)
        sheet.fill(put(ellipse(-255, -14, 10, 10)), FOREST)
        sheet.stroke(put(smooth([(-170, -66), (-150, 0), (-172, 60)], closed=False)), light, 9)
        for across in range(-80, 160, 70):
            for down in (-36, 8):
                sheet.stroke(
                    put(
                        smooth(
                            [(across - 14, down - 20), (across + 8, down), (across - 14, down + 20)],
                            closed=False,
                        )
                    ),
                    light,
                    6,
                )
    return sheet
