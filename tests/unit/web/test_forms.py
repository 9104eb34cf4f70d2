"""Reading what people type: met half-way where it is clear, refused with how to mend it where not."""

from datetime import date, time
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market import units
from market.errors import Invalid
from market.i18n import Message, catalogue, msg, on_day, translate
from market.units import Fen, FenPerKg, Gram
from market.web.parts import fields
from market.web.parts.fields import Field
from market.web.parts.forms import FileField, Form, Upload
from market.web.parts.typed import Wrong

LABEL = msg("数量")
QUANTITY = fields.quantity(LABEL)
PRICE = fields.price(LABEL)
DAY = fields.day(LABEL)


def fault(field: Field, typed: str, unit: str = "") -> Message:
    with pytest.raises(Wrong) as caught:
        field.parse(typed, unit)
    return caught.value.message


@pytest.mark.parametrize(
    ("typed", "unit", "grams"),
    [
        ("25000", "jin", 12_500_000),
        ("25,000", "jin", 12_500_000),
        ("２５０００", "jin", 12_500_000),
        (" 2.5万 ", "jin", 12_500_000),
        ("12.5", "t", 12_500_000),
        ("12。5", "t", 12_500_000),
        (".5", "kg", 500),
        ("25000斤", "t", 12_500_000),
        ("12.5 吨", "jin", 12_500_000),
        ("75KG", "jin", 75_000),
        ("25000", "", 12_500_000),
    ],
)
def test_quantity_is_read_in_whole_grams(typed: str, unit: str, grams: int) -> None:
    assert QUANTITY.parse(typed, unit) == grams


@pytest.mark.parametrize(
    "typed",
    [
        "nan",
        "NaN",
        "inf",
        "-inf",
        "1e12",
        "1E3",
        "0x10",
        "1_000",
        "12,5",
        "两万",
        "斤",
        "..",
        "1.2.3",
        "٣",
        "²",
        "10²",
        "½",
        "①",
    ],
)
def test_number_that_is_none_is_refused(typed: str) -> None:
    assert fault(QUANTITY, typed).text == "“{typed}”不是数字，请只填数字，例如 25000 或 0.85。"


@pytest.mark.parametrize(
    ("typed", "unit", "text"),
    [
        ("-5", "jin", "不能是负数，请检查后重填。"),
        ("0", "jin", "数量要大于 0。"),
        ("1000000000000", "jin", "最多 {most}，请检查数字和单位。"),
        ("9" * 17, "jin", "数字太长了，请检查是不是多打了几位。"),
        ("0.0001", "kg", "太细了，最多精确到 1 克。"),
        ("5", "箱", "请选单位：斤、公斤或吨。"),
    ],
)
def test_quantity_out_of_bounds_says_how_to_mend_it(typed: str, unit: str, text: str) -> None:
    assert fault(QUANTITY, typed, unit).text == text


@given(st.text(max_size=30), st.sampled_from(["jin", "kg", "t", "", "x"]))
def test_quantity_is_whole_grams_in_bounds_or_refused(typed: str, unit: str) -> None:
    try:
        grams = QUANTITY.parse(typed, unit)
    except Wrong:
        return
    assert isinstance(grams, int)
    assert 0 < grams <= units.MOST_GRAMS


@given(st.integers(1, units.MOST_GRAMS), st.sampled_from(["jin", "kg", "t"]))
def test_quantity_that_was_written_is_read_back(grams: int, unit: str) -> None:
    field = fields.quantity(LABEL, unit=unit)
    assert field.parse(*field.write(Gram(grams))) == grams


@given(st.integers(1, units.MOST_FEN_PER_KG), st.sampled_from(["jin", "kg"]))
def test_price_that_was_written_is_read_back(fen: int, unit: str) -> None:
    field = fields.price(LABEL, unit=unit)
    assert field.parse(*field.write(FenPerKg(fen))) == fen


@pytest.mark.parametrize(
    ("typed", "unit", "fen"),
    [
        ("0.85", "jin", 170),
        ("1.7", "kg", 170),
        ("￥1.70", "kg", 170),
        ("0.85元", "jin", 170),
        ("0.85元/斤", "kg", 170),
        ("0.855", "jin", 171),
        ("１．７元/公斤", "jin", 170),
    ],
)
def test_price_is_read_in_fen_per_kilogram(typed: str, unit: str, fen: int) -> None:
    assert PRICE.parse(typed, unit) == fen


@pytest.mark.parametrize(
    ("typed", "unit", "text"),
    [
        ("0", "jin", "单价要大于 0。"),
        ("0.8523", "jin", "太细了：元/斤 最多精确到 0.005，元/公斤 最多精确到 0.01。"),
        ("1000001", "kg", "最多 {most}，请检查数字和单位。"),
        ("1/2", "kg", "请选单位：元/斤 或 元/公斤。"),
        ("nan", "kg", "“{typed}”不是数字，请只填数字，例如 25000 或 0.85。"),
    ],
)
def test_price_that_cannot_be_is_refused(typed: str, unit: str, text: str) -> None:
    assert fault(PRICE, typed, unit).text == text


