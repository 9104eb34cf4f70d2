"""Moves of a negotiation: bids on goods, offers on demands, and what answers them."""

from datetime import timedelta

from asyncpg import Record
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from market.bids import rules as bid_rules
from market.bids.accepting import accept_bid
from market.bids.negotiating import (
    Counter,
    accept_counter,
    counter_bid,
    reconfirm_bid,
    reject_bid,
    withdraw_bid,
)
from market.bids.offering import NewOffer, place_offer
from market.bids.operations import NewBid, place_bid
from market.units import FenPerKg, Gram
from tests.integration.trading.machine import (
    KG,
    MOSTLY,
    Machine,
    N,
    fitting,
    has,
    not_only_refused,
    pick,
    pick_move,
    some,
    takes,
)


class Turns(Machine):
    """Bidding, offering, countering, refusing, confirming, accepting."""

    @precondition(has("listing"))
    @rule(n=N, kg=st.integers(1, 1_500), for_demand=st.booleans())
    def bid(self, n: int, kg: int, for_demand: bool) -> None:
        floor = self.floor
        buyer = floor.buyers[n // 64 % 2]
        wanted = [each for each in floor.seen["demand"] if each["buyer"] == buyer.organisation_id]
        demand = pick(wanted, n, lambda each: takes(each, Gram(1))) if for_demand and wanted else None

        def grams_of(row: Record) -> Gram:
            return fitting(kg * KG, n, row["remaining"], *([demand["open"]] if demand else []))

        def legal(row: Record) -> bool:
            return (
                row["state"] == "published"
                and grams_of(row) <= row["remaining"]
                and row["available_to"] >= floor.today
                and (demand is None or takes(demand, grams_of(row)))
            )

        row = pick(floor.seen["listing"], n, legal)
        grams = grams_of(row)
        new = NewBid(
            listing_id=row["id"],
            quantity=grams,
            price=FenPerKg(row["ask"]),
            deliver_from=floor.today,
            deliver_to=floor.today + timedelta(days=5),
            demand_id=demand["id"] if demand else None,
        )
        at, key = floor.now, self.key()
        floor.attempt(
            "bid",
            lambda: place_bid(bid=new, buyer_id=buyer.organisation_id, actor=buyer.actor, at=at, key=key),
            legal=legal(row),
            records=[("bid", "place")],
            keyed=True,
        )

    @precondition(has("demand"))
    @precondition(has("listing"))
    @rule(n=N, kg=st.integers(1, 1_500), in_parts=st.sampled_from([True, True, False]))
    def offer(self, n: int, kg: int, in_parts: bool) -> None:
        floor = self.floor
        demand = pick(floor.seen["demand"], n // 64, lambda each: takes(each, Gram(1)))

        def grams_of(row: Record) -> Gram:
            return fitting(kg * KG, n, row["remaining"], demand["open"])

        def legal(row: Record) -> bool:
            return (
                row["state"] == "published"
                and grams_of(row) <= row["remaining"]
                and row["available_to"] >= floor.today
                and takes(demand, grams_of(row))
                and demand["deliver_to"] >= floor.today
                and not any(
                    (each["demand"], each["listing"], each["answers"]) == (demand["id"], row["id"], "demand")
                    and each["state"] in ("submitted", "needs_reconfirm")
                    for each in floor.seen["bid"]
                )
            )

        row = pick(floor.seen["listing"], n, legal)
        grams = grams_of(row)
        seller = floor.member(row["owner"])
        new = NewOffer(
            demand_id=demand["id"],
            listing_id=row["id"],
            quantity=grams,
            price=FenPerKg(row["ask"]),
            deliver_from=floor.today,
            deliver_to=floor.today + timedelta(days=5),
            least=Gram(1 + grams // 2) if in_parts else None,
        )
        at, key = floor.now, self.key()
        floor.attempt(
            "offer",
            lambda: place_offer(offer=new, seller_id=row["owner"], actor=seller.actor, at=at, key=key),
            legal=legal(row),
            records=[("bid", "offer")],
            keyed=True,
        )

    def _answerable(self, row: Record, side: str, move: str) -> bool:
        return (
            move in bid_rules.moves_open(state=row["state"], author=row["author"], by=side)
            and row["expires_at"] > self.floor.now
        )

    def _side(self, row: Record, n: int) -> str:
        """Mostly the side that is to act."""
        return row["awaiting"] if n // 512 % 8 < MOSTLY else bid_rules.other(row["awaiting"])

    @precondition(has("bid"))
    @precondition(not_only_refused("counter"))
    @rule(n=N, kg=st.integers(1, 1_500), price=st.integers(1, 900))
    def counter(self, n: int, kg: int, price: int) -> None:
        floor = self.floor
        demands = {each["id"]: each for each in floor.seen["demand"]}
        listings = {each["id"]: each for each in floor.seen["listing"]}

        def grams_of(row: Record) -> Gram:
            rooms = [row["remaining"], *([demands[row["demand"]]["open"]] if row["demand"] else [])]
            return fitting(kg * KG, n, *rooms)

        def legal(row: Record) -> bool:
            listing, grams = listings[row["listing"]], grams_of(row)
            return (
                self._answerable(row, self._side(row, n), "counter")
                and listing["state"] == "published"
                and (row["answers"] == "demand" or listing["way"] == "negotiable")
                and grams <= listing["remaining"]
                and listing["available_to"] >= row["deliver_from"]
                and (row["demand"] is None or takes(demands[row["demand"]], grams))
                and (
                    row["answers"] == "listing" or demands[row["demand"]]["deliver_to"] >= row["deliver_from"]
                )
                and (grams, price, None) != (row["quantity"], row["price"], row["least"])
            )

        row = pick(floor.seen["bid"], n, legal)
        side = self._side(row, n)
        member = floor.member(row["owner"] if side == "seller" else row["buyer"])
        new = Counter(row["id"], grams_of(row), FenPerKg(price), row["deliver_from"], row["deliver_to"])
        how, key = floor.by(member.organisation_id), self.key()
        floor.attempt(
            "counter",
            lambda: counter_bid(counter=new, side=side, key=key, **how),
            legal=legal(row),
            records=[(f"bid:{row['id']}", "counter"), ("bid", "place_counter")],
            keyed=True,
        )

    @precondition(has("bid"))
    @precondition(some("bid", "submitted", "needs_reconfirm"))
    @rule(n=N)
    def answer(self, n: int) -> None:
        floor = self.floor

        def side_of(row: Record, move: str) -> str:
            return self._side(row, n) if move == "reject" else str(row["author"])

        listings = {each["id"]: each for each in floor.seen["listing"]}
        demands = {each["id"]: each for each in floor.seen["demand"]}

        def stands(row: Record) -> bool:
            if row["answers"] == "demand":
                demand = demands[row["demand"]]
                return demand["state"] == "published" and demand["deliver_to"] >= row["deliver_from"]
            listing = listings[row["listing"]]
            return listing["way"] != "fixed" or listing["ask"] == row["price"]

        def legal(row: Record, move: str) -> bool:
            side = side_of(row, move)
            if move == "reject":
                return self._answerable(row, side, move)
            is_open = move in bid_rules.moves_open(state=row["state"], author=row["author"], by=side)
            return is_open and (move != "reconfirm" or (row["expires_at"] > floor.now and stands(row)))

        row, move = pick_move(floor.seen["bid"], ("reject", "withdraw", "reconfirm"), n, legal)
        side = side_of(row, move)
        how = {
            "bid_id": row["id"],
            "side": side,
            **floor.by(row["owner"] if side == "seller" else row["buyer"]),
        }
        deeds = {
            "reject": lambda: reject_bid(reason="price", note="", **how),
            "withdraw": lambda: withdraw_bid(**how),
            "reconfirm": lambda: reconfirm_bid(**how),
        }
        floor.attempt(
            f"bid: {move}", deeds[move], legal=legal(row, move), records=[(f"bid:{row['id']}", move)]
        )

    @precondition(has("bid"))
    @precondition(not_only_refused("accept"))
    @rule(n=N, part=st.integers(0, 4))
    def accept(self, n: int, part: int) -> None:
        """The whole; or of what may be taken in parts the least, something between, or too little."""
        floor = self.floor
        demands = {each["id"]: each for each in floor.seen["demand"]}

        def grams_of(row: Record) -> int:
            least = row["least"] or row["quantity"]
            return int({1: least, 2: (least + row["quantity"]) // 2, 3: least - 1}.get(part, row["quantity"]))

        def legal(row: Record) -> bool:
            grams = grams_of(row)
            return (
                self._answerable(row, self._side(row, n), "accept")
                and (grams == row["quantity"] or (row["least"] is not None and grams >= row["least"]))
                and row["listing_state"] == "published"
                and grams <= row["remaining"]
                and (row["demand"] is None or takes(demands[row["demand"]], Gram(grams)))
            )

        if not any(map(legal, floor.seen["bid"])):
            part = 0
        row = pick(floor.seen["bid"], n, legal)
        side = self._side(row, n)
        member = floor.member(row["owner"] if side == "seller" else row["buyer"])
        grams = None if part == 0 else Gram(grams_of(row))
        deed = accept_bid if side == "seller" else accept_counter
        at, key = floor.now, self.key()
        floor.attempt(
            "accept" if part == 0 else "accept a part",
            lambda: deed(
                bid_id=row["id"],
                **{f"{side}_id": member.organisation_id},  # type: ignore[arg-type]
                actor=member.actor,
                at=at,
                key=key,
                quantity=grams,
            ),
            legal=legal(row),
            records=[(f"bid:{row['id']}", "accept"), ("deal", "make")],
            keyed=True,
        )
