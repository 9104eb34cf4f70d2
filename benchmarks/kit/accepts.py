"""Bids without end on one lot or on many, who accepts them, and whether the books are right afterwards.

    python -m benchmarks.kit.accepts PORT TOKEN SECONDS WARM CONNECTIONS FIRST LAST

accepts the bids FIRST to LAST over HTTP and prints JSON: the milliseconds of each, and the seconds measured.
"""

import asyncio
import hashlib
import json
import secrets
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import uvloop

from fixtures.factories import Factory, Member
from market import clock
from market.bids.operations import NewBid, place_bid
from market.db.session import execute, fetch, fetch_value
from market.units import FenPerKg, Gram

KG_EACH = 1


@dataclass(frozen=True)
class Stall:
    """Bids of one kg each on ``lots`` lots of one seller, numbered from ``first`` to ``last``."""

    lots: int
    seller: Member
    first: int
    last: int


async def stall(factory: Factory, *, lots: int, bids: int, kg: int | None = None) -> Stall:
    """Make a seller with ``lots`` lots and ``bids`` open bids that go round them.

    ``kg`` is how much each lot has; without, more than all bids ask for.
    """
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    listing_id = await factory.listing(seller, kg=kg or bids * KG_EACH * 2)
    # what is accepted is accepted now, whenever the case that the factory tells took place
    start = clock.today()
    await execute(
        "UPDATE listing SET available_from = $2, available_to = $3 WHERE id = $1",
        *(listing_id, start, start + timedelta(days=30)),
    )
    model = await place_bid(
        bid=NewBid(
            listing_id=listing_id,
            quantity=Gram(KG_EACH * 1_000),
            price=FenPerKg(700),
            deliver_from=start,
            deliver_to=start + timedelta(days=5),
        ),
        buyer_id=buyer.organisation_id,
        actor=buyer.actor,
        at=clock.now(),
    )
    lot_id = await fetch_value("SELECT lot FROM listing WHERE id = $1", listing_id)
    await _copies("lot", lot_id, lots - 1)
    copied = await fetch("SELECT max(id) AS last FROM lot")
    last = copied[0]["last"]
    await execute(
        """INSERT INTO stock_entry (lot, kind, change, remaining, at)
           SELECT id, 'in', remaining, remaining, created_at FROM lot WHERE id > $1 AND id > $2""",
        lot_id,
        last - (lots - 1),
    )
    await _copies("listing", listing_id, lots - 1)
    await execute(
        """UPDATE listing SET lot = lot.id FROM
             (SELECT id, row_number() OVER (ORDER BY id) AS n FROM lot WHERE id > $1) AS lot,
             (SELECT id, row_number() OVER (ORDER BY id) AS n FROM listing WHERE id > $2) AS own
           WHERE listing.id = own.id AND own.n = lot.n""",
        lot_id,
        listing_id,
    )
    await _copies("bid", model, bids, listing=f"listing + n % {lots}")
    await execute("UPDATE bid SET state = 'withdrawn' WHERE id = $1", model)
    first = await fetch_value("SELECT min(id) FROM bid WHERE id > $1", model)
    end = await fetch_value("SELECT max(id) FROM bid")
    return Stall(lots, seller, first, end)


async def _copies(table: str, number: int, count: int, **other: str) -> None:
    """Copy a row ``count`` times, whatever its columns; ``other``: SQL for a column, over n from 1."""
    rows = await fetch(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public'"
        " AND table_name = $1 AND column_name <> 'id' AND is_generated = 'NEVER'",
        table,
    )
    names = [row["column_name"] for row in rows]
    columns = ", ".join(f'"{name}"' for name in names)
    values = ", ".join(other.get(name, f'"{name}"') for name in names)
    await execute(
        f"INSERT INTO {table} ({columns}) SELECT {values} FROM {table}, generate_series(1, $2) AS n"
        f" WHERE {table}.id = $1",
        number,
        count,
    )


async def token_of(member: Member) -> str:
    """Sign ``member`` in for a day and return the bearer token."""
    token = secrets.token_urlsafe(24)
    await execute(
        """INSERT INTO session (token_hash, person, organisation, created_at, expires_at, seen_at)
           VALUES ($1, $2, $3, $4, $5, $4)""",
        hashlib.sha256(token.encode()).digest(),
        member.person_id,
        member.organisation_id,
        clock.now(),
        clock.now() + timedelta(days=1),
    )
    return token


