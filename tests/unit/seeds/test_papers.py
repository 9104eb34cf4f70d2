"""The page that the demonstration signs on paper."""

import io

import msgspec
from PIL import Image

from market.units import Fen, Gram
from seeds.papers import HEIGHT, WIDTH, SignedPage, scanned

PAGE = SignedPage(
    number="TT-20261110-0001",
    seller="东于村村民委员会",
    buyer="辽河优选超市",
    goods="花生果",
    quantity=Gram(500_000_000),
    worth=Fen(360_000_000),
    signer="周望田",
    day="2026-11-10",
    mark="7C1E-90AB",
)


def test_page_is_small_and_the_same_each_time() -> None:
    page = scanned(PAGE)
    assert page == scanned(PAGE)
    assert len(page) < 500_000
    assert Image.open(io.BytesIO(page)).size == (WIDTH, HEIGHT)


def test_page_bears_what_is_signed_in_ink_and_a_red_seal() -> None:
    page = scanned(PAGE)
    assert page != scanned(msgspec.structs.replace(PAGE, mark="0000-0000"))
    image = Image.open(io.BytesIO(page)).convert("RGB")
    colours = [colour for _, colour in image.getcolors(WIDTH * HEIGHT) or () if isinstance(colour, tuple)]
    assert any(red > 180 and green < 110 and blue < 110 for red, green, blue in colours)
    assert any(red < 70 and blue > 100 for red, _, blue in colours)
