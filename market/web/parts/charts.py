"""Three drawings as plain SVG: stock left over time, the funnel, and who supplies whom.

Each is drawn in three widths, because text that scales with a drawing cannot be read at 390 px; the
style sheet shows the one that fits. Colours are classes of the style sheet (the
page allows no inline style). The figures stand in a table underneath, for everybody. Masses are
grams and are written in tonnes.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from decimal import Decimal
from unicodedata import east_asian_width

from markupsafe import Markup, escape

from market import units
from market.i18n import Language, Message, msg, translate
from market.units import Gram
from market.web.parts import formats

#: A full panel on a desk; half of one, or a tablet; a phone.
WIDE, HALF, NARROW = 860, 520, 340

#: More sources or buyers than this and the smallest share one line.
MOST_NODES = 14

Step = tuple[date, Gram]
Stage = tuple[Message | str, Gram]
Flow = tuple[str, str, Gram]


def step_line(points: Sequence[Step], title: Message | str, language: Language) -> Markup:
    """Draw a quantity that holds until the next point, e.g. the stock left day by day."""
    told = sorted(points)
    if not told:
        return _nothing(language)
    first, last = told[0], told[-1]
    summary = translate(
        msg(
            "{start} {from_mass}，{end} {to_mass}",
            start=formats.day(first[0], language),
            from_mass=formats.tonnes(first[1], language),
            end=formats.day(last[0], language),
            to_mass=formats.tonnes(last[1], language),
        ),
        language,
    )
    rows = [(formats.day(when, language), formats.mass(mass, language)) for when, mass in told]
    heads = (translate(msg("日期"), language), translate(msg("数量"), language))
    return _figure(title, summary, lambda width: _step_svg(told, width, language), heads, rows, language)


def _step_svg(points: Sequence[Step], width: int, language: Language) -> tuple[int, str]:
    height, left, top, bottom = (250 if width > NARROW else 210), 46, 14, 30
    label = formats.tonnes(points[-1][1], language)
    right = max(64, round(text_width(label, 14)) + 18)
    ticks = _ticks(max(mass for _, mass in points))
    most = ticks[-1] or 1
    days = (points[-1][0] - points[0][0]).days or 1

    def x(when: date) -> float:
        return left + (when - points[0][0]).days * (width - left - right) / days

    def y(mass: Decimal | int) -> float:
        return top + float(1 - Decimal(mass) / most) * (height - top - bottom)

    base = height - bottom
    parts = [
        f'<path class="c-grid" d="M{left} {y(tick):.1f}H{width - right}"/>'
        f'<text class="c-tick" x="{left - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">'
        f"{formats.plain(units.tonnes(Gram(tick)))}</text>"
        for tick in ticks
    ]
    path = f"M{x(points[0][0]):.1f} {y(points[0][1]):.1f}"
    path += "".join(f"H{x(when):.1f}V{y(mass):.1f}" for when, mass in points[1:])
    if len(points) == 1:
        path += f"H{width - right}"
    parts.append(f'<path class="c-area" d="{path}V{base}H{left}Z"/><path class="c-line" d="{path}"/>')
    end_x = x(points[-1][0]) if len(points) > 1 else width - right
    end_y = y(points[-1][1])
    parts.append(f'<circle class="c-dot" cx="{end_x:.1f}" cy="{end_y:.1f}" r="4"/>')
    parts.append(f'<text class="c-strong" x="{end_x + 10:.1f}" y="{end_y + 5:.1f}">{label}</text>')
    parts.append(_tick_days(points, height, x, language))
    return height, "".join(parts)


def _tick_days(points: Sequence[Step], height: int, x: Callable[[date], float], language: Language) -> str:
    """Write as many days as have room beside one another, the first and the last among them.

    Those two stand from their place inwards, so that the one beside them needs more room.
    """
    shown: list[date] = []
    last = points[-1][0]
    for when, _ in points:
        if when == last or (
            (not shown or x(when) - x(shown[-1]) >= (108 if len(shown) == 1 else 72))
            and (x(last) - x(when) >= 108 or not shown)
        ):
            shown.append(when)
    shown = sorted(set(shown))
    words = []
    for place, when in enumerate(shown):
        anchor = "start" if place == 0 else ("end" if when == last else "middle")
        words.append(
            f'<text class="c-tick" x="{x(when):.1f}" y="{height - 8}" text-anchor="{anchor}">'
            f"{formats.day_short(when, language)}</text>"
        )
    return "".join(words)


def _ticks(most: int) -> list[int]:
    """Return 0 and round steps (1, 2 or 5 times a power of ten) up to at least ``most`` grams."""
    if most <= 0:
        return [0, units.GRAMS_PER_TONNE]
    step = 1
    while step * 50 < most:
        step *= 10
    step = next(step * factor for factor in (1, 2, 5, 10, 20, 50) if step * factor * 4 >= most)
    return [step * n for n in range(-(-most // step) + 1)]


def funnel(stages: Sequence[Stage], title: Message | str, language: Language) -> Markup:
    """Draw what became of the mass, stage by stage; each stage's share is of the first one."""
    told = [(translate(name, language), mass) for name, mass in stages]
    if not told or not told[0][1]:
        return _nothing(language)
    first = told[0][1]
    rows = [(name, formats.mass(mass, language), formats.percent(mass, first)) for name, mass in told]
    summary = "；".join(f"{name} {formats.tonnes(mass, language)}" for name, mass in told)
    if language == "en":
        summary = summary.replace("；", "; ")
    heads = tuple(translate(text, language) for text in (msg("阶段"), msg("数量"), msg("占第一步")))
    return _figure(title, summary, lambda width: _funnel_svg(told, width, language), heads, rows, language)


