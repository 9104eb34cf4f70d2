"""Every component on one page, for those who build pages. Served in development only."""

from datetime import date, timedelta
from typing import Any

from litestar import Response, get, post

from market.i18n import msg
from market.units import FenPerKg, Gram
from market.web.edge.guards import WebRequest
from market.web.parts import fields
from market.web.parts.forms import FileField, Form
from market.web.parts.pages import page

_TONNE = 1_000_000
_DAY = date(2026, 11, 1)

FORM = Form(
    produce=fields.text(msg("品名"), most=40, hint=msg("写您平时的叫法就行，例如 花生、长生果。")),
    quantity=fields.quantity(msg("数量")),
    price=fields.price(msg("单价"), hint=msg("村头价，不含运费。")),
    ready=fields.day(msg("上市日期"), earliest=date(2026, 1, 1)),
    grade=fields.choice(
        msg("等级"), {"1": msg("一级"), "2": msg("二级"), "3": msg("统货")}, chips=True, optional=True
    ),
    store=fields.choice(msg("存放"), {"dry": msg("常温干燥"), "cold": msg("冷藏")}, optional=True),
    photo=FileField(label=msg("照片"), endings=(".jpg", ".jpeg", ".png"), optional=True),
    note=fields.text(msg("备注"), most=200, lines=True, optional=True),
    sure=fields.tick(msg("以上内容属实"), required=True),
)

_STOCK = [520, 520, 488, 470, 470, 396, 341, 300, 262, 250, 181, 164, 120]
_STAGES = (
    (msg("已发布"), 520),
    (msg("已匹配"), 455),
    (msg("已洽谈"), 390),
    (msg("已签约"), 320),
    (msg("已交付"), 168),
)
_FLOWS = (
    ("东余村", "永辉超市", 120),
    ("东余村", "盒马鲜生", 60),
    ("东余村", "兴隆大家庭", 40),
    ("于家房子村", "永辉超市", 45),
    ("于家房子村", "大润发", 28),
    ("满都户镇丰收花生种植专业合作社", "沈阳市地利生鲜农产品有限公司", 22),
    ("老观坨村", "盒马鲜生", 5),
)


def _context() -> dict[str, Any]:
    return {
        "points": [(_DAY + timedelta(days=3 * n), Gram(mass * _TONNE)) for n, mass in enumerate(_STOCK)],
        "stages": [(name, Gram(mass * _TONNE)) for name, mass in _STAGES],
        "flows": [(a, b, Gram(mass * _TONNE)) for a, b, mass in _FLOWS],
        "some_mass": Gram(12_500_000),
        "some_price": FenPerKg(170),
        "total": Gram(500 * _TONNE),
        "left": Gram(120 * _TONNE),
        "held": Gram(90 * _TONNE),
    }


@get("/style", sync_to_thread=False)
def show(request: WebRequest) -> Response[str]:
    """Draw the page; ``?faulty=1`` draws its form as it comes back with faults."""
    form = FORM.blank(produce="花生")
    if "faulty" in request.query_params:
        form = FORM.parse(
            {"produce": ["花生"], "quantity": ["两万"], "price": ["0.8523"], "ready": ["12月1日"]}
        )
    return page(request, "style.html", form=form, **_context())


@post("/style")
async def send(request: WebRequest) -> Response[str]:
    """Read the form and draw it again with its faults."""
    filled = await FORM.read(request)
    return page(request, "style.html", form=filled, status=422 if filled.errors else 200, **_context())


routes = [show, send]
