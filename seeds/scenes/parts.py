"""Colours and the parts that several scenes share."""

from seeds.drawing import Sheet, ellipse, knots, moved, smooth

#: Flat colours only: the greens and the accent of the product, and what the goods themselves bring.
FOREST, GREEN, LEAF, MIST, DEW = "#123D2B", "#1F6B4A", "#2A7F59", "#DDEFE5", "#F0F7F3"
EMBER, PEACH = "#B4470F", "#FCE7D6"
CREAM, STRAW, SHELL, BARK = "#FFF9EF", "#EBCF97", "#D8AC6C", "#A9773E"
RED, PINK, PLUM, LILAC, LIME = "#C64A2B", "#E58B6B", "#5B3658", "#8A5C86", "#8FBF78"
PALE, SHADE = "#C8E2CF", "#C3DBCD"
WARM_SHADOW = "#DDB191"


def stage(ground: str = MIST, floor: str = SHADE, disc: str = DEW) -> Sheet:
    """Background: a plain wall, a round of light, a table."""
    sheet = Sheet(ground)
    sheet.fill(ellipse(600, 470, 395, 395), disc)
    sheet.fill(knots("0,745 1200,745 1200,900 0,900"), floor)
    return sheet


def warm_stage() -> Sheet:
    return stage(PEACH, "#F2CFB4", CREAM)


def shadow(sheet: Sheet, x: float, across: float, colour: str = "#A9C9B7", y: float = 790) -> None:
    sheet.fill(ellipse(x, y, across, 24), colour)


def leaf(sheet: Sheet, x: float, y: float, turn: float, size: float, colour: str, vein: str) -> None:
    """A leaf whose stalk is at (x, y) and whose tip lies ``size`` units up before turning."""
    sheet.fill(
        moved(smooth(knots("0,0 0.26,-0.3 0.24,-0.68 0,-1 -0.24,-0.68 -0.26,-0.3")), x, y, turn, size), colour
    )
    sheet.stroke(moved([(0, -0.04), (0, -0.82)], x, y, turn, size), vein, max(3, size * 0.022))


def peanut(sheet: Sheet, x: float, y: float, turn: float, size: float, body: str = SHELL) -> None:
    outline = smooth(
        knots(
            "-1,0 -0.82,-0.42 -0.42,-0.5 0,-0.34 0.42,-0.54 0.86,-0.44 1.04,0 0.86,0.44 "
            "0.42,0.54 0,0.34 -0.42,0.5 -0.82,0.42"
        )
    )
    sheet.fill(moved(outline, x, y, turn, size), body)
    for offset, reach in ((-0.2, 0.78), (0.0, 0.86), (0.2, 0.78)):
        path = smooth(
            [
                (-reach, offset),
                (-0.4, offset * 1.5),
                (0, offset * 0.9),
                (0.45, offset * 1.6),
                (reach, offset),
            ],
            closed=False,
        )
        sheet.stroke(moved(path, x, y, turn, size), BARK, size * 0.035)
    for across in (-0.62, -0.32, 0.28, 0.62):
        sheet.stroke(moved([(across, -0.28), (across + 0.04, 0.28)], x, y, turn, size), BARK, size * 0.025)


def ear(sheet: Sheet, x: float, y: float, turn: float, size: float, colour: str) -> None:
    """An ear of rice or wheat standing on (x, y)."""
    sheet.stroke(moved([(0, 0), (0, -1)], x, y, turn, size), colour, size * 0.035)
    for step in range(5):
        for side in (-1, 1):
            sheet.fill(
                moved(
                    moved(ellipse(0, -0.12, 0.06, 0.13), side * 0.05, -0.38 - step * 0.13, side * 34),
                    x,
                    y,
                    turn,
                    size,
                ),
                colour,
            )
    sheet.fill(moved(ellipse(0, -1.08, 0.055, 0.13), x, y, turn, size), colour)
