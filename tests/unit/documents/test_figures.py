"""Figures as a Chinese contract writes them."""

import pytest

from market.documents.figures import both_masses, capitals


@pytest.mark.parametrize(
    ("grams", "text"),
    [
        (169_725, "339.45 斤（169.725 公斤）"),
        (500_000, "1,000 斤（0.5 吨）"),
        (1_169_725, "2,339.45 斤（1.169725 吨）"),
        (75_001, "150.002 斤（75.001 公斤）"),
    ],
)
def test_both_quantities_are_the_same(grams: int, text: str) -> None:
    assert both_masses(grams) == text


@pytest.mark.parametrize(
    ("fen", "text"),
    [
        (0, "零元整"),
        (3, "叁分"),
        (50, "伍角整"),
        (420_000, "肆仟贰佰元整"),
        (35_280_000, "叁拾伍万贰仟捌佰元整"),
        (1_000_503, "壹万零伍元零叁分"),
        (140_950, "壹仟肆佰零玖元伍角整"),
        (680_014, "陆仟捌佰元壹角肆分"),
        (100_000_000, "壹佰万元整"),
        (100_010_000, "壹佰万零壹佰元整"),
        (1_000_000_200_000, "壹佰亿零贰仟元整"),
    ],
)
def test_money_in_capitals(fen: int, text: str) -> None:
    assert capitals(fen) == text
