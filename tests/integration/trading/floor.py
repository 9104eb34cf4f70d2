"""A small trading floor in the database, what must hold on it at any time, and how a deed is tried on it."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from datetime import date, datetime
from typing import Any, TypeVar

import asyncpg
import msgspec
from asyncpg import Record

from fixtures.factories import STORY, Factory, Member
from market.audit.checking import check
from market.clock import CHINA
from market.db.session import fetch, fetch_value
from market.deals.clauses import WHOLE, Terms, least_performed
from market.errors import MarketError
from market.units import FenPerKg, Gram, amount
from tests import databases

T = TypeVar("T")

#: What the floor looks at after every step: name -> rows.
SEEN = {
    "listing": """SELECT listing.*, lot.remaining, lot.quantity AS grams FROM listing
                  JOIN lot ON lot.id = listing.lot ORDER BY listing.id""",
    "demand": "SELECT * FROM demand ORDER BY id",
    "bid": """SELECT bid.*, listing.owner, listing.way, listing.state AS listing_state, lot.remaining
              FROM bid JOIN listing ON listing.id = bid.listing JOIN lot ON lot.id = listing.lot
              ORDER BY bid.id""",
    "deal": "SELECT deal.*, listing.lot FROM deal JOIN listing ON listing.id = deal.listing ORDER BY deal.id",
    "delivery": """SELECT delivery.*, deal.seller, deal.buyer, deal.state AS deal_state FROM delivery
                   JOIN deal ON deal.id = delivery.deal ORDER BY delivery.id""",
    "payment": """SELECT payment.*, deal.buyer, deal.seller FROM payment JOIN deal ON deal.id = payment.deal
                  ORDER BY payment.id""",
    "receipt": """SELECT receipt.*, payment.deal, deal.buyer, deal.seller FROM receipt
                  JOIN payment ON payment.id = receipt.payment JOIN deal ON deal.id = payment.deal
                  ORDER BY receipt.id""",
    "breach": """SELECT breach.*, deal.state AS deal_state FROM breach JOIN deal ON deal.id = breach.deal
                 ORDER BY breach.id""",
    "match": """SELECT match.*, listing.state AS listing_state, lot.remaining, demand.open, demand.state
                       AS demand_state
                FROM match JOIN listing ON listing.id = match.listing JOIN lot ON lot.id = listing.lot
                JOIN demand ON demand.id = match.demand ORDER BY match.id""",
    "terms": "SELECT deal, version, terms::text, state FROM contract_terms ORDER BY deal, version",
}

#: Name -> the rows that break it; what is returned names them. Grams and fen.
LAWS = {
    "a lot is what its ledger adds up to, and never less than nothing": """
        SELECT lot.id FROM lot WHERE remaining < 0
           OR remaining <> (SELECT sum(change) FROM stock_entry WHERE lot = lot.id)
           OR quantity <> (SELECT sum(change) FROM stock_entry
                           WHERE lot = lot.id AND kind IN ('in', 'lost', 'transformed'))""",
    "each line of the ledger goes on from the one before it": """
        SELECT id FROM (SELECT id, remaining - change AS before,
                               lag(remaining, 1, 0::bigint) OVER (PARTITION BY lot ORDER BY id) AS last
                        FROM stock_entry) line WHERE before <> last""",
    "all of a lot is for sale, or held by contracts": """
        SELECT lot.id FROM lot WHERE quantity <> remaining
          + (SELECT coalesce(sum(deal.quantity - deal.released), 0) FROM deal
             JOIN listing ON listing.id = deal.listing
             WHERE listing.lot = lot.id AND deal.state <> 'cancelled')""",
    "a contract holds by the ledger what it says that it holds": """
        SELECT deal.id FROM deal WHERE CASE state WHEN 'cancelled' THEN 0 ELSE quantity - released END
          <> (SELECT -coalesce(sum(change), 0) FROM stock_entry
              WHERE deal = deal.id AND kind IN ('reserved', 'released'))""",
    "what a terminated contract holds is taken, lost or under way": """
        SELECT deal.id FROM deal WHERE state = 'terminated' AND quantity - released
          <> (SELECT coalesce(sum(CASE WHEN state IN ('accepted', 'partially_accepted') THEN accepted + loss
                                       WHEN state IN ('dispatched', 'arrived') THEN quantity ELSE 0 END), 0)
              FROM delivery WHERE deal = deal.id)""",
    "no more is sent than the contract has, or holds besides": """
        SELECT deal.id FROM deal WHERE quantity + greatest(0, -released)
          < (SELECT coalesce(sum(CASE WHEN state IN ('accepted', 'partially_accepted') THEN accepted + loss
                                      WHEN state IN ('cancelled', 'rejected') THEN 0 ELSE quantity END), 0)
             FROM delivery WHERE deal = deal.id)""",
    "a delivery is taken, lost and refused in parts of what was sent": """
        SELECT id FROM delivery WHERE loss < 0 OR coalesce(accepted, 0) < 0
           OR coalesce(accepted, 0) + loss > quantity
           OR (accepted IS NOT NULL) <> (state IN ('accepted', 'partially_accepted'))
           OR state = 'accepted' AND accepted + loss <> quantity
           OR (reason IS NOT NULL) <> (state IN ('partially_accepted', 'rejected'))""",
    "a demand is open for what its contracts leave, and never overfilled": """
        SELECT demand.id FROM demand WHERE open < 0 OR open > quantity OR open <> quantity
          - (SELECT coalesce(sum(deal.quantity - CASE WHEN ended.respondent = deal.seller THEN deal.released
                                                      ELSE 0 END), 0)
             FROM deal LEFT JOIN breach ended ON ended.deal = deal.id AND ended.terminated_at IS NOT NULL
             WHERE deal.demand = demand.id AND deal.state <> 'cancelled')""",
    "goods are on sale only while some remain": """
        SELECT listing.id FROM listing JOIN lot ON lot.id = listing.lot
        WHERE listing.state = 'published' AND remaining = 0
           OR listing.state = 'sold_out' AND remaining > 0""",
    "a bid and its contract belong to each other": """
        SELECT bid.id FROM bid LEFT JOIN deal ON deal.id = bid.deal
        WHERE (bid.state = 'accepted') <> (bid.deal IS NOT NULL)
           OR bid.deal IS NOT NULL AND (deal.source_id <> bid.id OR deal.price <> bid.price
              OR deal.source <> CASE answers WHEN 'demand' THEN 'offer' ELSE 'bid' END
              OR deal.quantity > bid.quantity OR deal.quantity < coalesce(bid.least, bid.quantity))""",
    "a contract comes from one source, which names it": """
        SELECT deal.id FROM deal LEFT JOIN bid ON bid.deal = deal.id LEFT JOIN match ON match.deal = deal.id
        GROUP BY deal.id HAVING count(DISTINCT bid.id) + count(DISTINCT match.id) <> 1""",
    "a turn that is answered by another waits for nobody": """
        SELECT turn.id FROM bid turn LEFT JOIN bid answer ON answer.parent = turn.id
        WHERE (turn.state = 'countered') <> (answer.id IS NOT NULL)
           OR turn.state = 'submitted' AND turn.awaiting = turn.author
           OR turn.state = 'needs_reconfirm' AND turn.awaiting <> turn.author""",
    "a contract is signed by whom its state says": """
        SELECT id FROM deal WHERE (seller_signed_at IS NOT NULL)::int + (buyer_signed_at IS NOT NULL)::int
          <> CASE state WHEN 'pending' THEN 0 WHEN 'partly_signed' THEN 1 WHEN 'cancelled' THEN
             (seller_signed_at IS NOT NULL)::int + (buyer_signed_at IS NOT NULL)::int ELSE 2 END
           OR state = 'cancelled' AND seller_signed_at IS NOT NULL AND buyer_signed_at IS NOT NULL""",
    "a payment is paid by its receipts, and never beyond what is due": """
        SELECT payment.id FROM payment WHERE paid + disputed > amount OR paid < 0 OR disputed < 0
           OR paid <> (SELECT coalesce(sum(receipt.amount), 0) FROM receipt
                       WHERE payment = payment.id AND state IN ('claimed', 'confirmed'))
           OR disputed <> (SELECT coalesce(sum(receipt.amount), 0) FROM receipt
                           WHERE payment = payment.id AND state = 'disputed')
           OR state <> CASE WHEN paid = amount THEN 'paid' WHEN paid > 0 THEN 'part_paid' ELSE 'invoiced' END
           OR amount > 0 AND (paid_on IS NOT NULL) <> (state = 'paid')""",
    "a completed contract is delivered and paid": """
        SELECT deal.id FROM deal WHERE state = 'completed'
          AND (EXISTS (SELECT FROM payment WHERE deal = deal.id AND state <> 'paid')
               OR EXISTS (SELECT FROM receipt JOIN payment ON payment.id = receipt.payment
                          WHERE payment.deal = deal.id AND receipt.state IN ('claimed', 'disputed'))
               OR quantity - released <> (SELECT coalesce(sum(accepted + loss), 0) FROM delivery
                                          WHERE deal = deal.id))""",
    "nothing is due under a contract that never came into force": """
        SELECT payment.id FROM payment JOIN deal ON deal.id = payment.deal
        WHERE deal.state IN ('pending', 'partly_signed', 'cancelled')""",
    "one notice ends a contract": """
        SELECT deal.id FROM deal
        LEFT JOIN breach ON breach.deal = deal.id AND breach.terminated_at IS NOT NULL
        GROUP BY deal.id HAVING count(breach.id) <> (deal.state = 'terminated')::int""",
    "a match that is converted has its contract": """
        SELECT match.id FROM match LEFT JOIN deal ON deal.id = match.deal
        WHERE (match.state = 'converted') <> (match.deal IS NOT NULL)
           OR deal.id IS NOT NULL AND (deal.source <> 'match' OR deal.source_id <> match.id
                                       OR deal.quantity <> match.quantity)""",
    "what is over, by the clock too, has its record": """
        SELECT id FROM (
          SELECT id, 'bid:' || id AS subject, 'expire' AS action FROM bid WHERE state = 'expired'
          UNION ALL SELECT id, 'listing:' || id, 'expire' FROM listing WHERE state = 'expired'
          UNION ALL SELECT id, 'joint:' || id, 'expire' FROM joint_offer WHERE state = 'expired'
          UNION ALL SELECT id, 'demand:' || id, 'close' FROM demand WHERE state = 'closed'
          UNION ALL SELECT id, 'breach:' || id, 'lapse' FROM breach WHERE state = 'lapsed'
          UNION ALL SELECT id, CASE WHEN coalesce(seller_agreed_at, buyer_agreed_at) IS NULL
                                    THEN 'run:' || run ELSE 'match:' || id END, 'expire'
            FROM match WHERE state = 'expired') AS ended
        WHERE NOT EXISTS (SELECT FROM audit_record WHERE audit_record.subject = ended.subject
                                                     AND audit_record.action = ended.action)""",
}
_LAWS = " UNION ALL ".join(
    f"SELECT {n} AS law, array_agg(id)::text AS broken FROM ({law}) law{n} HAVING count(*) > 0"
    for n, law in enumerate(LAWS.values())
)


async def broken_laws() -> dict[str, str]:
    """Return the laws that do not hold, with the rows that break them."""
    return {list(LAWS)[row["law"]]: row["broken"] for row in await fetch(_LAWS)}


#: Deeds whose goods are to be matched again leave this job.
REMATCH = "SELECT count(*) FROM job WHERE kind = 'matching.rematch' AND state = 'waiting'"


class Floor:
    """Two villages of a town and two retailers, on a database that was just emptied."""

    def __init__(self, loop: asyncio.AbstractEventLoop, admin: asyncpg.Connection) -> None:
        self._loop = loop
        self._admin = admin
        self._digests: Any = None
        self.now: datetime = STORY
        self.seen: dict[str, list[Record]] = {}
        self.made: dict[str, int] = {}
        self.refused: dict[str, int] = {}
        #: Calls under a key and what they returned.
        self.replies: list[tuple[Callable[[], Awaitable[object]], object]] = []
        self.wait(self._begin())

    async def _begin(self) -> None:
        await databases.clean(self._admin)
        factory = Factory(seed=1)
        await factory.catalogue()
        self.town = await factory.member(role="official")
        self.sellers = [
            await factory.member(role="secretary", town_id=self.town.organisation_id) for _ in range(2)
        ]
        self.buyers = [await factory.member(role="buyer") for _ in range(2)]
        self.factory = factory
        tables = [
            row["tablename"]
            for row in await self._admin.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ]
        # a hundred small tables are read sooner than a plan for them is compiled
        await self._admin.execute("SET jit = off; SET max_parallel_workers_per_gather = 0")
        # prepared: it is too long for the driver to keep its plan by itself
        self._digests = await self._admin.prepare(
            " UNION ALL ".join(
                f"SELECT '{name}' AS name, count(*) AS rows, sum(hashtextextended(t::text, 0)) AS hash"
                f' FROM "{name}" t'
                for name in tables
            )
        )
        await self._look()

    def wait(self, deed: Coroutine[Any, Any, T]) -> T:
        """Run ``deed`` on the session's event loop, where the pool lives."""
        return self._loop.run_until_complete(deed)

    @property
    def today(self) -> date:
        return self.now.astimezone(CHINA).date()

    def member(self, organisation_id: int) -> Member:
        """Who acts for an organisation."""
        everybody = [self.town, *self.sellers, *self.buyers]
        return next(each for each in everybody if each.organisation_id == organisation_id)

    def by(self, organisation_id: int) -> dict[str, Any]:
        """``organisation_id``, ``actor`` and ``at`` of a deed."""
        return {
            "organisation_id": organisation_id,
            "actor": self.member(organisation_id).actor,
            "at": self.now,
        }

    async def digest(self) -> list[tuple[Any, ...]]:
        """Every table of the database, as how many rows it has and what they hash to."""
        # sorted: the database may look at them in any order
        return sorted(tuple(row) for row in await self._digests.fetch())

    def attempt(
        self,
        name: str,
        deed: Callable[[], Awaitable[Any]],
        *,
        legal: bool,
        records: Collection[tuple[str, str]] = (),
        keyed: bool = False,
    ) -> Any:
        """Do what is legal, or see it refused with a coded error and nothing changed.

        ``records``: (noun or subject, action) that the record must have gained. ``keyed``: it is called
        again later on. Returns what it returned, None where it was refused.
        """

        async def tried() -> Any:
            last = await fetch_value("SELECT coalesce(max(id), 0) FROM audit_record")
            before = None if legal else await self.digest()
            try:
                reply, refused = await deed(), ""
            except MarketError as error:
                reply, refused = None, str(error) or name
            if not legal:
                assert refused, f"{name} was done, which is against the rules"
                assert before == await self.digest(), f"{name} was refused and changed something"
                self.refused[name] = self.refused.get(name, 0) + 1
                return None
            assert not refused, f"{name} was refused: {refused}"
            gained = {
                (row["subject"], row["action"])
                for row in await fetch("SELECT subject, action FROM audit_record WHERE id > $1", last)
            }
            for subject, action in records:
                assert any(
                    done == action and (whose == subject or whose.split(":")[0] == subject)
                    for whose, done in gained
                ), f"{name} left no record {subject} {action}, but {gained}"
            if keyed:
                self.replies.append((deed, reply))
            self.made[name] = self.made.get(name, 0) + 1
            return reply

        reply = self.wait(tried())
        self.wait(self._look())
        return reply

    def again(self, n: int) -> None:
        """Send a request that was answered once more: the same reply, and nothing happens."""
        deed, reply = self.replies[n % len(self.replies)]

        async def tried() -> None:
            before = await self.digest()
            assert await deed() == reply
            assert before == await self.digest(), "a repeated request changed something"

        self.wait(tried())
        self.made["repeat"] = self.made.get("repeat", 0) + 1

    def pass_time(self, name: str, rounds: Sequence[Callable[[], Awaitable[object]]]) -> None:
        """Let the clock's own deeds be done."""

        async def done() -> None:
            for each in rounds:
                await each()

        self.wait(done())
        self.made[name] = self.made.get(name, 0) + 1
        self.wait(self._look())

    async def _look(self) -> None:
        self.seen = {name: await fetch(sql) for name, sql in SEEN.items()}

    def check(self) -> None:
        """All that must hold at any time."""
        self.wait(self._check())

    async def _check(self) -> None:
        assert await broken_laws() == {}
        self._check_money()
        findings = await check()
        assert findings.is_whole, findings.faults

    def _check_money(self) -> None:
        """Milestones are the whole price; each delivery's payments are what it added to it, to the fen."""
        in_force: dict[int, Terms] = {}
        for row in self.seen["terms"]:
            terms = msgspec.json.decode(row["terms"], type=Terms)
            assert sum(each.share for each in terms.milestones) == WHOLE
            if row["state"] == "agreed":
                in_force[row["deal"]] = terms
        for deal in self.seen["deal"]:
            taken = [each for each in self.seen["delivery"] if each["deal"] == deal["id"]]
            due = [each for each in self.seen["payment"] if each["deal"] == deal["id"]]
            grams = sum(each["accepted"] or 0 for each in taken)
            worth = amount(Gram(grams), FenPerKg(deal["price"]))
            goods = sum(each["amount"] for each in due if each["kind"] == "goods")
            credit = sum(each["credit"] for each in taken)
            assert goods + credit == worth, deal["number"]
            before = sum(each["amount"] for each in due if each["kind"] != "goods")
            assert credit <= before, deal["number"]
            paid = sum(each["paid"] for each in due)
            whole = amount(Gram(deal["quantity"]), FenPerKg(deal["price"]))
            settled = grams + sum(each["loss"] for each in taken)
            if deal["state"] == "active" and settled < least_performed(
                in_force[deal["id"]], Gram(deal["quantity"])
            ):
                # what was paid beforehand covers its share of each delivery
                assert credit == before * worth // whole, deal["number"]
            most = amount(Gram(deal["quantity"] + max(0, -deal["released"])), FenPerKg(deal["price"]))
            assert paid <= sum(each["amount"] for each in due) <= most, deal["number"]
            if deal["state"] in ("active", "completed", "terminated"):
                assert deal["id"] in in_force, deal["number"]
            if deal["state"] == "completed":
                # short by no more than the tolerance
                assert settled >= least_performed(in_force[deal["id"]], Gram(deal["quantity"]))
            elif deal["state"] != "terminated":
                # what is planned above the quantity is held, and nothing else
                planned = sum(
                    each["quantity"] if each["accepted"] is None else each["accepted"] + each["loss"]
                    for each in taken
                    if each["state"] not in ("cancelled", "rejected")
                )
                assert -deal["released"] == max(0, planned - deal["quantity"]), deal["number"]
