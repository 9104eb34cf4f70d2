"""Payments that count from an invoice: their day follows from what stands, up to a latest day."""

from market.db.session import execute


async def derive_due_days(*, deal_id: int) -> None:
    """Work the days of open payments out anew; the contract's row is locked.

    A payment for goods is due so many days after both they and their first standing invoice were there. The
    invoice counts from the day on which it was recorded here, when the other side was told of it; without one
    the latest day holds, counted from the goods' arrival. Of goods that were taken because the buyer said
    nothing (``arrivals.inspecting``) it counts from when the buyer was told, and no day is before they were.
    """
    await execute(
        """UPDATE payment SET due_on = CASE WHEN billed.since IS NULL THEN payment.due_latest
             ELSE greatest(billed.passed,
                           least(payment.due_latest,
                                 greatest(billed.arrived, billed.since) + payment.invoice_days::int)) END
           FROM (SELECT delivery.id AS delivery,
                        (delivery.passed_at AT TIME ZONE 'Asia/Shanghai')::date AS passed,
                        CASE WHEN stated.delivery IS NOT NULL THEN delivery.inspect_from
                             ELSE (delivery.arrived_at AT TIME ZONE 'Asia/Shanghai')::date END AS arrived,
                        (SELECT min((invoice.created_at AT TIME ZONE 'Asia/Shanghai')::date)
                         FROM invoice JOIN invoice_delivery covers ON covers.invoice = invoice.id
                         WHERE covers.delivery = delivery.id AND invoice.state = 'recorded') AS since
                 FROM delivery LEFT JOIN arrival stated
                   ON stated.delivery = delivery.id AND stated.state = 'passed'
                 WHERE delivery.deal = $1) billed
           WHERE payment.deal = $1 AND billed.delivery = payment.delivery
             AND payment.invoice_days IS NOT NULL AND payment.state <> 'paid'""",
        deal_id,
    )
