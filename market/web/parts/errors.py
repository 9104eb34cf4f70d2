"""What went wrong, told over HTTP: a page for people, RFC 9457 problem details for the API.

This is the only place of ``market`` that knows which status belongs to which kind of error.
"""

import json
import logging
import traceback
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import ExceptionHandlersMap

from market import clock
from market.accounts.limits import TooManyTries
from market.errors import Busy, Conflict, Invalid, MarketError, NotAllowed, NotFound
from market.i18n import Message, msg, translate
from market.meanwhile import ChangedMeanwhile, NotAsRead
from market.organisations.approving import Waiting
from market.web.edge import cookies, csrf, guards
from market.web.edge.addresses import quoted
from market.web.edge.csrf import Forged
from market.web.edge.form_pages import page_of
from market.web.edge.guards import SecondFactorNeeded, SignInNeeded
from market.web.edge.language import language_of
from market.web.parts import pages

_log = logging.getLogger("market.web")

AnyRequest = Request[Any, Any, Any]

#: The first that fits counts.
_STATUS: tuple[tuple[type[MarketError], int], ...] = (
    (SignInNeeded, 401),
    (NotFound, 404),
    (NotAllowed, 403),
    (TooManyTries, 429),
    (NotAsRead, 412),
    (Conflict, 409),
    (Invalid, 422),
    (Busy, 503),
)
_TITLES: dict[int, Message] = {
    400: msg("这个请求不完整"),
    401: msg("请先登录"),
    403: msg("这一步不能做"),
    404: msg("没有找到"),
    405: msg("这个地址不能这样用"),
    408: msg("传得太慢了"),
    409: msg("情况已经变了"),
    412: msg("读取以后改过了"),
    413: msg("文件太大了"),
    415: msg("内容的格式不对"),
    421: msg("本站不用这个域名"),
    422: msg("有地方要改"),
    429: msg("试得太勤了"),
    500: msg("系统出错了"),
    503: msg("系统正忙"),
}
_ADVICE: dict[int, Message] = {
    400: msg("地址或内容不完整，请从首页重新打开。"),
    401: msg("请先登录，再回到这里。"),
    403: msg("您的账号没有这项权限，请换用有权限的账号登录。"),
    404: msg("这一页不存在，或者不对您开放。请检查地址，或从首页查找。"),
    405: msg("请回到上一页，用页面上的按钮操作。"),
    408: msg("内容传了太久还没有传完。请换一个信号好的地方，再提交一次。"),
    413: msg("一次送来的内容太多，请把文件压缩或分开后再传。"),
    415: msg("请求正文须是 JSON（Content-Type: application/json）。"),
    421: msg("请用本站自己的网址打开。管理员可以用 MARKET_HOSTS 或 MARKET_PUBLIC_URL 增加域名。"),
    429: msg("请过几分钟再试。"),
    500: msg("没有保存这一步。请稍后再试；如果还不行，请把下面的编号告诉管理员。"),
    503: msg("系统正忙，这一步没有保存。请过几秒再试一次。"),
}


class Trouble(msgspec.Struct, frozen=True):
    """An error as it will be told: one status, one sentence, and the fields it concerns."""

    status: int
    message: Message
    fields: dict[str, Message] = {}
    headers: dict[str, str] = {}
    trace: str = ""
    #: Field -> what was sent and what stands now, where others have changed it meanwhile.
    changed: dict[str, dict[str, Any]] = {}

    @property
    def title(self) -> Message:
        return _TITLES.get(self.status, _TITLES[500 if self.status >= 500 else 400])


def trouble_from(error: Exception) -> Trouble:
    """Return how ``error`` is told. Anything unforeseen becomes 500 and keeps its words to the log."""
    if isinstance(error, MarketError):
        status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
        fields = error.fields if isinstance(error, Invalid) else {}
        headers = {"retry-after": str(error.retry_after)} if isinstance(error, Busy | TooManyTries) else {}
        changed = error.values() if isinstance(error, ChangedMeanwhile) else {}
        if isinstance(error, NotAsRead):
            headers["etag"] = f'"{error.marks}"'
        return Trouble(status, error.message, fields, headers, changed=changed)
    if isinstance(error, ValidationException) and error.extra:
        return Trouble(400, _ADVICE[400], _fields_of(error.extra))
    if isinstance(error, HTTPException):
        status = error.status_code
        return Trouble(status, _ADVICE.get(status, _ADVICE[400]), headers=dict(error.headers or {}))
    return Trouble(500, _ADVICE[500], trace="".join(traceback.format_exception(error)))


