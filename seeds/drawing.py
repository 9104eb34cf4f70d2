"""Flat shapes on a canvas: everything is a filled polygon, so that it turns, scales and moves alike."""

import math

from PIL import Image, ImageDraw

Point = tuple[float, float]
Shape = list[Point]

#: The sheet, in the units that scenes are drawn in.
WIDTH, HEIGHT = 1200, 900
_FINER = 2


class Sheet:
    """A canvas drawn at twice its size and brought down at the end, for smooth edges."""

    def __init__(self, ground: str) -> None:
        self._image = Image.new("RGB", (WIDTH * _FINER, HEIGHT * _FINER), ground)
        self._pen = ImageDraw.Draw(self._image)

    def fill(self, shape: Shape, colour: str) -> None:
        self._pen.polygon([(x * _FINER, y * _FINER) for x, y in shape], fill=colour)

    def stroke(self, path: Shape, colour: str, width: float) -> None:
        points = [(x * _FINER, y * _FINER) for x, y in path]
        self._pen.line(points, fill=colour, width=round(width * _FINER), joint="curve")
        radius = width * _FINER / 2
        for x, y in (points[0], points[-1]):
            self._pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)

    def image(self) -> Image.Image:
        return self._image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


def ellipse(x: float, y: float, across: float, down: float, turn: float = 0) -> Shape:
    """Return an ellipse about (x, y) with half-axes ``across`` and ``down``, turned by degrees."""
    steps = 96
    circle = [(math.cos(math.tau * i / steps), math.sin(math.tau * i / steps)) for i in range(steps)]
    return moved([(a * across, b * down) for a, b in circle], x, y, turn)


def rounded(x: float, y: float, width: float, height: float, radius: float, turn: float = 0) -> Shape:
    """Return a rectangle about (x, y) with round corners."""
    shape: Shape = []
    corners = ((1, 1, 0), (-1, 1, 90), (-1, -1, 180), (1, -1, 270))
    for across, down, start in corners:
        for step in range(13):
            angle = math.radians(start + step * 7.5)
            shape.append(
                (
                    across * (width / 2 - radius) + radius * math.cos(angle),
                    down * (height / 2 - radius) + radius * math.sin(angle),
                )
            )
    return moved(shape, x, y, turn)


def smooth(knots: Shape, *, closed: bool = True) -> Shape:
    """Return a Catmull-Rom curve through the knots."""
    count = len(knots)
    path: Shape = []
    for i in range(count if closed else count - 1):
        if closed:
            a, b, c, d = (knots[(i + k) % count] for k in (-1, 0, 1, 2))
        else:
            a, b, c, d = (knots[min(max(i + k, 0), count - 1)] for k in (-1, 0, 1, 2))
        for step in range(16):
            t = step / 16
            path.append((_spline(a[0], b[0], c[0], d[0], t), _spline(a[1], b[1], c[1], d[1], t)))
    if not closed:
        path.append(knots[-1])
    return path


def _spline(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t**3)


def moved(shape: Shape, x: float, y: float, turn: float = 0, size: float = 1) -> Shape:
    """Return the shape scaled by ``size``, turned by ``turn`` degrees and put at (x, y)."""
    sine, cosine = math.sin(math.radians(turn)), math.cos(math.radians(turn))
    return [(x + size * (cosine * a - sine * b), y + size * (sine * a + cosine * b)) for a, b in shape]


def knots(text: str) -> Shape:
    """Return the points that ``text`` lists as ``x,y x,y ...``, the way SVG writes them."""
    points = (pair.split(",") for pair in text.split())
    return [(float(x), float(y)) for x, y in points]
