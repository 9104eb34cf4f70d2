"""What becomes of a scan when something else happens to its contract: other terms, a signature, an end."""

from datetime import datetime

from market.accounts.rules import SYSTEM
from market.audit.operations import record
from market.db.session import execute, fetch
from market.deals import rules
from market.deals.scans.rules import SCAN, UPLOADED, WAITING
from market.i18n import Message
from market.notices.operations import notify


async def keep_waiting(*, deal_id: int) -> None:
    """File what still waits with a contract that both sides have signed now. The contract's row is locked."""
    await execute(
        "UPDATE contract_scan SET state = $3 WHERE deal = $1 AND state = $2",
        deal_id,
        WAITING,
        SCAN.apply("keep", state=WAITING, by="system"),
    )


async def outdate(*, deal_id: int, at: datetime, told: Message | None = None) -> None:
    """Void the scans of a contract that was not signed by both yet; a signature by scan falls with it.

    The contract's row is locked. ``told`` goes to the side that had presented one.
    """
    rows = await fetch(
        """SELECT id, state, organisation, signs FROM contract_scan
           WHERE deal = $1 AND state = ANY($2) FOR UPDATE""",
        deal_id,
        [UPLOADED, WAITING],
    )
    for row in rows:
        state = SCAN.apply("outdate", state=row["state"], by="system")
        await execute("UPDATE contract_scan SET state = $2 WHERE id = $1", row["id"], state)
        if row["state"] != WAITING:
            continue
        if row["signs"]:
            await unsign(deal_id=deal_id, organisation_id=row["organisation"])
        await record(
            subject=f"deal:{deal_id}", action="outdate_scan", actor=SYSTEM, at=at, details={"scan": row["id"]}
        )
        if told is not None:
            await notify(
                organisation_id=row["organisation"],
                kind="scan_outdated",
                message=told,
                link=f"/deals/{deal_id}#scans",
                at=at,
            )


async def unsign(*, deal_id: int, organisation_id: int) -> None:
    """Take back a signature that rested on a scan, where the contract is not in force. Its row is locked."""
    rows = await fetch(
        "SELECT state, seller FROM deal WHERE id = $1 AND state = ANY($2)",
        deal_id,
        sorted(rules.CONTRACT.sources("unsign")),
    )
    if not rows:
        return
    side = "seller" if rows[0]["seller"] == organisation_id else "buyer"
    await execute(
        f"""UPDATE deal SET state = $2, {side}_signed_at = NULL, {side}_signed_by = NULL
            WHERE id = $1""",  # noqa: S608  side is one of two words above
        deal_id,
        rules.CONTRACT.apply("unsign", state=rows[0]["state"], by="system"),
    )
