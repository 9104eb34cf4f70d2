"""The forms of a seller's word that goods have come, and what the contract's page shows of them."""

from typing import Any

from market import clock
from market.deals.arrivals.queries import arrivals_of
from market.deals.arrivals.rules import ARRIVAL, LONGEST_NOTE, STATED
from market.deals.queries import DealRow, DeliveryRow
from market.deals.rules import DISPATCHED
from market.i18n import msg
from market.pictures import MOST_BYTES
from market.web.parts import fields
from market.web.parts.forms import FileField, Filled, Form
from market.web.parts.scans import SCAN_ENDINGS
from market.web.parts.trade import KEY, new_key

STATEMENT = Form(
    on=fields.day(msg("哪天到货")),
    file=FileField(
        label=msg("签收单"),
        endings=SCAN_ENDINGS,
        most_bytes=MOST_BYTES,
        hint=msg("收货人签过字的签收单、过磅单：照片或 PDF，8 MB 以内。"),
    ),
    note=fields.text(msg("补充说明"), most=LONGEST_NOTE, lines=True, optional=True),
    key=KEY,
)
DENIAL = Form(
    note=fields.text(
        msg("哪里不符"),
        most=LONGEST_NOTE,
        lines=True,
        hint=msg("例如 这一天没有收到货，签收单不是我方人员签的。"),
    ),
    key=KEY,
)


async def shown_arrivals(
    deal: DealRow,
    side: str | None,
    *,
    delivers: bool,
    refused: tuple[int, str, Filled] | None,
) -> dict[str, Any]:
    """Return what the templates want; ``refused``: (load or word, what was tried, form with its faults)."""
    words = await arrivals_of(deal_id=deal.id)
    waiting = {each.delivery for each in words if each.state == STATED}

    def form_of(number: int, name: str) -> Filled:
        if refused and refused[:2] == (number, name):
            return refused[2]
        if name == "deny_arrival":
            return DENIAL.blank(key=new_key())
        return STATEMENT.blank(on=clock.today(), key=new_key())

    def can_state(delivery: DeliveryRow) -> bool:
        return delivers and side == "seller" and delivery.state == DISPATCHED and delivery.id not in waiting

    return {
        "arrivals_of": lambda delivery: [
            (each, ARRIVAL.available(state=each.state, by=side or "") if delivers else ())
            for each in words
            if each.delivery == delivery
        ],
        "arrival_form_of": form_of,
        "can_state_arrival": can_state,
        "arrival_waits": waiting,
        "ARRIVAL": ARRIVAL,
    }
