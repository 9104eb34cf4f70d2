"""Settings from the environment, and the key that is made once."""

import os
import stat
from pathlib import Path

import pytest

from market import settings
from market.errors import Invalid
from market.settings import PROJECT, Settings, described, read_settings, secret_key


def test_settings_have_defaults_that_need_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/zhang")
    read = read_settings({})
    assert (read.database_url, read.postgres, read.host, read.port) == ("", "auto", "127.0.0.1", 8000)
    assert read.data_dir == Path("/home/zhang/.local/share/tiantou")
    assert (read.lock_timeout, read.statement_timeout, read.idle_timeout) == (3_000, 10_000, 15_000)


def test_data_folder_follows_xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data/zhang")
    assert read_settings({}).data_dir == Path("/data/zhang/tiantou")


def test_settings_are_read_by_variable() -> None:
    read = read_settings(
        {
            "DATABASE_URL": "postgresql://a@b/c",
            "MARKET_PORT": "9000",
            "MARKET_SECURE_COOKIES": "true",
            "MARKET_DATA_DIR": "/srv/market",
            "MARKET_HOST": "",
        }
    )
    assert read == Settings(
        database_url="postgresql://a@b/c", port=9000, secure_cookies=True, data_dir=Path("/srv/market")
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MARKET_PORT", "0"),
        ("MARKET_PORT", "65536"),
        ("MARKET_PORT", "eight"),
        ("MARKET_WORKERS", "NaN"),
        ("MARKET_SECURE_COOKIES", "perhaps"),
        ("MARKET_POSTGRES", "oracle"),
        ("MARKET_LOCK_TIMEOUT", "-1"),
    ],
)
def test_setting_that_does_not_fit_is_refused_by_its_name(variable: str, value: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_settings({variable: value})
    assert list(caught.value.fields) == [variable]
    assert str(caught.value).startswith(f"环境变量 {variable} 的值“{value}”不合要求")


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(Invalid, match="设置互相矛盾：MARKET_POOL_LEAST > MARKET_POOL_MOST"):
        read_settings({"MARKET_POOL_LEAST": "5", "MARKET_POOL_MOST": "4"})


def test_every_setting_is_described() -> None:
    listed = described()
    assert [one.variable for one in listed if not one.meaning] == []
    assert {one.variable: one.default for one in listed}["MARKET_PORT"] == "8000"
    assert len(listed) == len(Settings.__struct_fields__)


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MARKET_DATA_DIR", str(tmp_path / "tiantou"))
    monkeypatch.delenv("MARKET_SECRET_KEY", raising=False)
    settings.settings.cache_clear()
    secret_key.cache_clear()
    yield tmp_path / "tiantou"  # type: ignore[misc]
    settings.settings.cache_clear()
    secret_key.cache_clear()


def test_secret_key_is_made_once_and_closed_to_others(fresh: Path) -> None:
    first = secret_key()
    secret_key.cache_clear()
    assert secret_key() == first
    assert len(first) == 64
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o700
    assert stat.S_IMODE((fresh / "secret-key").stat().st_mode) == 0o600
    assert os.listdir(fresh) == ["secret-key"]


def test_secret_key_of_the_environment_comes_first(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKET_SECRET_KEY", "chosen")
    assert secret_key() == "chosen"
    assert not fresh.exists()


def test_project_is_the_tree_with_the_makefile() -> None:
    assert (PROJECT / "Makefile").is_file()
