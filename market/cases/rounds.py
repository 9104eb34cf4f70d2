"""What time does to the worry book: it opens cases, closes what has been sold, and sends the rest up."""

from collections import Counter
from datetime import datetime, timedelta

from asyncpg import Record

from market.accounts.rules import SYSTEM
from market.cases import rules
from market.cases.diary import begin, locked, recause
from market.cases.operations import lift, shut
from market.clock import CHINA
from market.db.session import fetch, transaction
from market.i18n import msg
from market.notices.operations import notify
from market.supply.rules import ROUNDS

#: A round is one transaction: what is more waits for the next.
MOST_A_ROUND = 500

#: The town's newest run.
_NEWEST = "newest AS (SELECT town, max(id) AS run FROM run WHERE state = 'done' GROUP BY town)"
#: The last that a listing brought: put on sale, bid on, sold, or a round of bidding ended.
_MOVED = """greatest(listing.published_at, listing.opened_at,
                  (SELECT max(bid.created_at) FROM bid WHERE bid.listing = listing.id),
                  (SELECT max(deal.created_at) FROM deal WHERE deal.listing = listing.id))"""
#: While a round lasts the goods are the bidders': of bids under seal nobody may learn whether there are any.
_IN_ROUND = "(listing.way = ANY($4::text[]) AND listing.opened_at IS NULL)"
_UNMATCHED = """(listing.state = 'published' AND EXISTS (SELECT FROM diagnosis
                 WHERE diagnosis.run = newest.run AND diagnosis.listing = listing.id)
           AND NOT EXISTS (SELECT FROM match
                           WHERE match.run = newest.run AND match.listing = listing.id))"""
#: No open case of the lot, and none of just these goods that somebody has closed and said why.
_NOT_IN_BOOK = """(book.id IS NULL OR (book.state = 'closed' AND book.reason = ANY($2::text[])))
    AND NOT EXISTS (SELECT FROM stuck_case WHERE stuck_case.lot = lot.id AND stuck_case.state = 'open')"""

#: The last day that something moved; goods that a contract has set free again are stuck since then. Goods
#: that were on sale and are so no more, by any of their listings, are stuck since the last line of their
#: ledger, or since their listing ran out; those that never were, since the last that changed what there is to
#: sell, or since they were to be on offer by a draft.
_STUCK = f"""WITH {_NEWEST},
stuck AS (
  SELECT lot.id AS lot, listing.id AS listing, owner.town,
         greatest({_MOVED},
                  CASE WHEN listing.state <> 'published'
                       THEN (SELECT max(at) FROM stock_entry WHERE stock_entry.lot = lot.id) END,
                  CASE WHEN listing.state = 'expired'
                       THEN (listing.available_to + 1)::timestamp AT TIME ZONE 'Asia/Shanghai' END
                 ) AS moved_at,
         (SELECT max(at) FROM stock_entry
          WHERE stock_entry.lot = lot.id AND stock_entry.kind = 'released') AS freed_at,
         listing.state <> 'published' AS unlisted, {_UNMATCHED} AS unmatched
  FROM listing JOIN lot ON lot.id = listing.lot JOIN organisation owner ON owner.id = listing.owner
  LEFT JOIN newest ON newest.town = owner.town
  LEFT JOIN stuck_case book ON book.listing = listing.id
  WHERE lot.remaining > 0 AND owner.town IS NOT NULL
    AND (listing.state = 'published' AND NOT {_IN_ROUND}
         OR listing.state IN ('expired', 'withdrawn', 'suspended', 'sold_out')
            AND NOT EXISTS (SELECT FROM listing other WHERE other.lot = lot.id AND (other.state = 'published'
                              OR other.id > listing.id AND other.state NOT IN ('draft', 'pending'))))
    AND {_NOT_IN_BOOK}
  UNION ALL
  SELECT lot.id, NULL, owner.town,
         greatest(lot.created_at,
                  (SELECT max(at) FROM stock_entry WHERE stock_entry.lot = lot.id AND change <> 0),
                  (SELECT max(available_from)::timestamp AT TIME ZONE 'Asia/Shanghai'
                   FROM listing WHERE listing.lot = lot.id)),
         NULL, true, false
  FROM lot JOIN organisation owner ON owner.id = lot.owner
  LEFT JOIN stuck_case book ON book.lot = lot.id AND book.listing IS NULL
  WHERE lot.remaining > 0 AND owner.town IS NOT NULL
    AND NOT EXISTS (SELECT FROM listing WHERE listing.lot = lot.id
                      AND listing.state NOT IN ('draft', 'pending'))
    AND {_NOT_IN_BOOK})
SELECT lot, listing, town, greatest(moved_at, freed_at) AS since, unmatched, unlisted FROM stuck
WHERE moved_at <= $1 OR unmatched
ORDER BY lot, listing LIMIT $3"""  # noqa: S608  words of ours; values are parameters

