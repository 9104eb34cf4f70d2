import pytest

from market.errors import Invalid
from market.notices.rules import address_from

KEY = "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa"


@pytest.mark.parametrize(
    ("typed", "stored", "shown"),
    [
        (" wang.li@example.com ", "mail:wang.li@example.com", "wa***@example.com"),
        ("mail:wang.li@example.com", "mail:wang.li@example.com", "wa***@example.com"),
        (f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={KEY}", f"wecombot://{KEY}", "…5aaa"),
        (f"wecombot://{KEY}/", f"wecombot://{KEY}", "…5aaa"),
        (f"https://oapi.dingtalk.com/robot/send?access_token={KEY}", f"dingtalk://{KEY}", "…5aaa"),
        (f"https://open.feishu.cn/open-apis/bot/v2/hook/{KEY}", f"feishu://{KEY}", "…5aaa"),
        ("https://erp.example.com/in/s3cret", "jsons://erp.example.com/in/s3cret", "erp.example.com/…"),
        ("http://127.0.0.1:8080/in", "json://127.0.0.1:8080/in", "127.0.0.1:8080/…"),
        ("json://127.0.0.1:8080/in", "json://127.0.0.1:8080/in", "127.0.0.1:8080/…"),
    ],
)
def test_address_is_read_as_people_paste_it_and_never_shown_whole(
    typed: str, stored: str, shown: str
) -> None:
    found = address_from(typed)
    assert (str(found), found.masked) == (stored, shown)
    assert address_from(stored) == found


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "x",
        "王@例子.中国",
        "file:///etc/passwd",
        "syslog://",
        "mailto://user:password@smtp.example.com",
        "https://user:password@example.com/",
        "https://example.com/?redirect=yes",
        "https://example.com/#a",
        "https://example.com:99999/",
        "https://example.com:port/",
        "https://[::1/",
        "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=",
        "https://qyapi.weixin.qq.com/cgi-bin/other?key=" + KEY,
        "wecombot://short",
        "javascript:alert(1)",
        "a" * 501,
        "a@b.cn\nBcc: c@d.cn",
    ],
)
def test_other_address_is_refused_with_what_it_may_be(typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        address_from(typed)
    assert list(refused.value.fields) == ["address"]


def test_only_a_chosen_host_has_to_be_looked_at() -> None:
    assert address_from("http://127.0.0.1:8080/in").host == "127.0.0.1"
    assert address_from("https://[::1]:80/in").host == "::1"
    assert address_from(f"wecombot://{KEY}").host is None
