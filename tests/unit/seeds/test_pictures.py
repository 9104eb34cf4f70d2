import io

import pytest
from PIL import Image

from seeds import reference
from seeds.case import case
from seeds.pictures import THUMB_BYTES, drawn, illustration
from seeds.scenes import BY_CATEGORY, BY_PRODUCE, FALLBACK, Scene

SCENES = sorted({*BY_PRODUCE.values(), *BY_CATEGORY.values(), FALLBACK}, key=lambda scene: scene.__name__)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_a_scene_stays_clear_of_the_edges(scene: Scene) -> None:
    image = drawn(scene)
    assert image.size == (1200, 900)
    # Left and right margin show nothing but wall and table: what is drawn is not cut off.
    for x in (40, 1160):
        column = {image.getpixel((x, y)) for y in range(0, 900, 10)}
        assert len(column) <= 3


def test_every_category_has_a_scene() -> None:
    assert set(BY_CATEGORY) == {category.code for category in reference.categories()}
    assert set(BY_PRODUCE) <= {kind.code for kind in reference.produce()}


def test_illustrations_of_the_case_are_small_and_honest() -> None:
    for produce in sorted({lot.produce for lot in case().lots}):
        found = illustration(produce)
        assert len(found.thumb) <= THUMB_BYTES, produce
        assert len(found.image) <= 100 * 1024, produce
        assert Image.open(io.BytesIO(found.image)).size == (found.width, found.height) == (1200, 900)
        assert Image.open(io.BytesIO(found.thumb)).size == (480, 360)
        assert found.alt_zh.startswith("示意图")
        assert found.alt_en.startswith("Illustration")


def test_an_illustration_is_the_same_each_time() -> None:
    first = illustration("peanut")
    illustration.cache_clear()
    drawn.cache_clear()
    assert illustration("peanut") == first