def _fields_of(extra: object) -> dict[str, Message]:
    """Litestar's list of ``{"key": ..., "message": ...}``; its words are English and technical."""
    if not isinstance(extra, list):
        return {}
    return {
        str(part.get("key", "")): msg("这个值不合要求（{detail}）。", detail=str(part.get("message", "")))
        for part in extra
        if isinstance(part, dict)
    }


def tell(request: AnyRequest, error: Exception) -> Response[Any]:
    """Litestar's exception handler for everything."""
    trouble = trouble_from(error)
    if trouble.status >= 500 and not isinstance(error, MarketError):
        _log.error("request %s failed", pages.request_id(request.scope), exc_info=error)
    if request.scope["path"].startswith("/api/"):
        if isinstance(error, Waiting):
            # nothing went wrong: it was taken in, and is not done yet
            kept = {"state": "awaiting_approval", "approval_id": error.approval_id}
            return Response(kept, status_code=202, media_type="application/json")
        return problem(request, trouble)
    if isinstance(error, SecondFactorNeeded):
        return pages.redirect(request, "/account/second-factor")
    if isinstance(error, Waiting):
        return pages.redirect(request, f"/approvals/{error.approval_id}", toast=error.message)
    if isinstance(error, SignInNeeded):
        return pages.redirect(request, guards.sign_in_path(request))
    if trouble.status == 405 and request.method == "GET":
        # an address that only takes posts, opened anew after one was answered
        return pages.redirect(request, quoted(page_of(request.scope)))
    return _error_page(request, trouble, error)


def problem(request: AnyRequest, trouble: Trouble) -> Response[bytes]:
    """Return problem details (RFC 9457); ``fields`` is ours: field -> what is wrong with it."""
    language, today = language_of(request), clock.today()
    status = HTTPStatus(trouble.status)
    body: dict[str, object] = {
        "type": f"urn:tiantou:problem:{status.phrase.lower().replace(' ', '-')}",
        "title": translate(trouble.title, language),
        "status": trouble.status,
        "detail": translate(trouble.message, language, today=today),
        "instance": request.scope["path"],
        "request_id": pages.request_id(request.scope),
    }
    if trouble.fields:
        body["fields"] = {
            name: translate(text, language, today=today) for name, text in trouble.fields.items()
        }
    if trouble.changed:
        body["changed"] = trouble.changed
    return Response(
        msgspec.json.encode(body),
        status_code=trouble.status,
        media_type="application/problem+json",
        headers={"content-language": language, **trouble.headers},
    )


def _error_page(request: AnyRequest, trouble: Trouble, error: Exception) -> Response[str]:
    headers = dict(trouble.headers)
    is_part = pages.is_htmx(request)
    if is_part and isinstance(error, Forged) and (error.kept or error.has_files):
        # the form still stands there: its page takes the new token, and it can be sent again
        headers["hx-trigger"] = json.dumps({"token": csrf.token(request)})
    if is_part:
        # whatever was to be replaced stays as it is; the word appears on top of it
        headers |= {"hx-retarget": "#toasts", "hx-reswap": "beforeend"}
    return pages.page(
        request,
        "errors/error.html",
        fragment="errors/fragment.html",
        status=trouble.status,
        headers=headers,
        trouble=trouble,
        # what was sent was about something: back to it, not to the first page
        back="" if request.method == "GET" else quoted(page_of(request.scope)),
        stale=error if isinstance(error, Forged) else None,
        trace=trouble.trace if cookies.edge(request).development else "",
    )


HANDLERS: ExceptionHandlersMap = {Exception: tell, HTTPException: tell}