#: Open cases of goods that were not on sale, with the listing that they are on sale by now, if any.
_WERE_OFF_SALE = f"""WITH {_NEWEST}
SELECT book.id, book.cause, listing.id AS listing, {_UNMATCHED} AS unmatched,
       NOT {_IN_ROUND} AND {_MOVED} <= $1 AS idle,
       EXISTS (SELECT FROM deal JOIN listing sold ON sold.id = deal.listing
               WHERE sold.lot = lot.id AND deal.state <> 'cancelled' AND deal.created_at > book.opened_at)
         AS moving
FROM stuck_case book JOIN lot ON lot.id = book.lot
LEFT JOIN newest ON newest.town = book.town
LEFT JOIN LATERAL (SELECT * FROM listing WHERE listing.lot = lot.id AND listing.state = 'published'
                   ORDER BY listing.id DESC LIMIT 1) listing ON true
WHERE book.state = 'open' AND lot.remaining > 0 AND book.cause = ANY($2::text[])
  AND (listing.id IS NOT NULL OR book.cause = $3)
ORDER BY book.id"""  # noqa: S608  words of ours; values are parameters


async def round_of_cases(*, at: datetime) -> int:
    """Do one round, and return the most that one of its steps moved on: ``MOST_A_ROUND`` where more is left.

    Doing it again on the same day changes nothing else.
    """
    return max(
        [
            await close_sold(at=at),
            await follow_listed(at=at),
            await open_stuck(at=at),
            await climb_overdue(at=at),
        ]
    )


async def open_stuck(*, at: datetime) -> int:
    """Open a case for all goods that have come to a stop; return how many.

    That is: on sale, or taken off sale with something left, and no bid, sale or contract in
    ``rules.IDLE_DAYS`` days and no round of bidding that lasts; or never on sale, and nothing has become of
    them for as long; or the town's newest run found nobody for it. What somebody has closed and said why
    stays closed; what was sold out or sold again, and came to a stop, is opened again.
    """
    opened: Counter[int] = Counter()
    async with transaction():
        since = at - timedelta(days=rules.IDLE_DAYS)
        closed_by_itself = sorted(rules.BY_ITSELF)
        for row in await fetch(_STUCK, since, closed_by_itself, MOST_A_ROUND, sorted(ROUNDS)):
            _, is_new = await begin(
                lot_id=row["lot"],
                listing_id=row["listing"],
                cause=_cause(row),
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


def _cause(row: Record) -> str:
    if row["unlisted"]:
        return rules.NEVER_LISTED if row["listing"] is None else rules.UNLISTED
    return rules.UNMATCHED if row["unmatched"] else rules.IDLE


async def follow_listed(*, at: datetime) -> int:
    """Let each open case of goods that were not on sale, and are now, say how it goes on; return how many.

    A contract since it was opened ends it. Else it has the cause of goods on sale that are stuck, once they
    are; before, and where they were taken off sale again, it says just that.
    """
    changed = 0
    async with transaction():
        since = at - timedelta(days=rules.IDLE_DAYS)
        causes = sorted(rules.OFF_SALE)
        for row in await fetch(_WERE_OFF_SALE, since, causes, rules.RELISTED, sorted(ROUNDS)):
            cause, ends = _cause_now(row), row["listing"] is not None and row["moving"]
            if changed == MOST_A_ROUND or not (ends or cause != row["cause"]):
                continue
            now = await locked(case_id=row["id"])
            if (now["state"], now["cause"]) != (rules.OPEN, row["cause"]):
                continue  # somebody was quicker
            if ends:
                await shut(
                    case_id=row["id"], reason=rules.MOVING, note="", organisation_id=None, actor=SYSTEM, at=at
                )
            else:
                await recause(case_id=row["id"], cause=cause, listing_id=row["listing"], at=at)
            changed += 1
    return changed


def _cause_now(row: Record) -> str:
    if row["listing"] is None:
        return rules.UNLISTED
    if row["unmatched"]:
        return rules.UNMATCHED
    return rules.IDLE if row["idle"] else rules.RELISTED


async def close_sold(*, at: datetime) -> int:
    """Close every case whose lot has nothing left; return how many."""
    async with transaction():
        rows = await fetch(
            """SELECT book.id FROM stuck_case book
               JOIN lot ON lot.id = book.lot WHERE book.state = 'open' AND lot.remaining = 0
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
