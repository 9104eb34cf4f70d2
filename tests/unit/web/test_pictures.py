"""Photos are drawn anew: small, upright, and without what the camera wrote into them."""

import io

import pytest
from PIL import Image

from market.i18n import Message
from market.supply.operations import NewPicture
from market.web.parts.forms import Upload
from market.web.parts.pictures import picture_from
from market.web.parts.typed import Wrong


def file_of(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(width: int, height: int) -> Image.Image:
    return Image.effect_noise((width, height), 90).convert("RGB")


def size_of(content: bytes) -> tuple[str | None, tuple[int, int]]:
    with Image.open(io.BytesIO(content)) as picture:
        return picture.format, picture.size


async def drawn(content: bytes, name: str = "photo.jpg") -> NewPicture:
    return await picture_from(Upload(name, content))


async def refusal(content: bytes) -> Message:
    with pytest.raises(Wrong) as refused:
        await drawn(content)
    return refused.value.message


async def test_large_photo_becomes_webp_of_1600_pixels_with_a_small_thumbnail() -> None:
    picture = await drawn(file_of(noise(3000, 2000), "JPEG", quality=85))
    assert size_of(picture.image) == ("WEBP", (1600, 1067))
    assert (picture.width, picture.height) == (1600, 1067)
    assert size_of(picture.thumb)[0] == "WEBP"
    assert len(picture.thumb) <= 25_000


async def test_camera_data_is_gone_and_the_picture_is_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x013B] = "owner of the phone"
    exif.get_ifd(0x8825)[1] = "N"
    picture = await drawn(file_of(noise(400, 300), "JPEG", exif=exif))
    assert (picture.width, picture.height) == (300, 400)
    for content in (picture.image, picture.thumb):
        with Image.open(io.BytesIO(content)) as kept:
            assert dict(kept.getexif()) == {}
            assert "exif" not in kept.info
        assert b"owner of the phone" not in content


async def test_transparent_picture_stands_on_white() -> None:
    picture = await drawn(file_of(Image.new("RGBA", (50, 50), (0, 0, 0, 0)), "PNG"))
    with Image.open(io.BytesIO(picture.image)) as kept:
        assert kept.convert("RGB").getpixel((25, 25)) == (255, 255, 255)


async def test_same_photo_has_the_same_hash() -> None:
    content = file_of(noise(300, 200), "PNG")
    assert (await drawn(content)).content_hash == (await drawn(content, "other.jpg")).content_hash


@pytest.mark.parametrize(
    "content",
    [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a" + bytes(40), b"%PDF-1.7", b"not a picture"],
)
async def test_what_is_no_photo_is_refused(content: bytes) -> None:
    assert "不是 JPG、PNG 或 WebP" in (await refusal(content)).text


async def test_damaged_photo_is_refused() -> None:
    assert "已损坏" in (await refusal(file_of(noise(400, 300), "JPEG")[:4000])).text


async def test_small_file_of_very_many_pixels_is_refused() -> None:
    assert "像素太多" in (await refusal(file_of(Image.new("1", (9000, 9000)), "PNG"))).text
