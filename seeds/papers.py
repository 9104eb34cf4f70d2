"""What comes on paper: a contract's page, signed and sealed by hand, as it lies in the scanner.

Drawn when the demonstration is loaded, the same bytes for the same contract; the seal says that it is none.
"""

import io
import math
from functools import cache
from pathlib import Path

import justmytype_intl_cjk
import msgspec
from PIL import Image, ImageDraw, ImageFont

from market.units import Fen, Gram, kg, yuan
from seeds.drawing import Point, moved

#: A4 at 120 dots per inch.
WIDTH, HEIGHT = 992, 1403
_PAPER, _INK, _PEN, _SEAL = "#f7f5ef", "#26241f", "#1f3a7a", "#c8322b"
_FONTS = Path(justmytype_intl_cjk.__file__).parent / "fonts" / "ofl" / "notosanssc"
#: How askew the sheet lay, in degrees.
_ASKEW = 0.6


class SignedPage(msgspec.Struct, frozen=True):
    """What the page says; ``mark`` is the check code at its foot."""

    number: str
    seller: str
    buyer: str
    goods: str
    quantity: Gram
    worth: Fen
    signer: str
    day: str
    mark: str


def scanned(page: SignedPage) -> bytes:
    """Return the page with the seller's name in ink and its seal, as PNG."""
    sheet = Image.new("RGB", (WIDTH, HEIGHT), _PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((WIDTH / 2, 130), "农产品买卖合同（签字页）", fill=_INK, font=_font(34), anchor="mm")
    lines = (
        f"合同编号：{page.number}",
        f"卖方：{page.seller}",
        f"买方：{page.buyer}",
        f"标的：{page.goods}",
        f"数量：{kg(page.quantity):,.0f} 公斤",
        f"货款：{yuan(page.worth):,.2f} 元",
        "双方已逐条看过合同全部条款，同意按此履行。",
        "买方在平台签字；卖方在本页签字、盖章。",
    )
    for place, line in enumerate(lines):
        pen.text((130, 240 + 64 * place), line, fill=_INK, font=_font(24), anchor="lm")
    pen.text((130, 900), "卖方（签字、盖章）：", fill=_INK, font=_font(24), anchor="lm")
    pen.line([(370, 925), (800, 925)], fill=_INK, width=2)
    pen.text((130, 990), f"日期：{page.day}", fill=_INK, font=_font(24), anchor="lm")
    pen.text(
        (WIDTH / 2, 1330), f"{page.number}    核对码 {page.mark}", fill=_INK, font=_font(18), anchor="mm"
    )
    _sign(sheet, page.signer, (390, 862))
    _seal(sheet, (690, 930), 115)
    sheet = sheet.rotate(_ASKEW, Image.Resampling.BICUBIC, fillcolor="#dedbd3")
    out = io.BytesIO()
    sheet.save(out, "PNG")
    return out.getvalue()


def _sign(sheet: Image.Image, name: str, at: tuple[int, int]) -> None:
    """Write a name as a hand does: slanting, each sign a little off the line."""
    for place, sign in enumerate(name):
        glyph = Image.new("RGBA", (90, 90))
        ImageDraw.Draw(glyph).text((45, 45), sign, fill=_PEN, font=_font(52), anchor="mm")
        turned = glyph.rotate(7 - 5 * place, Image.Resampling.BICUBIC)
        sheet.paste(turned, (at[0] + 52 * place, at[1] - 30 + (place % 2) * 7), turned)


def _seal(sheet: Image.Image, middle: tuple[int, int], radius: int) -> None:
    """Press a round seal: its words run along the rim, a star stands within."""
    across = 2 * radius + 8
    seal = Image.new("RGBA", (across, across))
    pen, centre = ImageDraw.Draw(seal), across / 2
    pen.ellipse((4, 4, across - 5, across - 5), outline=_SEAL, width=6)
    pen.polygon(moved(_star(radius * 0.3), centre, centre), fill=_SEAL)
    words = "示范演示专用章"
    for place, sign in enumerate(words):
        angle = -105 + 210 * place / (len(words) - 1)
        glyph = Image.new("RGBA", (44, 44))
        ImageDraw.Draw(glyph).text((22, 22), sign, fill=_SEAL, font=_font(28), anchor="mm")
        turned = glyph.rotate(-angle, Image.Resampling.BICUBIC)
        x = centre + radius * 0.74 * math.sin(math.radians(angle))
        y = centre - radius * 0.74 * math.cos(math.radians(angle))
        seal.alpha_composite(turned, (round(x) - 22, round(y) - 22))
    pen.text((centre, centre + radius * 0.62), "非真实印章", fill=_SEAL, font=_font(18), anchor="mm")
    faded = seal.getchannel("A").point(lambda depth: depth * 4 // 5)
    sheet.paste(seal, (middle[0] - across // 2, middle[1] - across // 2), faded)


def _star(radius: float) -> list[Point]:
    return [
        (
            (radius if point % 2 == 0 else radius * 0.38) * math.sin(math.pi * point / 5),
            -(radius if point % 2 == 0 else radius * 0.38) * math.cos(math.pi * point / 5),
        )
        for point in range(10)
    ]


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.truetype(str(min(_FONTS.glob("*.ttf"))), size)
    font.set_variation_by_axes([400])
    return font
