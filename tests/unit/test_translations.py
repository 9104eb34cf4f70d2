"""English covers every string: those of msg(...), those of templates, and no Chinese outside them."""

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest
from babel.messages.pofile import read_po
from jinja2 import nodes

from market.i18n import catalogue, msg, translate

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted((ROOT / "market").rglob("templates/**/*.html"))
SOURCES = sorted([*(ROOT / "market").rglob("*.py"), *(ROOT / "seeds").rglob("*.py")])

#: Chinese punctuation and full-width signs count: "：" in a template is Chinese text too.
CHINESE = re.compile("[\u3000-\u303f\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")
#: Names that stay: of the Chinese language, by which its readers know the switch, and of the product.
OWN_NAMES = re.compile("中文|田头")


def messages_in_source(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "msg" and node.args:
            if isinstance(node.args[0], ast.Constant):
                yield str(node.args[0].value)
            elif not isinstance(node.args[0], ast.Name):
                yield f"not a constant: {ast.unparse(node.args[0])}"


def messages_in_template(text: str) -> Iterator[str]:
    for call in jinja2.Environment().parse(text).find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "_" and call.args:
            first = call.args[0]
            if isinstance(first, nodes.Const):
                yield str(first.value)


def bare_chinese(text: str) -> list[str]:
    """Return the Chinese of a template that no ``_()`` translates, in its data and in its expressions."""
    tree = jinja2.Environment().parse(text)
    translated = {
        id(arg)
        for call in tree.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.name == "_"
        for arg in call.args
    }
    data = [str(node.data) for node in tree.find_all(nodes.TemplateData)]
    data += [
        node.value
        for node in tree.find_all(nodes.Const)
        if isinstance(node.value, str) and id(node) not in translated
    ]
    return [piece.strip() for piece in data if CHINESE.search(OWN_NAMES.sub("", piece))]


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def wanted() -> dict[str, str]:
    """Return every translatable text with the file that it stands in."""
    found: dict[str, str] = {}
    for path in SOURCES:
        for text in messages_in_source(path.read_text()):
            found.setdefault(text, str(path.relative_to(ROOT)))
    for path in TEMPLATES:
        for text in messages_in_template(path.read_text()):
            found.setdefault(text, str(path.relative_to(ROOT)))
    return found


def test_every_text_has_an_english_entry() -> None:
    english = catalogue("en")
    assert {text: where for text, where in wanted().items() if text not in english} == {}


def test_no_text_is_translated_in_two_ways() -> None:
    """One text has one English word, or readers meet whichever file comes last."""
    ways: dict[str, set[str]] = {}
    for path in sorted((ROOT / "market/locale/en").glob("*.po")):
        with path.open("rb") as file:
            for entry in read_po(file, locale="en"):
                if entry.id:
                    ways.setdefault(str(entry.id), set()).add(str(entry.string))
    assert {text: words for text, words in ways.items() if len(words) > 1} == {}


def test_english_entries_have_the_places_of_their_source() -> None:
    assert {zh: en for zh, en in catalogue("en").items() if places(zh) != places(en)} == {}


def test_english_entries_are_english() -> None:
    assert {zh: en for zh, en in catalogue("en").items() if CHINESE.search(OWN_NAMES.sub("", en))} == {}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_template_has_no_chinese_outside_translation(path: Path) -> None:
    assert bare_chinese(path.read_text()) == []


def test_extraction_sees_what_it_should() -> None:
    template = (
        '<b title="无">{{ ui.x(_("好"), y=_("坏 {n}", n=1), z="发布") }}</b>{% if _("空") %}{% endif %}'
    )
    assert list(messages_in_source('x = i18n.msg("好 {n}", n=1); msg(text)')) == ["好 {n}"]
    assert list(messages_in_template(template)) == ["好", "坏 {n}", "空"]
    assert bare_chinese(template) == ['<b title="无">', "发布"]


def test_one_of_a_thing_is_said_as_one() -> None:
    talks = msg("{n} 场洽谈还没有结果。", n=1)
    assert translate(talks, "en") == "1 talk has no result yet."
    assert translate(talks, "zh") == "1 场洽谈还没有结果。"
    assert translate(msg("{n} 场洽谈还没有结果。", n=21), "en") == "21 talks have no result yet."
    one_side = msg("与 {count} 家洽谈，涉及 {kinds} 批货。", count="1", kinds=2)
    assert translate(one_side, "en") == "Talks with 1 party about 2 listings."
    notice = msg("按约定要提前 {n} 天，最早 {day}。", n=1, day="")
    assert translate(notice, "en").startswith("1 day's notice")
    assert translate(msg("签字前请核对 {n} 处", n=1), "en") == "1 thing to check before signing"
    codes = msg("{moment} 开的，备用码还剩 {n} 个。", n=1, moment="now")
    assert translate(codes, "en") == "On since now; 1 backup code is left."