def _funnel_svg(stages: Sequence[tuple[str, Gram]], width: int, language: Language) -> tuple[int, str]:
    is_wide = width > NARROW
    longest = max(text_width(name, 14) for name, _ in stages)
    row, left = (46, int(min(max(124, longest + 12), width * 0.45))) if is_wide else (58, 0)
    room = width - left - 1
    most = max(mass for _, mass in stages)
    parts = []
    for place, (name, mass) in enumerate(stages):
        top = place * row
        bar_top = top + (9 if is_wide else 24)
        long = max(3.0, room * mass / most) if mass else 0.0
        figure = f"{formats.tonnes(mass, language)} · {formats.percent(mass, stages[0][1])}"
        parts.append(f'<rect class="c-track" x="{left}" y="{bar_top}" width="{room}" height="28" rx="4"/>')
        parts.append(
            f'<rect class="c-bar f{min(place, 4)}" x="{left}" y="{bar_top}" width="{long:.1f}" '
            'height="28" rx="4"/>'
        )
        if is_wide:
            parts.append(_label(name, 0, top + 28, left - 12, "start", "c-label"))
        else:
            parts.append(_label(name, 0, top + 17, width - 130, "start", "c-label"))
        inside = is_wide and long > 190
        at, anchor = (left + long - 12, "end") if inside else (left + long + 10, "start")
        if not is_wide:
            at, anchor, bar_top = width, "end", top - 2
        tone = "c-inside" if inside else "c-figure"
        parts.append(
            f'<text class="{tone}" x="{at:.1f}" y="{bar_top + 19}" text-anchor="{anchor}">{figure}</text>'
        )
    return row * len(stages), "".join(parts)


def sankey(flows: Iterable[Flow], title: Message | str, language: Language) -> Markup:
    """Draw how much goes from each source on the left to each buyer on the right."""
    summed: dict[tuple[str, str], int] = {}
    for source, target, mass in flows:
        if mass > 0:
            summed[source, target] = summed.get((source, target), 0) + mass
    if not summed:
        return _nothing(language)
    ordered = sorted(summed.items(), key=lambda flow: (-flow[1], flow[0]))
    rows = [(a, b, formats.mass(Gram(mass), language)) for (a, b), mass in ordered]
    total = formats.tonnes(Gram(sum(summed.values())), language)
    sources, targets = len({a for a, _ in summed}), len({b for _, b in summed})
    summary = translate(msg("{n} 个产地供 {m} 家，共 {total}", n=sources, m=targets, total=total), language)
    folded = _fold(summed, translate(msg("其他"), language))
    heads = tuple(translate(text, language) for text in (msg("产地"), msg("买方"), msg("数量")))
    return _figure(title, summary, lambda width: _sankey_svg(folded, width, language), heads, rows, language)


def _fold(flows: dict[tuple[str, str], int], rest: str) -> dict[tuple[str, str], int]:
    """Put the smallest sources and the smallest buyers beyond ``MOST_NODES`` together as ``rest``."""
    kept = [set(_largest(flows, side)) for side in (0, 1)]
    folded: dict[tuple[str, str], int] = {}
    for pair, mass in flows.items():
        source, target = (name if name in kept[side] else rest for side, name in enumerate(pair))
        folded[source, target] = folded.get((source, target), 0) + mass
    return folded


def _largest(flows: dict[tuple[str, str], int], side: int) -> list[str]:
    sums: dict[str, int] = {}
    for pair, mass in flows.items():
        sums[pair[side]] = sums.get(pair[side], 0) + mass
    names = sorted(sums, key=lambda name: (-sums[name], name))
    return names if len(names) <= MOST_NODES else names[: MOST_NODES - 1]


