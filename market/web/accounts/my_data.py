"""One's own data: what is told and agreed to, a copy, corrections, closing the account, and periods."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.queries import own_person
from market.accounts.rules import Actor, Viewer
from market.audit.looks import LOOK_REASONS
from market.errors import Conflict, Invalid
from market.i18n import msg
from market.privacy import rules
from market.privacy.consent import answer_notice, change_consent, consents_of
from market.privacy.correcting import (
    LONGEST_NAME,
    ask_for_phone,
    changes_kept_by,
    correct_name,
    own_change,
    withdraw_phone,
)
from market.privacy.leaving import close_account, leaving_of
from market.privacy.own_data import ask_for_copy, exports_of, fetch_copy, looks_at
from market.web.edge import cookies
from market.web.edge.addresses import row_number
from market.web.edge.csrf import SESSION
from market.web.edge.guards import Anybody, SignedIn, WebRequest, safe_path
from market.web.parts import fields
from market.web.parts.downloads import attachment
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.trade import BARE, show

_NOTICE = Form(
    agreed=fields.choices(
        msg("另外要您同意的（可以不选）"), {name: each.label for name, each in rules.PURPOSES.items()}
    ),
    next=fields.hidden(optional=True),
)
_CONSENT = Form(purpose=fields.hidden(), given=fields.hidden(), next=fields.hidden(optional=True))
_NAME = Form(
    name=fields.text(msg("姓名"), most=LONGEST_NAME),
    name_en=fields.text(msg("英文名"), most=LONGEST_NAME, optional=True),
)
_PHONE = Form(phone=fields.phone(msg("新手机号"), hint=msg("核实之前，登录还用旧号码。")))
_CLOSE = Form(sure=fields.tick(msg("我要注销账号，知道不能恢复")))


def own_actor(viewer: Viewer) -> Actor:
    """Return the viewer as somebody who acts for nobody else; no role is needed for one's own data."""
    return Actor(viewer.person_id, viewer.organisation_id, viewer.side)


@get("/privacy")
async def notice(request: WebRequest, guest: Anybody) -> Response[str]:
    """What is done with personal data, for everybody; whoever is signed in answers here."""
    known = await consents_of(person_id=guest.person_id) if guest else {}
    told = rules.NOTICE_READ in known and known[rules.NOTICE_READ].version == rules.VERSION
    agreed = [name for name in rules.PURPOSES if name in known and known[name].given]
    return show(
        request,
        "my_data/notice.html",
        form=_NOTICE.blank(agreed=agreed, next=safe_path(request.query_params.get("next"))),
        told=told,
        sections=rules.NOTICE,
        version=rules.VERSION,
        purposes=rules.PURPOSES,
        periods=rules.PERIODS.values(),
    )


