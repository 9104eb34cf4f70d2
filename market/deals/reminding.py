"""Money that falls due, or should have been paid: who has to act is told, and who waits for it."""

from datetime import datetime

from market.clock import CHINA, last_minute
from market.db.session import fetch, transaction
from market.deals import rules
from market.i18n import msg, on_day
from market.notices.operations import Word, notify_all
from market.units import Fen, yuan

#: Days from the due day on which the payer is told: before it once, and after it ever more seldom.
REMIND_ON_DAYS = (-3, 1, 7, 14, 30, 60, 90)
MOST_A_ROUND = 500


async def remind_of_payments(*, at: datetime) -> int:
    """Tell who owes money that is due soon or overdue, and who waits for overdue money; return how many.

    Each of ``REMIND_ON_DAYS`` counts once; of several that were missed only the last is made up for. What
    the payer says was paid, and what is disputed, is not asked for.
    """
    today = at.astimezone(CHINA).date()
    async with transaction():
        rows = await fetch(
            """UPDATE payment SET reminded_on = $1 FROM deal, (
                 SELECT open.id FROM payment open JOIN deal ON deal.id = open.deal
                 CROSS JOIN unnest($2::int[]) AS days
                 WHERE open.amount > open.paid + open.disputed AND deal.state = ANY($3::text[])
                   AND open.due_on + days <= $1
                 GROUP BY open.id HAVING coalesce(open.reminded_on < open.due_on + max(days), true)
                 ORDER BY open.id LIMIT $4) due
               WHERE payment.id = due.id AND deal.id = payment.deal
               RETURNING deal.id, deal.number, deal.seller, deal.buyer, payment.due_on,
                         payment.amount - payment.paid - payment.disputed AS fen""",
            today,
            list(REMIND_ON_DAYS),
            [rules.ACTIVE, rules.TERMINATED],
            MOST_A_ROUND,
        )
        words = []
        for row in rows:
            link, days = f"/deals/{row['id']}#payments", (today - row["due_on"]).days
            values = {
                "number": row["number"],
                "money": f"{yuan(Fen(row['fen'])):,.2f}",
                "day": on_day(row["due_on"]),
            }
            if days <= 0:
                told = msg("合同 {number}：{money} 元 {day} 到期，请按时付款，付了在这里记下。", **values)
                words.append(Word(row["buyer"], "payment_due", told, link, at, last_minute(row["due_on"])))
                continue
            told = msg(
                "合同 {number}：{money} 元 {day} 到期，已过 {days} 天没有付清，请付款；已经付了的请记下。",
                **values,
                days=days,
            )
            words.append(Word(row["buyer"], "payment_due", told, link, at))
            told = msg(
                "合同 {number}：买方 {money} 元 {day} 到期，已过 {days} 天没有记付款；"
                "已催买方，到账的请让买方补记。",
                **values,
                days=days,
            )
            words.append(Word(row["seller"], "payment_overdue", told, link, at))
        await notify_all(words)
    return len(rows)
