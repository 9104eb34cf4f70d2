"""Setting type: what goes in is what is printed, whatever signs it has."""

import io

import pytest
from PIL import Image
from pypdf import PdfReader

from market.documents.typesetting import jpeg, missing_glyphs, missing_in, pdf, png, qr_svg


def printed(content: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)


@pytest.mark.parametrize(
    "words",
    [
        '#let x = 1 $a^2$ \\ "q" <b> @ref *bold* _it_ `raw` // end',
        "#panic(1)",
        '#read("/base.typ")',
        "</script>{{ data }}'%s",
        "东于村𠮷㙍龘䶮𬭼犇骉",
        "花生油 Peanut oil 100%",
    ],
)
def test_text_is_printed_as_it_came(words: str) -> None:
    assert printed(pdf("probe", {"words": words})).strip() == words


def test_paper_names_its_fonts_and_no_others() -> None:
    page = PdfReader(io.BytesIO(pdf("probe", {"words": "东于村 𠮷 oil"}))).pages[0]
    fonts = {font["/BaseFont"].split("+")[1] for font in page["/Resources"]["/Font"].values()}
    assert {name.split("-")[0] for name in fonts} == {"NotoSansSC", "NotoSansJP"}


def test_missing_glyphs_are_those_that_no_font_draws() -> None:
    assert missing_glyphs("𠮷㙍龘䶮𬭼犇骉，《》①×㎡😀") == "😀"


def test_missing_glyphs_are_told_once_and_not_for_what_is_never_drawn() -> None:
    assert missing_glyphs("a😀b😀\u200b\n\t\ufe0f\u3000") == "😀"


def test_missing_in_finds_the_text_within_data() -> None:
    data = {"rows": [["东于村", "😀油"], []], "n": 3, "none": None}
    assert list(missing_in(data)) == [("😀油", "😀")]


def test_qr_code_says_what_it_should() -> None:
    drawn = Image.open(io.BytesIO(png("probe", {"words": "", "qr": qr_svg("https://a.example/i/x")})))
    assert drawn.getcolors(1 << 20) is not None
    assert qr_svg("https://a.example/i/x") != qr_svg("https://a.example/i/y")
    assert qr_svg("a").count("M") > 20


def test_picture_becomes_a_jpeg_of_at_most_the_longest_side() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (1600, 800), "green").save(buffer, "WEBP")
    made = Image.open(io.BytesIO(jpeg(buffer.getvalue())))
    assert (made.format, made.size) == ("JPEG", (900, 450))


def test_picture_is_set_into_the_page_and_stays_in_its_folder() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 20), "green").save(buffer, "PNG")
    made = pdf("probe", {"words": "", "picture": "a.jpg"}, images={"../a.jpg": jpeg(buffer.getvalue())})
    assert len(PdfReader(io.BytesIO(made)).pages[0].images) == 1