@post("/privacy")
async def answer(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Keep that the notice was read, and what was agreed to."""
    filled = await _NOTICE.read(request)
    filled.check()
    await answer_notice(
        person_id=viewer.person_id,
        agreed=filled.values["agreed"] or (),
        actor=own_actor(viewer),
        at=clock.now(),
    )
    return redirect(request, safe_path(filled.values["next"]), toast=msg("记下了，以后可在“我的信息”里改。"))


@get("/my-data")
async def index(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """Everything one may do about one's own data."""
    return await _draw(request, viewer)


async def _draw(
    request: WebRequest,
    viewer: Viewer,
    *,
    name: Filled | None = None,
    phone: Filled | None = None,
    close: Filled | None = None,
    status: int = 200,
) -> Response[str]:
    person = await own_person(person_id=viewer.person_id)
    return show(
        request,
        "my_data/show.html",
        status=status,
        person=person,
        consents=await consents_of(person_id=viewer.person_id),
        purposes=rules.PURPOSES,
        version=rules.VERSION,
        exports=await exports_of(person_id=viewer.person_id),
        change=await own_change(person_id=viewer.person_id),
        looks=await looks_at(person_id=viewer.person_id),
        reasons=LOOK_REASONS,
        waiting=len(await changes_kept_by(viewer)),
        leaving=await leaving_of(person_id=viewer.person_id, today=clock.today()),
        PHONE_CHANGE=rules.PHONE_CHANGE,
        name_form=name or _NAME.blank(name=person.name, name_en=person.name_en),
        phone_form=phone or _PHONE.blank(),
        close_form=close or _CLOSE.blank(),
    )


@post("/my-data/consent")
async def consent(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Give or take back one consent."""
    filled = await _CONSENT.read(request)
    filled.check()
    given = filled.values["given"] == "1"
    await change_consent(
        person_id=viewer.person_id,
        purpose=filled.values["purpose"],
        given=given,
        actor=own_actor(viewer),
        at=clock.now(),
    )
    toast = msg("已同意。") if given else msg("已收回同意。以前做的仍然有效。")
    return redirect(request, "/my-data", toast=toast)


@post("/my-data/name")
async def new_name(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Correct one's own name."""
    filled = await _NAME.read(request)
    try:
        filled.check()
        await correct_name(
            person_id=viewer.person_id,
            name=filled.values["name"],
            name_en=filled.values["name_en"] or "",
            actor=own_actor(viewer),
            at=clock.now(),
        )
    except Invalid as refused:
        return await _draw(request, viewer, name=filled.refused(refused), status=422)
    return redirect(request, "/my-data", toast=msg("姓名已改。"))


@post("/my-data/phone")
async def new_phone(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Ask for another number."""
    filled = await _PHONE.read(request)
    try:
        filled.check()
        await ask_for_phone(
            viewer=viewer, phone=filled.values["phone"], actor=own_actor(viewer), at=clock.now()
        )
    except Invalid as refused:
        return await _draw(request, viewer, phone=filled.refused(refused), status=422)
    return redirect(request, "/my-data", toast=msg("已申请，等干部打新号码核实。"))


@post("/my-data/phone/withdraw")
async def keep_phone(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Take the request back."""
    (await BARE.read(request)).check()
    await withdraw_phone(person_id=viewer.person_id, actor=own_actor(viewer), at=clock.now())
    return redirect(request, "/my-data", toast=msg("已撤回，号码不变。"))


@post("/my-data/copy")
async def copy(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Have a copy of everything made."""
    (await BARE.read(request)).check()
    await ask_for_copy(person_id=viewer.person_id, actor=own_actor(viewer), at=clock.now())
    return redirect(request, "/my-data", toast=msg("正在做，一会儿刷新本页来取。"))


@post("/my-data/copy/{export_id:int}")
async def take(request: WebRequest, viewer: SignedIn, export_id: FromPath[int]) -> Response[Any]:
    """Hand out a copy, once."""
    (await BARE.read(request)).check()
    content = await fetch_copy(
        export_id=row_number(export_id),
        person_id=viewer.person_id,
        actor=own_actor(viewer),
        at=clock.now(),
    )
    return attachment(content, "my-data.zip")


@post("/my-data/close")
async def close(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Close the account for good."""
    filled = await _CLOSE.read(request)
    try:
        filled.check()
        await close_account(
            person_id=viewer.person_id,
            sure=bool(filled.values["sure"]),
            actor=own_actor(viewer),
            at=clock.now(),
            today=clock.today(),
        )
    except Invalid as refused:
        return await _draw(request, viewer, close=filled.refused(refused), status=422)
    except Conflict as refused:
        trouble = filled.refused(Invalid(refused.message, {"sure": refused.message}))
        return await _draw(request, viewer, close=trouble, status=409)
    cookies.drop(request, SESSION)
    return redirect(request, "/sign-in", toast=msg("账号已注销。"))


routes: list[ControllerRouterHandler] = [
    *(notice, answer, index, consent, new_name, new_phone, keep_phone, copy, take, close)
]