@dataclass
class Load:
    """What came of a closed loop: milliseconds of each accept that was measured, and how long it ran."""

    seconds: float = 0.0
    accepted: int = 0
    failed: int = 0
    millis: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return len(self.millis) / self.seconds

    def percentile(self, part: float) -> float:
        ordered = sorted(self.millis)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


async def closed_loop(
    numbers: Iterator[int], accept: Sequence[Callable[[int], Awaitable[bool]]], *, seconds: float, warm: float
) -> Load:
    """Let every one of ``accept`` take bid after bid; what ends within ``warm`` seconds is not counted."""
    load = Load()
    begin = time.perf_counter() + warm
    end = begin + seconds

    async def one(own: Callable[[int], Awaitable[bool]]) -> None:
        while (asked := time.perf_counter()) < end:
            try:
                number = next(numbers)
            except StopIteration:
                raise SystemExit("more bids are needed") from None
            if await own(number):
                load.accepted += 1
                done = time.perf_counter()
                if begin <= done <= end:
                    load.millis.append((done - asked) * 1000)
            else:
                load.failed += 1

    await asyncio.gather(*map(one, accept))
    load.seconds = seconds
    return load


async def books(own: Stall) -> dict[str, int]:
    """Return deals of the stall, lots whose books are wrong, and grams sold beyond what there was."""
    rows = await fetch(
        """SELECT coalesce(sum(sold.deals), 0)::bigint AS deals,
                  count(*) FILTER (WHERE lot.remaining + coalesce(sold.grams, 0) <> lot.quantity
                                      OR lot.remaining <> ledger.grams) AS wrong,
                  coalesce(sum(greatest(coalesce(sold.grams, 0) - lot.quantity, 0)), 0)::bigint AS oversold
           FROM lot
           LEFT JOIN (SELECT listing.lot, count(*) AS deals, sum(deal.quantity) AS grams
                      FROM deal JOIN listing ON listing.id = deal.listing GROUP BY 1) AS sold
             ON sold.lot = lot.id
           LEFT JOIN (SELECT lot, sum(change) AS grams FROM stock_entry GROUP BY 1) AS ledger
             ON ledger.lot = lot.id
           WHERE lot.owner = $1""",
        own.seller.organisation_id,
    )
    return dict(rows[0])


# -- over HTTP: a client that costs as little as it can, for it shares the cores -------------------------


class Caller(asyncio.Protocol):
    """One connection that is kept alive, one request at a time."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None
        self._got = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, ended, body = self._got.partition(b"\r\n\r\n")
        if not ended or self._waiting is None:
            return
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"), 0
        )
        if len(body) >= length:
            self._got = b""
            self._waiting.set_result((int(head[9:12]), body))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(exc or ConnectionResetError())

    async def accept(self, bid_id: int) -> bool:
        return (await self.ask(bid_id, str(uuid.uuid4())))[0] == 200

    async def ask(self, bid_id: int, key: str) -> tuple[int, bytes]:
        """Return status and body. Raises: ConnectionError where the server goes away."""
        if self._transport.is_closing():
            raise ConnectionResetError
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(
            f"POST /api/v1/bids/{bid_id}/accept HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {self._token}\r\nIdempotency-Key: {key}\r\n"
            f"Content-Length: 0\r\n\r\n".encode()
        )
        return await self._waiting

    def close(self) -> None:
        self._transport.close()


async def over_http(
    port: int, token: str, numbers: Sequence[int], *, seconds: float, warm: float, connections: int
) -> Load:
    """Accept over ``connections`` connections that stay open."""
    loop = asyncio.get_running_loop()
    callers = [
        (await loop.create_connection(lambda: Caller(token), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    return await closed_loop(iter(numbers), [caller.accept for caller in callers], seconds=seconds, warm=warm)


def main() -> None:
    port, token, seconds, warm, connections, first, last = sys.argv[1:]
    load = uvloop.run(
        over_http(
            int(port),
            token,
            range(int(first), int(last) + 1),
            seconds=float(seconds),
            warm=float(warm),
            connections=int(connections),
        )
    )
    print(
        json.dumps(
            {"seconds": load.seconds, "accepted": load.accepted, "failed": load.failed, "millis": load.millis}
        )
    )


if __name__ == "__main__":
    main()
