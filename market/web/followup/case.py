"""One case: its diary, whose it is to solve and until when, and what can be done with it now."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Actor, Viewer
from market.cases import rules
from market.cases.operations import add_entry, climb, close, put_in_charge, reopen
from market.cases.queries import CaseRow, case_of, diaries_of
from market.errors import Invalid, NotFound
from market.i18n import Message, msg
from market.meanwhile import ChangedMeanwhile, marks_of
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest
from market.web.edge.language import language_of
from market.web.followup.cases import KEEPERS, first_advice, side_of, why_of
from market.web.parts import fields
from market.web.parts.changed_meanwhile import SEEN, merged
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.told import obstacle
from market.web.parts.trade import KEY, acting, do_once, name_in, new_key, show


def _note(label: Message, *, hint: Message | None = None, optional: bool = False) -> fields.Field:
    return fields.text(label, most=rules.LONGEST_NOTE, lines=True, hint=hint, optional=optional)


ENTRY = Form(
    kind=fields.choice(msg("做了什么"), rules.ENTRY_KINDS),
    note=_note(msg("经过和结果"), hint=msg("找了谁、对方怎么说、下一步。记下后不能改。")),
    key=KEY,
)
CLIMB = Form(note=_note(msg("为什么要提前上报")), key=KEY)
CLOSE = Form(
    reason=fields.choice(
        msg("为什么销号"), {code: word for code, word in rules.REASONS.items() if code not in rules.BY_ITSELF}
    ),
    note=_note(msg("说明"), optional=True, hint=msg("从别处卖掉、损耗、暂不卖或登记有误时必填。")),
    key=KEY,
)
REOPEN = Form(note=_note(msg("为什么重新立案")), key=KEY)
#: What is said when a deed is done.
DONE: dict[str, Message] = {
    "entry": msg("已记入日志。"),
    "charge": msg("责任和期限已更新，有关各方会收到通知。"),
    "climb": msg("已上报，列入上一级议程。"),
    "close": msg("已销号。"),
    "reopen": msg("已重新立案。"),
}


def _charge_form(request: WebRequest, case: CaseRow) -> Form:
    language = language_of(request)
    return Form(
        owner=fields.choice(
            msg("责任单位"),
            {
                str(case.seller): name_in(language, case, "seller_name"),
                str(case.town): name_in(language, case, "town_name"),
            },
        ),
        in_charge=fields.text(
            msg("责任人"),
            most=rules.LONGEST_NAME,
            optional=True,
            hint=msg("姓名和职务，县、市的人也可以写。"),
        ),
        due_on=fields.day(msg("解决期限")),
        decided=fields.tick(msg("这是本级联席会议定的")),
        note=_note(msg("议定的办法"), optional=True, hint=msg("联席会议定的必填。")),
        key=KEY,
        seen=SEEN,
    )


def _charge(case: CaseRow) -> dict[str, Any]:
    """Return what stands in that form, as the case is."""
    now = case.charge
    return {
        "owner": str(now.owner),
        "in_charge": now.in_charge,
        "due_on": now.due_on,
        "seen": marks_of(now),
    }


def _forms(request: WebRequest, case: CaseRow, side: str, *, county: bool = False) -> dict[str, Form]:
    """Return the forms of what ``side`` can do with the case now; a county, once it has climbed so far."""
    if county and case.level not in rules.COUNTY_LEVELS:
        return {"entry": ENTRY} if case.state == rules.OPEN else {}
    moves = rules.CASE.available(state=case.state, by=side)
    forms: dict[str, Form] = {}
    if case.state == rules.OPEN:
        forms["entry"] = ENTRY
        if side == "official":
            forms["charge"] = _charge_form(request, case)
    if "climb" in moves and rules.above(case.level):
        forms["climb"] = CLIMB
    if "close" in moves:
        forms["close"] = CLOSE
    if "reopen" in moves and case.remaining:
        forms["reopen"] = REOPEN
    return forms


@get("/cases/{case_id:int}", guards=KEEPERS)
async def one(request: WebRequest, viewer: SignedIn, case_id: FromPath[int]) -> Response[str]:
    """Show a case with its diary."""
    case = await case_of(case_id=row_number(case_id), organisation_id=viewer.organisation_id)
    return await _draw(request, viewer, case)


async def _draw(
    request: WebRequest,
    viewer: Viewer,
    case: CaseRow,
    *,
    faulty: dict[str, Filled] | None = None,
    status: int = 200,
) -> Response[str]:
    drawn: dict[str, Filled] = {}
    for name, form in _forms(request, case, side_of(viewer), county=viewer.is_county).items():
        values: dict[str, Any] = {"key": new_key()}
        if name == "charge":
            values |= _charge(case)
        drawn[name] = (faulty or {}).get(name) or form.blank(**values)
    return show(
        request,
        "cases/show.html",
        status=status,
        case=case,
        lines=await diaries_of(case_ids=[case.id], organisation_id=viewer.organisation_id),
        advice=(await first_advice([case], viewer, language_of(request))).get(case.id),
        why=why_of(case, viewer),
        forms=drawn,
        above=rules.above(case.level),
        levels=rules.LEVELS,
        place=list(rules.LEVELS).index(case.level),
        meetings=rules.JOINT_MEETINGS,
        causes=rules.CAUSES,
        reasons=rules.REASONS,
        kinds={**rules.ENTRY_KINDS, **rules.DEEDS},
        obstacle=obstacle,
        CASE=rules.CASE,
    )


def _deed(
    name: str, case: CaseRow, values: dict[str, Any], viewer: Viewer, by: Actor, at: datetime
) -> Callable[[], Awaitable[object]]:
    here: dict[str, Any] = {"case_id": case.id, "actor": by, "at": at, "note": values["note"]}
    own: dict[str, Any] = {"organisation_id": viewer.organisation_id}
    if name == "entry":
        return lambda: add_entry(**here, **own, kind=values["kind"])
    if name == "close":
        return lambda: close(**here, **own, reason=values["reason"])
    if name == "reopen":
        return lambda: reopen(**here, **own)
    if name == "climb":
        return lambda: climb(**here, town_id=viewer.organisation_id)
    return lambda: put_in_charge(
        **here,
        town_id=viewer.organisation_id,
        owner_id=int(values["owner"]),
        in_charge=values["in_charge"],
        due_on=values["due_on"],
        decided=values["decided"],
        seen=values["seen"],
    )


@post("/cases/{case_id:int}/{deed:str}", guards=KEEPERS)
async def do(
    request: WebRequest, viewer: SignedIn, case_id: FromPath[int], deed: FromPath[str]
) -> Response[Any]:
    """Write into the diary, put somebody in charge, send up, close, or open again."""
    case = await case_of(case_id=row_number(case_id), organisation_id=viewer.organisation_id)
    side = side_of(viewer)
    known: dict[str, Form] = {"entry": ENTRY, "climb": CLIMB, "close": CLOSE, "reopen": REOPEN}
    if side == "official":
        known["charge"] = _charge_form(request, case)
    if deed not in known:
        raise NotFound(msg("没有这一步，请回到心病页面操作。"))
    filled = await known[deed].read(request)
    at = clock.now()
    try:
        filled.check()
        values = {name: value for name, value in filled.values.items() if name != "key"}
        await do_once(
            viewer=viewer,
            key=filled.values["key"],
            name=f"case_{deed}",
            about={"case": case.id, **{name: str(value) for name, value in values.items()}},
            deed=_deed(deed, case, values, viewer, acting(viewer, side), at),
            at=at,
        )
    except Invalid as refused:
        return await _draw(request, viewer, case, faulty={deed: filled.refused(refused)}, status=422)
    except ChangedMeanwhile as changed:
        case = await case_of(case_id=case.id, organisation_id=viewer.organisation_id)
        fresh = filled.form.blank(key=new_key(), **_charge(case))
        again = merged(filled, changed, fresh=fresh, language=language_of(request))
        return await _draw(request, viewer, case, faulty={deed: again}, status=409)
    return redirect(request, f"/cases/{case.id}", toast=DONE[deed])


routes: list[ControllerRouterHandler] = [one, do]
