"""Static files under addresses that change with their content, compressed once at the start.

Nothing is built and no copy of htmx is kept here: it is read from the installed wheel that
carries it (whose package is located, not imported).
"""

import gzip
import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import brotli
import msgspec
from litestar import Response, get
from litestar.connection import Request
from litestar.datastructures import State
from litestar.params import FromPath

from market.errors import NotFound
from market.i18n import msg

_STATIC = Path(__file__).parents[1] / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
_FOREVER = "public, max-age=31536000, immutable"


class Asset(msgspec.Struct, frozen=True):
    """One file in the three encodings that it is served in."""

    path: str
    media_type: str
    plain: bytes
    brotli: bytes
    gzip: bytes


def _htmx() -> bytes:
    spec = find_spec("django_htmx")
    if spec is None or spec.origin is None:
        raise RuntimeError("The wheel django-htmx is not installed: run pip install -r requirements/run.txt")
    return (Path(spec.origin).parent / "static" / "django_htmx" / "htmx-2.min.js").read_bytes()


def _asset(name: str, content: bytes) -> Asset:
    stem, _, ending = name.rpartition(".")
    mark = hashlib.sha256(content).hexdigest()[:10]
    return Asset(
        path=f"/assets/{stem}.{mark}.{ending}",
        media_type=_TYPES[f".{ending}"],
        plain=content,
        brotli=brotli.compress(content, quality=11),
        gzip=gzip.compress(content, 9, mtime=0),
    )


@cache
def manifest() -> dict[str, Asset]:
    """Return file name -> asset, for everything in static/ and htmx."""
    files = {path.name: path.read_bytes() for path in sorted(_STATIC.iterdir()) if path.suffix in _TYPES}
    files["htmx.js"] = _htmx()
    return {name: _asset(name, content) for name, content in files.items()}


def asset_path(name: str) -> str:
    """Return the hashed address of a static file.

    Raises:
        KeyError: there is no such file.
    """
    return manifest()[name].path


@cache
def _by_path() -> dict[str, Asset]:
    return {asset.path: asset for asset in manifest().values()}


@get(
    "/assets/{name:str}",
    opt={"is_asset": True, "exclude_from_auth": True},
    include_in_schema=False,
    sync_to_thread=False,
)
def asset(request: Request[object, object, State], name: FromPath[str]) -> Response[bytes]:
    """Serve a static file; an address of an older version is gone."""
    found = _by_path().get(f"/assets/{name}")
    if found is None:
        raise NotFound(msg("没有这个文件，请刷新页面。"))
    accepted = request.headers.get("accept-encoding", "")
    headers = {"cache-control": _FOREVER, "vary": "accept-encoding"}
    content = found.plain
    if "br" in accepted:
        content, headers["content-encoding"] = found.brotli, "br"
    elif "gzip" in accepted:
        content, headers["content-encoding"] = found.gzip, "gzip"
    return Response(content, media_type=found.media_type, headers=headers)