def _sankey_svg(flows: dict[tuple[str, str], int], width: int, language: Language) -> tuple[int, str]:
    # a name and its figure stand in one line where there is room, else below each other
    one_line = width == WIDE
    most, bar, gap, line = (230, 10, 22, 5) if one_line else (140, 10, 36, -3)
    if width == NARROW:
        most, bar = 104, 8
    sides = [_heights(flows, side) for side in (0, 1)]
    margin = min(
        most, max(_room(name, mass, one_line, language) for side in sides for name, mass in side.items())
    )
    scale = (240 if one_line else 200) / sum(flows.values())
    tall = [sum(side.values()) * scale + gap * (len(side) - 1) for side in sides]
    height = int(max(tall)) + 28
    tops: list[dict[str, float]] = []
    for side, long in zip(sides, tall, strict=True):
        at = 14 + (max(tall) - long) / 2
        place: dict[str, float] = {}
        for name, mass in side.items():
            place[name] = at
            at += mass * scale + gap
        tops.append(place)
    ports = [dict(place) for place in tops]
    start, end = margin + bar, width - margin - bar
    middle = (start + end) / 2
    parts = []
    tone = {name: f"f{n % 4}" for n, name in enumerate(sides[0])}
    for (a, b), mass in sorted(flows.items(), key=lambda flow: (tops[0][flow[0][0]], tops[1][flow[0][1]])):
        thick = mass * scale
        y0, y1 = ports[0][a] + thick / 2, ports[1][b] + thick / 2
        ports[0][a] += thick
        ports[1][b] += thick
        parts.append(
            f'<path class="c-flow {tone[a]}" stroke-width="{max(thick, 1):.1f}" '
            f'd="M{start} {y0:.1f}C{middle:g} {y0:.1f} {middle:g} {y1:.1f} {end} {y1:.1f}">'
            f"<title>{escape(a)} → {escape(b)} {formats.tonnes(Gram(mass), language)}</title></path>"
        )
    for number, side in enumerate(sides):
        x = margin if number == 0 else end
        at, anchor = (x - 8, "end") if number == 0 else (x + bar + 8, "start")
        for name, mass in side.items():
            y = tops[number][name]
            centre = y + mass * scale / 2
            kind = tone[name] if number == 0 else "f0"
            figure = formats.tonnes(Gram(mass), language)
            parts.append(
                f'<rect class="c-node {kind}" x="{x}" y="{y:.1f}" width="{bar}" '
                f'height="{max(mass * scale, 1.5):.1f}"/>'
            )
            name_room = margin - 12 if not one_line else margin - 12 - text_width(figure, 13) - 8
            if one_line:
                words = cut(name, name_room)
                parts.append(
                    f'<text class="c-label" x="{at}" y="{centre + line:.1f}" text-anchor="{anchor}">'
                    f'{escape(words)} <tspan class="c-figure">{figure}</tspan></text>'
                )
            else:
                parts.append(_label(name, at, centre + line, name_room, anchor, "c-label"))
                parts.append(
                    f'<text class="c-figure" x="{at}" y="{centre + 13:.1f}" text-anchor="{anchor}">'
                    f"{figure}</text>"
                )
    return height, "".join(parts)


def _room(name: str, mass: int, one_line: bool, language: Language) -> int:
    """Return the px that a node's words take up beside the drawing."""
    figure = text_width(formats.tonnes(Gram(mass), language), 13)
    both = text_width(name, 14) + 8 + figure if one_line else max(text_width(name, 14), figure)
    return int(both) + 20


def _heights(flows: dict[tuple[str, str], int], side: int) -> dict[str, int]:
    sums: dict[str, int] = {}
    for pair, mass in flows.items():
        sums[pair[side]] = sums.get(pair[side], 0) + mass
    return dict(sorted(sums.items(), key=lambda one: (-one[1], one[0])))


def text_width(text: str, size: int) -> float:
    """Estimate the width of ``text`` in px: a Chinese sign is a square, others a bit over half of one."""
    return sum(size if east_asian_width(sign) in "WF" else size * 0.56 for sign in text)


def cut(text: str, room: float, size: int = 14) -> str:
    """Shorten ``text`` to ``room`` px, with an ellipsis."""
    if text_width(text, size) <= room:
        return text
    kept = ""
    for sign in text:
        if text_width(kept + sign, size) > room - size:
            break
        kept += sign
    return f"{kept.rstrip()}…"


def _label(text: str, x: float, y: float, room: float, anchor: str, tone: str) -> str:
    words = cut(text, room)
    full = f"<title>{escape(text)}</title>" if words != text else ""
    return f'<text class="{tone}" x="{x:g}" y="{y:.1f}" text-anchor="{anchor}">{full}{escape(words)}</text>'


def _figure(
    title: Message | str,
    summary: str,
    draw: Callable[[int], tuple[int, str]],
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    language: Language,
) -> Markup:
    name = escape(translate(title, language))
    drawings = []
    for width, shown in ((WIDE, "wide"), (HALF, "half"), (NARROW, "narrow")):
        height, parts = draw(width)
        drawings.append(
            f'<svg class="chart-{shown}" viewBox="0 0 {width} {height}" role="img" aria-label="{name}">'
            f"<title>{name}</title><desc>{escape(summary)}</desc>{parts}</svg>"
        )
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    see = escape(translate(msg("看数据"), language))
    return Markup(  # noqa: S704 - every text in it is escaped above
        f'{"".join(drawings)}<details class="chart-table"><summary>{see}</summary>'
        f"<table><caption>{name}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></details>"
    )


def _nothing(language: Language) -> Markup:
    words = translate(msg("还没有可画的数字。有了第一笔之后，这里会显示出来。"), language)
    return Markup('<p class="chart-empty">{}</p>').format(words)