@pytest.mark.parametrize(
    "typed",
    [
        "2026-12-01",
        "2026/12/1",
        "2026.12.1",
        "20261201",
        "2026年12月1日",
        "２０２６年１２月１日",
        " 2026 年 12 月 1 日 ",
    ],
)
def test_day_is_read_in_every_way_people_write_it(typed: str) -> None:
    assert DAY.parse(typed, "") == date(2026, 12, 1)


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("2026-02-30", "日历上没有 {typed} 这一天。"),
        ("12月1日", "“{typed}”看不出是哪一天，请写成 2026年12月1日 或 2026-12-01。"),
        ("明天", "“{typed}”看不出是哪一天，请写成 2026年12月1日 或 2026-12-01。"),
        ("01/12/2026", "“{typed}”看不出是哪一天，请写成 2026年12月1日 或 2026-12-01。"),
        ("1999-01-01", "不能早于 {day}。"),
        ("9999-12-31", "不能晚于 {day}。"),
        ("0000-01-01", "日历上没有 {typed} 这一天。"),
    ],
)
def test_day_that_is_none_is_refused(typed: str, text: str) -> None:
    assert fault(DAY, typed).text == text


def test_day_keeps_to_its_limits() -> None:
    field = fields.day(LABEL, earliest=date(2026, 11, 1), latest=date(2026, 12, 31))
    assert field.parse("2026-11-01", "") == date(2026, 11, 1)
    assert fault(field, "2026-10-31") == msg("不能早于 {day}。", day=on_day(date(2026, 11, 1)))
    assert fault(field, "2027-01-01") == msg("不能晚于 {day}。", day=on_day(date(2026, 12, 31)))


@pytest.mark.parametrize(
    "hidden", ["a\x00b", "a\u202eb", "a\u2066b", "a\u2028b", "a\ufffdb", "a\x1bb", "a\nb"]
)
def test_text_with_hidden_signs_is_refused(hidden: str) -> None:
    assert fault(fields.text(LABEL, most=40), hidden).text == "里面有看不见的控制字符，请删去后重新输入。"


def test_signs_without_a_width_are_taken_off() -> None:
    form = Form(name=fields.text(LABEL, most=40), number=fields.quantity(LABEL))
    typed = {"name": ["\ufeff花\u200b生\u00ad油👨\u200d🌾"], "number": ["1\u2060000"], "number_unit": ["kg"]}
    assert form.parse(typed).values == {"name": "花生油👨\u200d🌾", "number": 1_000_000}


def test_text_keeps_lines_only_where_they_are_asked_for() -> None:
    assert fields.text(LABEL, most=40, lines=True).parse("一\r\n二", "") == "一\n二"


def test_text_counts_signs_not_bytes() -> None:
    field = fields.text(LABEL, most=3)
    assert field.parse("花生油", "") == "花生油"
    assert fault(field, "花生油渣") == msg("太长了：最多 {most} 个字，现在 {now} 个。", most=3, now=4)


@pytest.mark.parametrize("typed", ["13812345678", "+86 138-1234-5678", "１３８１２３４５６７８"])
def test_phone_is_read(typed: str) -> None:
    assert fields.phone(LABEL).parse(typed, "") == "13812345678"


@pytest.mark.parametrize("typed", ["1381234567", "23812345678", "12812345678", "电话", "13812345678901"])
def test_phone_that_is_none_is_refused(typed: str) -> None:
    assert fault(fields.phone(LABEL), typed).text == "手机号要有 11 位，以 1 开头，例如 13800000000。"


def test_further_kinds_read_their_values() -> None:
    assert fields.money(LABEL).parse("¥1,234.5", "") == Fen(123450)
    assert fault(fields.money(LABEL), "0.001").text == "最多写到分，也就是两位小数。"
    assert fields.whole(LABEL, least=1, most=12).parse("１２", "") == 12
    assert fault(fields.whole(LABEL, least=1, most=12), "13") == msg(
        "要在 {least} 到 {most} 之间。", least=1, most=12
    )
    assert fault(fields.whole(LABEL), "1.5").text == "请填整数。"
    assert fields.clock_time(LABEL).parse("9点30分", "") == time(9, 30)
    assert fault(fields.clock_time(LABEL), "24:00").text == "“{typed}”不是钟点，请写成 9:30。"
    assert fields.hidden(int).parse("7", "") == 7
    assert fault(fields.hidden(int), "x").text == "页面里的隐藏内容被改动了，请刷新页面重新填写。"
    # too few parts of what is put together of several
    assert fault(fields.hidden(lambda typed: slice(*typed.split("-")[1:])), "1")


