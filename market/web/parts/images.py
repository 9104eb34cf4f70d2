"""Pictures of lots. An address that carries the content's hash may be kept for ever."""

import re
from typing import Literal, cast

from litestar import Response, get
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market.errors import NotFound
from market.i18n import msg
from market.supply.queries import picture
from market.web.edge.addresses import row_number
from market.web.edge.guards import Anybody, WebRequest

_NAME = re.compile(r"([0-9]{1,4})-(image|thumb)\.webp")


@get("/pictures/{lot:int}/{name:str}", opt={"is_asset": True})
async def show(
    request: WebRequest, guest: Anybody, lot: FromPath[int], name: FromPath[str]
) -> Response[bytes]:
    """Serve a picture to whoever may see its lot.

    With ``?v=`` (the hash's beginning) the answer is good for ever; without it the browser asks again.
    """
    named = _NAME.fullmatch(name)
    if named is None:
        raise NotFound(msg("没有找到这张图片。"))
    size = cast(Literal["image", "thumb"], named[2])
    organisation = guest.organisation_id if guest else None
    found = await picture(lot=row_number(lot), position=int(named[1]), size=size, viewer=organisation)
    tag = f'"{found.content_hash[:20]}-{size}"'
    version = request.query_params.get("v", "")
    fixed = len(version) >= 12 and found.content_hash.startswith(version)
    # what only some may see must not stay in a cache that others share
    shared = "public" if guest is None else "private"
    headers = {
        "etag": tag,
        "cache-control": f"{shared}, max-age=31536000, immutable" if fixed else f"{shared}, no-cache",
    }
    if tag in re.split(r"\s*,\s*", request.headers.get("if-none-match", "").replace("W/", "")):
        return Response(b"", status_code=304, headers=headers, media_type="image/webp")
    return Response(found.content, media_type="image/webp", headers=headers)


routes: list[ControllerRouterHandler] = [show]
