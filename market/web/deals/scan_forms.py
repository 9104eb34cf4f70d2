"""The forms of scanned contracts, and what the contract's page shows of them."""

from typing import Any

from market.accounts.rules import Viewer
from market.deals.queries import DealRow
from market.deals.scans.queries import ScanRow, scans_of
from market.deals.scans.rules import (
    MOST_FILES,
    REFUSALS,
    SCAN,
    TO_FILE,
    TO_SIGN,
    WAITING,
)
from market.deals.terms import LONGEST_NOTE
from market.i18n import msg
from market.pictures import MOST_BYTES
from market.web.parts import fields
from market.web.parts.forms import FileField, Filled, Form
from market.web.parts.scans import SCAN_ENDINGS
from market.web.parts.trade import KEY, new_key

_FILES = FileField(
    label=msg("扫描件"),
    endings=SCAN_ENDINGS,
    most_bytes=MOST_BYTES,
    most_files=MOST_FILES,
    hint=msg(
        "PDF 或照片，一页一张也行，最多 {n} 个文件，每个 8 MB 以内；要看得清字、签名和章。", n=MOST_FILES
    ),
)
#: Signs for one's own side with a paper.
SIGNING = Form(
    files=_FILES,
    mark=fields.text(
        msg("条款核对码"), most=20, hint=msg("印在纸质合同每一页的页脚，8 位；照着签好的纸填。")
    ),
    signed=fields.tick(msg("我方已在这份纸质合同上签字盖章，没有改动印好的文字"), required=True),
    key=KEY,
)
#: Files a paper with a contract that is signed already; the other page may have been drawn before it was.
FILING = Form(
    files=_FILES,
    mark=fields.text(msg("条款核对码"), most=20, optional=True),
    signed=fields.tick(msg("我方已在这份纸质合同上签字盖章，没有改动印好的文字")),
    key=KEY,
)
REFUSAL = Form(
    reason=fields.choice(msg("原因"), REFUSALS, hint=msg("对方会看到这个原因。")),
    note=fields.text(msg("补充说明"), most=LONGEST_NOTE, lines=True, optional=True),
    key=KEY,
)


def upload_form(deal: DealRow) -> Form:
    """Return what is asked with a scan: it signs as long as not both sides have, and is filed afterwards."""
    return SIGNING if deal.state in TO_SIGN else FILING


async def shown_scans(
    deal: DealRow,
    viewer: Viewer,
    side: str | None,
    *,
    scanning: Filled | None,
    refused: tuple[int, Filled] | None,
) -> dict[str, Any]:
    """Return what the templates want. ``scanning``: the upload with its faults; ``refused``: (scan, form)."""
    scans = await scans_of(deal_id=deal.id, organisation_id=viewer.organisation_id)
    own = viewer.organisation_id

    def moves(scan: ScanRow) -> tuple[str, ...]:
        if side is None:
            return ()
        return SCAN.available(state=scan.state, by="uploader" if scan.organisation == own else "other")

    blank = REFUSAL.blank(key=new_key())
    form = upload_form(deal)
    return {
        "scans": [(scan, moves(scan)) for scan in scans],
        "scan_to_confirm": next(
            (each for each in scans if side and each.state == WAITING and each.organisation != own), None
        ),
        "scan_refusal_of": lambda scan: refused[1] if refused and refused[0] == scan else blank,
        "scan_reasons": REFUSALS,
        "scan_form": scanning or form.blank(key=new_key()),
        "is_scanning": scanning is not None,
        "can_scan": side is not None and deal.state in TO_SIGN | TO_FILE,
        "scan_signs": deal.state in TO_SIGN,
        "SCAN": SCAN,
    }