class Publish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    produce: str
    quantity: Gram
    ready: date
    seller: int
    note: str = ""
    marks: tuple[str, ...] = ()


FORM = Form(
    produce=fields.text(msg("品名"), most=10),
    quantity=QUANTITY,
    ready=DAY,
    note=fields.text(msg("备注"), most=50, optional=True),
    marks=fields.choices(msg("资质"), {"green": msg("绿色食品"), "organic": "有机"}),
)
GOOD = {"produce": ["花生"], "quantity": ["2.5万"], "quantity_unit": ["jin"], "ready": ["2026-12-01"]}


def test_form_becomes_a_command() -> None:
    filled = FORM.parse({**GOOD, "marks": ["organic", "green"]})
    assert filled.into(Publish, seller=7) == Publish(
        produce="花生",
        quantity=Gram(12_500_000),
        ready=date(2026, 12, 1),
        seller=7,
        marks=("green", "organic"),
    )


def test_every_faulty_field_is_reported_at_once_and_input_is_kept() -> None:
    filled = FORM.parse({"produce": ["  "], "quantity": ["nan"], "ready": ["2026-02-30"], "marks": ["halal"]})
    with pytest.raises(Invalid) as caught:
        filled.into(Publish, seller=7)
    assert list(caught.value.fields) == ["produce", "quantity", "ready", "marks"]
    assert caught.value.message == msg("有 {n} 处要改，改好后再提交；填过的内容都还在。", n=4)
    assert (filled.text("quantity"), filled.text("ready")) == ("nan", "2026-02-30")


def test_unknown_and_repeated_fields_are_refused() -> None:
    filled = FORM.parse({**GOOD, "price": ["1"], "ready_unit": ["x"], "note": ["a", "b"]})
    assert list(filled.errors) == ["note", "price", "ready_unit"]
    assert [message.text for message in filled.loose_errors] == [
        "这个表单没有“{name}”这一项，请刷新页面重新填写。"
    ] * 2


def test_faults_of_an_operation_join_the_form() -> None:
    filled = FORM.parse(GOOD)
    beside = filled.refused(Invalid(msg("不行"), {"produce": msg("没有这种货")}))
    above = filled.refused(Invalid(msg("不行")))
    assert beside.error("produce") == msg("没有这种货")
    assert above.loose_errors == [msg("不行")]


def test_blank_form_shows_values_as_they_are_typed() -> None:
    blank = FORM.blank(
        produce="花生", quantity=Gram(12_500_000), ready=date(2026, 12, 1), marks=("green",), note=None
    )
    assert (blank.text("quantity"), blank.unit("quantity"), blank.text("ready")) == (
        "25000",
        "jin",
        "2026-12-01",
    )
    assert blank.chosen("marks") == ["green"]
    assert FORM.parse(blank.typed).into(Publish, seller=1).quantity == 12_500_000


def test_password_is_taken_as_typed_and_never_shown_again() -> None:
    form = Form(password=fields.secret(LABEL))
    filled = form.parse({"password": [" pass word "]})
    assert filled.values["password"] == " pass word "
    assert filled.text("password") == ""


@pytest.mark.parametrize(
    ("uploads", "text"),
    [
        ([], "请选择文件。"),
        ([Upload("", b"")], "请选择文件。"),
        ([Upload("a.exe", b"x")], "“{name}”不能用，请选这些类型的文件：{endings}"),
        ([Upload("a.xlsx", b"")], "“{name}”是空的，请重新选择。"),
        ([Upload("a.xlsx", b"x" * 11)], "“{name}”太大，最多 {most} MB。"),
        ([Upload("a.xlsx", b"x"), Upload("b.xlsx", b"x")], "最多 {most} 个文件。"),
    ],
)
def test_file_that_cannot_be_used_is_refused(uploads: list[Upload], text: str) -> None:
    form = Form(sheet=FileField(label=LABEL, endings=(".xlsx",), most_bytes=10))
    assert form.parse({}, uploads={"sheet": uploads}).errors["sheet"].text == text


def test_file_is_read() -> None:
    form = Form(sheet=FileField(label=LABEL, endings=(".xlsx",)))
    upload = Upload("台账.XLSX", b"PK")
    assert form.parse({}, uploads={"sheet": [upload]}).values == {"sheet": upload}


_ANY = st.dictionaries(
    st.sampled_from([*FORM.fields, "quantity_unit", "x"]),
    st.lists(st.text(max_size=30), min_size=1, max_size=2),
)


@given(_ANY)
def test_form_never_breaks_and_every_fault_has_english(typed: dict[str, list[str]]) -> None:
    filled: Any = FORM.parse(typed)
    for message in filled.errors.values():
        assert message.text in catalogue("en")
        assert translate(message, "en") != ""
    if not filled.errors:
        assert Decimal(filled.values["quantity"]) > 0
