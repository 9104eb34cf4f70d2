"""Days and moments in texts: written when they are read, as the reader writes them."""

from datetime import date, datetime, timezone

import msgspec
import pytest

from market.i18n import Language, Message, at_moment, in_both, msg, named, on_day, translate

FAIR = date(2018, 11, 3)
#: Early on the 4th in China.
NIGHT = datetime(2018, 11, 3, 22, 30, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("value", "language", "today", "written"),
    [
        (on_day(FAIR), "zh", date(2018, 10, 1), "11月3日"),
        (on_day(FAIR), "zh", date(2019, 1, 1), "2018年11月3日"),
        (on_day(FAIR), "zh", None, "2018年11月3日"),
        (on_day(FAIR), "en", date(2018, 10, 1), "3 Nov"),
        (on_day(FAIR), "en", date(2019, 1, 1), "3 Nov 2018"),
        (at_moment(NIGHT), "zh", date(2018, 11, 1), "11月4日 06:30"),
        (at_moment(NIGHT), "en", date(2019, 11, 1), "4 Nov 2018 06:30"),
    ],
)
def test_a_day_is_written_as_its_reader_does(
    value: Message, language: Language, today: date | None, written: str
) -> None:
    assert translate(value, language, today=today) == written


def test_a_day_in_a_stored_text_meets_its_reader_later() -> None:
    told = msg("由{who}负责，{day} 前解决。", who=msg("村书记"), day=on_day(FAIR))
    stored = msgspec.json.decode(msgspec.json.encode(told), type=Message)
    assert translate(stored, "zh", today=FAIR) == "由村书记负责，11月3日 前解决。"
    assert "3 Nov 2018" in translate(stored, "en")
    assert "村" not in translate(stored, "en")


def test_a_name_that_is_kept_in_both_languages_is_read_in_either() -> None:
    reason = msg("原因：{reason}", reason=in_both("有霉变", "mouldy"))
    stored = msgspec.json.decode(msgspec.json.encode(reason), type=Message)
    assert translate(stored, "zh").endswith("有霉变")
    assert translate(stored, "en").endswith("mouldy")
    assert translate(in_both("有霉变", ""), "en") == "有霉变"


def test_what_a_row_calls_something_is_read_in_either_language() -> None:
    told = msg("“{title}”收到出价", title=named({"title": "红薯", "title_en": "Sweet potato"}, "title"))
    assert translate(told, "zh") == "“红薯”收到出价"
    assert "Sweet potato" in translate(told, "en")
    assert "红薯" in translate(named({"title": "红薯", "title_en": ""}, "title"), "en")


def test_a_day_of_an_older_notice_is_written_as_its_reader_does() -> None:
    """Once a day was stored as the text of it."""
    older = Message("由{who}负责，{day} 前解决。", {"who": "村书记 2018-11-03", "day": "2018-11-03"})
    assert translate(older, "zh", today=FAIR) == "由村书记 2018-11-03负责，11月3日 前解决。"
    assert "3 Nov 2018" in translate(older, "en")
    for other in ("2018-11-03 14:00", "2018-13-40"):
        assert other in translate(Message("{day} 前", {"day": other}), "zh")
