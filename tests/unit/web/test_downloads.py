"""Files handed out: their names stand in a header that every browser reads."""

from market.web.parts.downloads import attachment


def header(name: str, media_type: str | None = None, *, inline: bool = False) -> tuple[str, str]:
    made = attachment(b"x", name, media_type, inline=inline)
    return str(made.headers["content-disposition"]), str(made.media_type)


def test_plain_name_stands_as_it_is() -> None:
    assert header("run-7.zip") == ('attachment; filename="run-7.zip"', "application/zip")
    assert header("deals.csv", "text/csv") == ('attachment; filename="deals.csv"', "text/csv")


def test_any_other_name_comes_in_both_ways_and_breaks_nothing_out() -> None:
    told, media_type = header('合同 "1"/2\r\n.pdf', inline=True)
    assert media_type == "application/pdf"
    assert told == (
        "inline; filename=\"tiantou.pdf\"; filename*=UTF-8''%E5%90%88%E5%90%8C%20%221%22%2F2%0D%0A.pdf"
    )
