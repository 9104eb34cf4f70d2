"""Every setting of an installation, read once from the environment.

The variable is ``MARKET_`` and the field's name in capitals; only ``DATABASE_URL`` goes by the name that
hosts use. ``described()`` lists them all: the guide for operators is checked against it.
"""

import os
import secrets
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_type_hints

import msgspec
from msgspec import Meta

from market.errors import Invalid
from market.i18n import msg

#: The source tree: piccolo_conf.py, migrations/ and seeds/ lie here.
PROJECT = Path(__file__).resolve().parent.parent


def _data_dir() -> Path:
    stem = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(stem) / "tiantou"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One installation's settings. Times are milliseconds unless a name says otherwise."""

    database_url: Annotated[
        str, Meta(description="postgresql://user:password@host/name of a server of yours. Empty: an own one.")
    ] = ""
    owner_url: Annotated[
        str,
        Meta(
            description="The same for the role that owns the tables: migrations go by it. "
            "Empty: DATABASE_URL, which then can rewrite the record."
        ),
    ] = ""
    postgres: Annotated[
        Literal["auto", "machine", "wheel"],
        Meta(
            description="Programs of the own server: those on the machine, the wheel's, or the first found."
        ),
    ] = "auto"
    data_dir: Annotated[
        Path,
        Meta(description="Folder of the own server, uploads and keys. Default: XDG_DATA_HOME/tiantou."),
    ] = msgspec.field(default_factory=_data_dir)
    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[
        int, Meta(ge=1, le=65535, description="Port to listen on; the next free one if it is taken.")
    ] = 8000
    workers: Annotated[int, Meta(ge=1, le=256, description="Processes that serve pages.")] = 1
    secret_key: Annotated[
        str,
        Meta(description="Key that signs forms. Empty: made once and kept in the data folder."),
    ] = ""
    secure_cookies: Annotated[
        bool,
        Meta(description="Send cookies over HTTPS only, and HSTS. On wherever public_url begins with https."),
    ] = False
    hosts: Annotated[
        str,
        Meta(
            description="Names under which the site is reached, separated by commas, besides that of "
            "public_url, localhost and IP addresses. Requests for others are refused; *: none are."
        ),
    ] = ""
    proxies: Annotated[
        str,
        Meta(
            description="Addresses or networks of reverse proxies, separated by commas: their "
            "X-Forwarded-For, X-Forwarded-Proto and X-Request-ID are believed, nobody else's."
        ),
    ] = ""
    second_factor_for: Annotated[
        str,
        Meta(
            description="Roles that must show a second factor, separated by commas, such as "
            "administrator,verifier. Empty: whoever wants one may have one."
        ),
    ] = ""
    pool_least: Annotated[int, Meta(ge=0, le=100, description="Connections kept open per process.")] = 1
    pool_most: Annotated[int, Meta(ge=1, le=500, description="Most connections per process.")] = 10
    pool_wait: Annotated[int, Meta(ge=1, description="Longest wait for a free connection.")] = 5_000
    lock_timeout: Annotated[int, Meta(ge=1, description="Longest wait for a lock in the database.")] = 3_000
    statement_timeout: Annotated[int, Meta(ge=1, description="Longest run of one statement.")] = 10_000
    idle_timeout: Annotated[
        int, Meta(ge=1, description="Longest pause inside a transaction before the database ends it.")
    ] = 15_000
    job_tasks: Annotated[
        int, Meta(ge=0, le=64, description="Jobs that one process works on at once; 0: leave them to others.")
    ] = 2
    run_part_pairs: Annotated[
        int,
        Meta(
            ge=1,
            description="A run with more possible pairs (of lots and demands of the same product) is shared "
            "among workers, in parts of about so many.",
        ),
    ] = 20_000_000
    public_url: Annotated[
        str,
        Meta(
            description="Address under which people reach the site, e.g. https://tiantou.example. Links in "
            "messages that are sent begin with it; empty: such messages carry no link.",
            pattern=r"\A(https?://[^\s/?#]+(/[^\s?#]*)?)?\Z",
        ),
    ] = ""
    mail_via: Annotated[
        str,
        Meta(
            description="Mail account that sends notices, as Apprise writes it: "
            "mailtos://user:password@smtp.example?from=notice@example. Empty: no mail is sent."
        ),
    ] = ""
    private_channels: Annotated[
        bool,
        Meta(description="Notices may also be sent to addresses inside this network (loopback, private)."),
    ] = False
    heads_dir: Annotated[
        str,
        Meta(
            description="Folder for the heads of the record, written once a day; best on another machine. "
            "Empty: audit-heads in the data folder."
        ),
    ] = ""
    demo_logins: Annotated[
        str,
        Meta(description="Accounts that the sign-in page offers, as JSON. `serve --demo` sets it."),
    ] = ""

    def __post_init__(self) -> None:
        if self.pool_least > self.pool_most:
            raise ValueError("MARKET_POOL_LEAST > MARKET_POOL_MOST")


class Described(NamedTuple):
    """A setting as operators read about it."""

    variable: str
    default: str
    meaning: str


def variable(field: str) -> str:
    """Return the environment variable of a field of :class:`Settings`."""
    return "DATABASE_URL" if field == "database_url" else f"MARKET_{field.upper()}"


def described() -> list[Described]:
    """Return every setting with its default and meaning, in the order of :class:`Settings`."""
    hints = get_type_hints(Settings, include_extras=True)
    listed = []
    for field in msgspec.structs.fields(Settings):
        meaning = next(note.description for note in get_args(hints[field.name])[1:] if isinstance(note, Meta))
        default = "" if field.default is msgspec.NODEFAULT else str(field.default)
        listed.append(Described(variable(field.name), default, meaning or ""))
    return listed


def _decode(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value).expanduser().absolute()
    raise NotImplementedError(kind)


def read_settings(environment: dict[str, str]) -> Settings:
    """Read settings from ``environment``; an empty variable counts as not set.

    Raises:
        Invalid: a value does not fit; ``fields`` names the variable.
    """
    given = {
        field.name: environment[variable(field.name)]
        for field in msgspec.structs.fields(Settings)
        if environment.get(variable(field.name))
    }
    kinds = get_type_hints(Settings, include_extras=True)
    for name, value in given.items():
        try:
            msgspec.convert(value, kinds[name], strict=False, dec_hook=_decode)
        except msgspec.ValidationError as trouble:
            text = msg(
                "环境变量 {variable} 的值“{value}”不合要求：{trouble}。",
                variable=variable(name),
                value=value,
                trouble=str(trouble),
            )
            raise Invalid(text, {variable(name): text}) from None
    try:
        return msgspec.convert(given, Settings, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as trouble:
        raise Invalid(msg("设置互相矛盾：{trouble}。", trouble=str(trouble))) from None


@cache
def settings() -> Settings:
    """Return this process's settings."""
    return read_settings(dict(os.environ))


def private_folder(path: Path) -> Path:
    """Make ``path`` (mode 0700) if it is missing and return it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)
    return path


@cache
def secret_key() -> str:
    """Return the key that signs forms: the setting, or one made once for this data folder."""
    chosen = settings()
    if chosen.secret_key:
        return chosen.secret_key
    path = private_folder(chosen.data_dir) / "secret-key"
    if not path.exists():
        draft = path.with_name(f"secret-key.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)  # whole or not at all, and the first of two processes wins
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text()
