"""What time does to the worry book: it opens cases, closes what has been sold, and sends the rest up."""

from collections import Counter
from datetime import datetime, timedelta

from market.accounts.rules import SYSTEM
from market.cases import rules
from market.cases.diary import begin
from market.cases.operations import lift, shut
from market.clock import CHINA
from market.db.session import fetch, transaction
from market.i18n import msg
from market.notices.operations import notify
from market.supply.rules import ROUNDS

#: A round is one transaction: what is more waits for the next.
MOST_A_ROUND = 500

#: The last day that something moved: put on sale, bid on, sold, or a round of bidding ended; goods that a
#: contract has set free again are stuck since then. While a round lasts the goods are the bidders', and of
#: bids under seal nobody may learn whether there are any. Goods that were on sale and are so no more, by any
#: of their listings, are stuck since the last line of their ledger, or since their listing ran out.
_STUCK = """WITH newest AS (
  SELECT town, max(id) AS run FROM run WHERE state = 'done' GROUP BY town),
stuck AS (
  SELECT listing.id AS listing, owner.town,
         greatest(listing.published_at, listing.opened_at,
                  (SELECT max(bid.created_at) FROM bid WHERE bid.listing = listing.id),
                  (SELECT max(deal.created_at) FROM deal WHERE deal.listing = listing.id),
                  CASE WHEN listing.state <> 'published'
                       THEN (SELECT max(at) FROM stock_entry WHERE stock_entry.lot = lot.id) END,
                  CASE WHEN listing.state = 'expired'
                       THEN (listing.available_to + 1)::timestamp AT TIME ZONE 'Asia/Shanghai' END
                 ) AS moved_at,
         (SELECT max(at) FROM stock_entry
          WHERE stock_entry.lot = lot.id AND stock_entry.kind = 'released') AS freed_at,
         listing.state <> 'published' AS unlisted,
         listing.state = 'published' AND EXISTS (SELECT FROM diagnosis
                 WHERE diagnosis.run = newest.run AND diagnosis.listing = listing.id)
           AND NOT EXISTS (SELECT FROM match
                           WHERE match.run = newest.run AND match.listing = listing.id) AS unmatched
  FROM listing JOIN lot ON lot.id = listing.lot JOIN organisation owner ON owner.id = listing.owner
  LEFT JOIN newest ON newest.town = owner.town
  LEFT JOIN stuck_case book ON book.listing = listing.id
  WHERE lot.remaining > 0 AND owner.town IS NOT NULL
    AND (listing.state = 'published' AND NOT (listing.way = ANY($4::text[]) AND listing.opened_at IS NULL)
         OR listing.state IN ('expired', 'withdrawn', 'suspended', 'sold_out')
            AND NOT EXISTS (SELECT FROM listing other WHERE other.lot = lot.id AND (other.state = 'published'
                              OR other.id > listing.id AND other.state NOT IN ('draft', 'pending'))))
    AND (book.id IS NULL OR (book.state = 'closed' AND book.reason = $2))
    AND NOT EXISTS (SELECT FROM listing told JOIN stuck_case ON stuck_case.listing = told.id
                    WHERE told.lot = lot.id AND stuck_case.state = 'open'))
SELECT listing, town, greatest(moved_at, freed_at) AS since, unmatched, unlisted FROM stuck
WHERE moved_at <= $1 OR unmatched
ORDER BY listing LIMIT $3"""


async def round_of_cases(*, at: datetime) -> None:
    """Do one round. Doing it again on the same day changes nothing."""
    await close_sold(at=at)
    await open_stuck(at=at)
    await climb_overdue(at=at)


async def open_stuck(*, at: datetime) -> int:
    """Open a case for all goods that have come to a stop; return how many.

    That is: on sale, or taken off sale with something left, and no bid, sale or contract in
    ``rules.IDLE_DAYS`` days and no round of bidding that lasts; or the town's newest run found nobody for it.
    What somebody has closed and said why stays closed; what was sold out and came back is opened again.
    """
    opened: Counter[int] = Counter()
    async with transaction():
        since = at - timedelta(days=rules.IDLE_DAYS)
        for row in await fetch(_STUCK, since, rules.SOLD_OUT, MOST_A_ROUND, sorted(ROUNDS)):
            _, is_new = await begin(
                listing_id=row["listing"],
                cause=_cause(unlisted=row["unlisted"], unmatched=row["unmatched"]),
                stuck_since=row["since"].astimezone(CHINA).date(),
                actor=SYSTEM,
                at=at,
            )
            opened[row["town"]] += is_new
        for town, count in sorted(opened.items()):
            if count:
                await notify(
                    organisation_id=town,
                    kind="cases_opened",
                    message=msg(
                        "心病台账新立案 {count} 件：久无出价、成交，撮合没有配上，或有货不在售。", count=count
                    ),
                    link="/cases",
                    at=at,
                )
    return opened.total()


def _cause(*, unlisted: bool, unmatched: bool) -> str:
    if unlisted:
        return rules.UNLISTED
    return rules.UNMATCHED if unmatched else rules.IDLE


async def close_sold(*, at: datetime) -> int:
    """Close every case whose lot has nothing left; return how many."""
    async with transaction():
        rows = await fetch(
            """SELECT book.id FROM stuck_case book JOIN listing ON listing.id = book.listing
               JOIN lot ON lot.id = listing.lot WHERE book.state = 'open' AND lot.remaining = 0
               ORDER BY book.id LIMIT $1 FOR UPDATE OF book""",
            MOST_A_ROUND,
        )
        for row in rows:
            await shut(
                case_id=row["id"],
                reason=rules.SOLD_OUT,
                note="",
                organisation_id=None,
                actor=SYSTEM,
                at=at,
            )
    return len(rows)


async def climb_overdue(*, at: datetime) -> int:
    """Take every open case whose deadline has passed one level up; return how many.

    At the top there is no higher level: there it comes before the joint meeting once more.
    """
    async with transaction():
        rows = await fetch(
            """SELECT id FROM stuck_case WHERE state = 'open' AND due_on < $1
               ORDER BY id LIMIT $2 FOR UPDATE""",
            at.astimezone(CHINA).date(),
            MOST_A_ROUND,
        )
        for row in rows:
            await lift(case_id=row["id"], actor=SYSTEM, at=at)
    return len(rows)
