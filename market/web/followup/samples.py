"""Samples, for the seller who sends, the buyer who tries, and the town that watches the clock."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Viewer
from market.errors import Invalid, NotFound
from market.i18n import Message, msg
from market.meetings.after.queries import SampleRow, sample_of, samples_of
from market.meetings.after.samples import LONGEST_CARRIER, LONGEST_NOTE, TURN, move_sample
from market.meetings.rules import SAMPLE, SAMPLE_DAYS, SAMPLE_VERDICTS
from market.transitions import WrongState
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest
from market.web.parts import fields
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.trade import KEY, acting, new_key, show

#: Each step: its form, the label of its button, and what is said when it is done.
STEPS: dict[str, tuple[Form, Message, Message]] = {
    "send": (
        Form(
            carrier=fields.text(
                msg("快递公司"),
                most=LONGEST_CARRIER,
                hint=msg("自己送去就写“自送”。"),
                suggestions=("顺丰", "京东", "邮政 EMS", "中通", "圆通", "自送"),
            ),
            tracking=fields.text(msg("快递单号"), most=LONGEST_CARRIER, optional=True),
            key=KEY,
        ),
        msg("已寄出"),
        msg("已告诉对方样品在路上。"),
    ),
    "receive": (Form(key=KEY), msg("签收"), msg("已签收，请在期限内反馈。")),
    "answer": (
        Form(
            verdict=fields.choice(msg("样品怎么样"), SAMPLE_VERDICTS, chips=True),
            note=fields.text(
                msg("说明"),
                most=LONGEST_NOTE,
                lines=True,
                optional=True,
                hint=msg("需要改进时必填，对方会看到。"),
            ),
            key=KEY,
        ),
        msg("发送反馈"),
        msg("已把反馈告诉对方。"),
    ),
    "call_off": (
        Form(note=fields.text(msg("为什么不寄了"), most=LONGEST_NOTE, optional=True), key=KEY),
        msg("不再寄样"),
        msg("已告诉对方不再寄样。"),
    ),
}
#: Where each step leads: pressed twice, the second time finds it there already.
LEADS = {"send": "sent", "receive": "received", "answer": "answered", "call_off": "called_off"}


def side_of(sample: SampleRow, viewer: Viewer) -> str:
    """Return the side of a sample that the viewer stands on."""
    if viewer.organisation_id == sample.seller:
        return "seller"
    return "buyer" if viewer.organisation_id == sample.buyer else "official"


@get("/samples")
async def index(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """List one's samples: what one has to do first, then what the other side has, then the rest."""
    rows = await samples_of(organisation_id=viewer.organisation_id)
    own = [each for each in rows if _is_turn(each, viewer)]
    return show(
        request,
        "after/samples.html",
        own=own,
        others=[each for each in rows if each not in own],
        side_of=side_of,
        verdicts=SAMPLE_VERDICTS,
        SAMPLE=SAMPLE,
    )


def _is_turn(sample: SampleRow, viewer: Viewer) -> bool:
    side, turn = side_of(sample, viewer), TURN.get(sample.state)
    return turn is not None and (side == turn or (side == "official" and sample.is_late(clock.today())))


@get("/samples/{sample_id:int}")
async def one(request: WebRequest, viewer: SignedIn, sample_id: FromPath[int]) -> Response[str]:
    """Show where a sample is, and the next step where it is one's turn."""
    sample = await sample_of(sample_id=row_number(sample_id), organisation_id=viewer.organisation_id)
    return _draw(request, viewer, sample)


def _draw(
    request: WebRequest,
    viewer: Viewer,
    sample: SampleRow,
    *,
    faulty: dict[str, Filled] | None = None,
    status: int = 200,
) -> Response[str]:
    side = side_of(sample, viewer)
    return show(
        request,
        "after/sample.html",
        status=status,
        sample=sample,
        side=side,
        forms={
            move: (faulty or {}).get(move) or STEPS[move][0].blank(key=new_key())
            for move in SAMPLE.available(state=sample.state, by=side)
        },
        steps=STEPS,
        days=SAMPLE_DAYS,
        place=["requested", "sent", "received", "answered"].index(sample.state)
        if sample.state != "called_off"
        else None,
        verdicts=SAMPLE_VERDICTS,
        SAMPLE=SAMPLE,
    )


@post("/samples/{sample_id:int}/{move:str}")
async def step(
    request: WebRequest, viewer: SignedIn, sample_id: FromPath[int], move: FromPath[str]
) -> Response[Any]:
    """Take a sample one step on; pressing twice is harmless."""
    if move not in STEPS:
        raise NotFound(msg("没有这一步，请回到样品页面操作。"))
    form, _, done = STEPS[move]
    sample = await sample_of(sample_id=row_number(sample_id), organisation_id=viewer.organisation_id)
    filled = await form.read(request)
    values = {name: value for name, value in filled.values.items() if name != "key" and value is not None}
    try:
        filled.check()
        await move_sample(
            sample_id=sample.id,
            move=move,
            organisation_id=viewer.organisation_id,
            actor=acting(viewer, side_of(sample, viewer)),
            at=clock.now(),
            **values,
        )
    except Invalid as refused:
        return _draw(request, viewer, sample, faulty={move: filled.refused(refused)}, status=422)
    except WrongState:
        now = await sample_of(sample_id=sample.id, organisation_id=viewer.organisation_id)
        if now.state != LEADS[move]:
            raise
    return redirect(request, f"/samples/{sample.id}", toast=done)


routes: list[ControllerRouterHandler] = [index, one, step]
