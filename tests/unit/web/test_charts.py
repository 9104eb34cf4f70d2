"""Drawings: valid SVG without inline style, within their width, whatever comes in."""

import re
from datetime import date, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from market.i18n import msg
from market.units import Gram
from market.web.parts import charts

DAY = date(2026, 11, 1)
MASS = st.integers(0, 10**12).map(Gram)
NAME = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=60)


def parsed(drawing: Markup) -> ElementTree.Element:
    return ElementTree.fromstring(f"<div>{drawing}</div>")


def numbers(tree: ElementTree.Element) -> list[float]:
    paths = " ".join(part.get("d", "") for svg in tree.iter("svg") for part in svg.iter())
    return [float(value) for value in re.findall(r"-?\d+\.?\d*", paths)]


@given(st.lists(st.tuples(st.dates(DAY, DAY + timedelta(days=400)), MASS), max_size=30))
def test_step_line_is_drawn_for_any_points(points: list[tuple[date, Gram]]) -> None:
    tree = parsed(charts.step_line(points, msg("剩余库存"), "zh"))
    assert len(list(tree.iter("svg"))) == (3 if points else 0)
    assert all(0 <= number <= charts.WIDE for number in numbers(tree))


@given(st.lists(st.tuples(NAME, MASS), max_size=6))
def test_funnel_is_drawn_for_any_stages(stages: list[tuple[str, Gram]]) -> None:
    tree = parsed(
        charts.funnel([(name.replace("{", "").replace("}", ""), mass) for name, mass in stages], "漏斗", "en")
    )
    assert len(list(tree.iter("svg"))) == (3 if stages and stages[0][1] else 0)


@given(st.lists(st.tuples(NAME, NAME, MASS), max_size=40))
def test_sankey_is_drawn_for_any_flows(flows: list[tuple[str, str, Gram]]) -> None:
    tree = parsed(charts.sankey(flows, "流向", "zh"))
    drawn = [flow for flow in flows if flow[2]]
    assert len(list(tree.iter("svg"))) == (3 if drawn else 0)
    for svg in tree.iter("svg"):
        nodes = list(svg.iter("rect"))
        assert len(nodes) <= 2 * charts.MOST_NODES
        assert all(0 <= float(node.get("x", "-1")) <= charts.WIDE for node in nodes)


def test_sankey_masses_are_summed_and_listed() -> None:
    tree = parsed(
        charts.sankey(
            [("东余村", "永辉", Gram(2_000_000)), ("东余村", "永辉", Gram(3_000_000))], "流向", "zh"
        )
    )
    assert [["".join(cell.itertext()) for cell in row] for row in tree.iter("tr")] == [
        ["产地", "买方", "数量"],
        ["东余村", "永辉", "10,000 斤 / 5 吨"],
    ]


@pytest.mark.parametrize(
    "drawing",
    [
        charts.step_line([(DAY, Gram(5_000_000)), (DAY + timedelta(days=1), Gram(0))], "a", "en"),
        charts.funnel([("<b>", Gram(5_000_000)), ("b", Gram(1))], "a", "en"),
        charts.sankey([("<script>", "超" * 80, Gram(5_000_000))], 'a"b', "en"),
    ],
)
def test_drawing_is_named_has_a_table_and_no_inline_style(drawing: Markup) -> None:
    tree = parsed(drawing)
    for svg in tree.iter("svg"):
        assert svg.get("role") == "img"
        assert svg.get("aria-label")
        assert [child.tag for child in svg][:2] == ["title", "desc"]
    assert len(list(tree.iter("table"))) == 1
    assert not re.search(r"\sstyle=|<script", drawing)


def test_long_names_are_cut_on_a_phone_and_told_in_full() -> None:
    name = "满都户镇丰收花生种植专业合作社"
    tree = parsed(charts.sankey([(name, "永辉", Gram(1_000_000))], "流向", "zh"))
    narrow = next(svg for svg in tree.iter("svg") if svg.get("class") == "chart-narrow")
    words = next(text for text in narrow.iter("text"))
    assert "".join(words.itertext()) == f"{name}满都户镇丰…"


def test_nothing_to_draw_says_so() -> None:
    assert "还没有可画的数字" in charts.step_line([], "a", "zh")
    assert charts.funnel([("a", Gram(0))], "a", "en") == charts.sankey([], "a", "en")
