"""Figures as they are written, in both languages."""

from datetime import date, datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.i18n import Language
from market.units import Fen, FenPerKg, Gram
from market.web.parts import formats


@pytest.mark.parametrize(
    ("grams", "language", "text"),
    [
        (12_500_000, "zh", "25,000 斤 / 12.5 吨"),
        (12_500_000, "en", "25,000 jin / 12.5 t"),
        (75_000, "zh", "150 斤 / 75 公斤"),
        (250, "zh", "0.5 斤 / 0.25 公斤"),
        # both are the same mass, to the gram
        (169_725, "zh", "339.45 斤 / 169.725 公斤"),
        (1_169_725, "zh", "2,339.45 斤 / 1.169725 吨"),
        (1_000_001, "en", "2,000.002 jin / 1.000001 t"),
        (0, "zh", "0 斤 / 0 公斤"),
        (500_000_000_000, "en", "1,000,000,000 jin / 500,000 t"),
    ],
)
def test_mass_shows_two_units(grams: int, language: Language, text: str) -> None:
    assert formats.mass(Gram(grams), language) == text


@pytest.mark.parametrize(
    ("fen", "language", "text"),
    [
        (170, "zh", "0.85 元/斤 · 1.70 元/公斤"),
        (170, "en", "¥0.85/jin · ¥1.70/kg"),
        (171, "zh", "0.855 元/斤 · 1.71 元/公斤"),
        (200, "zh", "1.00 元/斤 · 2.00 元/公斤"),
    ],
)
def test_price_shows_two_units(fen: int, language: Language, text: str) -> None:
    assert formats.price(FenPerKg(fen), language) == text


@pytest.mark.parametrize(
    ("typed", "text"),
    [("24000", "24,000"), ("1234567.50", "1,234,567.50"), ("850", "850"), ("两千", "两千"), ("", "")],
)
def test_typed_number_is_grouped_and_nothing_else_changed(typed: str, text: str) -> None:
    assert formats.grouped(typed) == text


def test_money_writes_fen_only_where_there_are_any() -> None:
    assert formats.money(Fen(2_125_000), "zh") == "21,250 元"
    assert formats.money(Fen(2_125_050), "en") == "¥21,250.50"
    assert formats.money_short(Fen(212_500_000), "zh") == "212.5 万元"
    assert formats.money_short(Fen(212_500_000), "en") == "¥2.13m"
    assert formats.money_short(Fen(15_000_000), "en") == "¥150k"
    assert formats.money_short(Fen(2_125_000), "zh") == "21,250 元"


def test_days_are_those_of_china() -> None:
    late = datetime(2026, 11, 22, 18, 30, tzinfo=timezone.utc)
    assert formats.day(late, "zh") == "2026年11月23日"
    assert formats.moment(late, "en") == "23 Nov 2026 02:30"
    assert formats.day(date(2026, 1, 5), "en") == "5 Jan 2026"


def test_window_leaves_out_the_year_that_repeats() -> None:
    assert formats.window(date(2026, 11, 1), date(2026, 12, 15), "zh") == "2026年11月1日至12月15日"
    assert formats.window(date(2026, 11, 1), date(2027, 1, 15), "zh") == "2026年11月1日至2027年1月15日"
    assert formats.window(date(2026, 11, 1), date(2026, 12, 15), "en") == "1 Nov to 15 Dec 2026"


@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_percent_never_says_all_or_nothing_falsely(part: int, whole: int) -> None:
    part = min(part, whole)
    share = formats.percent(part, whole)
    assert (share == "100%") == (part == whole)
    assert (share == "0%") == (part == 0)


def test_percent_of_nothing_is_a_dash() -> None:
    assert formats.percent(0, 0) == "–"


def test_phone_is_masked() -> None:
    assert formats.phone_masked("13812345678") == "138****5678"
    assert formats.phone_masked("123") == "***"
