"""Moves with goods and demands."""

from datetime import timedelta

from asyncpg import Record
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from market.bids.standing import move_wants, revise_terms, revise_wants
from market.demand.commands import DemandWants, NewDemand
from market.demand.operations import publish_demand
from market.demand.rules import DEMAND
from market.supply.commands import NewListing, NewTerms
from market.supply.operations import move_listing, publish_listing
from market.supply.rules import LISTING
from market.supply.stock import correct_stock
from market.units import FenPerKg, Gram
from tests.integration.trading.machine import KG, Machine, N, has, not_only_refused, pick, pick_move, seldom


class Goods(Machine):
    """Publishing, changing, taking back, counting again."""

    @precondition(lambda machine: len(machine.floor.seen["listing"]) < 6)
    @rule(n=N, kg=st.integers(1, 3_000), ask=st.integers(1, 900))
    def publish(self, n: int, kg: int, ask: int) -> None:
        floor = self.floor
        seller = floor.sellers[n % 2]
        at, key, today = floor.now, self.key(), floor.today
        listing = NewListing(
            produce="peanut",
            title="红衣花生",
            quantity=Gram(kg * KG),
            ask=FenPerKg(ask),
            available_from=today,
            available_to=today + timedelta(days=12 + n % 20),
            way="fixed" if n % 5 == 0 else "negotiable",
            invented=True,
        )
        floor.attempt(
            "publish",
            lambda: publish_listing(
                listing=listing, owner_id=seller.organisation_id, actor=seller.actor, at=at, key=key
            ),
            legal=True,
            records=[("listing", "publish")],
            keyed=True,
        )

    @precondition(lambda machine: len(machine.floor.seen["demand"]) < 4)
    @rule(n=N, kg=st.integers(1, 3_000))
    def post(self, n: int, kg: int) -> None:
        floor = self.floor
        buyer = floor.buyers[n % 2]
        at, key, today = floor.now, self.key(), floor.today
        demand = NewDemand(
            produce="peanut",
            title="求购花生",
            quantity=Gram(kg * KG),
            ceiling=FenPerKg(900),
            site_id=self.sites[buyer.organisation_id],
            deliver_from=today,
            deliver_to=today + timedelta(days=10 + n % 10),
            invented=True,
        )
        floor.attempt(
            "post",
            lambda: publish_demand(
                demand=demand, buyer_id=buyer.organisation_id, actor=buyer.actor, at=at, key=key
            ),
            legal=True,
            records=[("demand", "publish")],
            keyed=True,
        )

    @precondition(has("listing"))
    @precondition(seldom("revise"))
    @rule(n=N, ask=st.integers(1, 900))
    def revise(self, n: int, ask: int) -> None:
        floor = self.floor

        def legal(row: Record) -> bool:
            return row["state"] in ("published", "suspended") and row["available_to"] >= floor.today

        row = pick(floor.seen["listing"], n, legal)
        terms = NewTerms(FenPerKg(ask), Gram(0), row["available_from"], row["available_to"], ())
        waiting = [
            each["id"]
            for each in floor.seen["bid"]
            if each["listing"] == row["id"] and each["state"] == "submitted"
        ]
        how = floor.by(row["owner"])
        how["owner_id"] = how.pop("organisation_id")
        done = legal(row)
        floor.attempt(
            "revise",
            lambda: revise_terms(listing_id=row["id"], terms=terms, **how),
            legal=done,
            records=[(f"listing:{row['id']}", "revise")],
        )
        if done and ask != row["ask"]:
            states = {each["id"]: each["state"] for each in floor.seen["bid"]}
            assert {states[each] for each in waiting} <= {"needs_reconfirm"}

    @precondition(has("listing"))
    @rule(n=N)
    def move_goods(self, n: int) -> None:
        floor = self.floor

        def legal(row: Record, move: str) -> bool:
            return LISTING.find(move, state=row["state"], by="seller") is not None

        row, move = pick_move(floor.seen["listing"], ("suspend", "resume", "withdraw"), n, legal)
        how = floor.by(row["owner"])
        how["owner_id"] = how.pop("organisation_id")
        floor.attempt(
            f"listing: {move}",
            lambda: move_listing(listing_id=row["id"], move=move, **how),
            legal=legal(row, move),
            records=[(f"listing:{row['id']}", move)],
        )

    @precondition(has("listing"))
    @precondition(seldom("correct stock"))
    @rule(n=N, kg=st.integers(1, 500), found=st.booleans())
    def correct(self, n: int, kg: int, found: bool) -> None:
        floor = self.floor

        def legal(row: Record) -> bool:
            return found or row["remaining"] >= kg * KG

        row = pick(floor.seen["listing"], n, legal)
        how = floor.by(row["owner"])
        how["owner_id"] = how.pop("organisation_id")
        floor.attempt(
            "correct stock",
            lambda: correct_stock(
                lot_id=row["lot"],
                grams=kg * KG if found else -kg * KG,
                reason="counted_more" if found else "spoiled",
                storage_id=None,
                note="",
                **how,
            ),
            legal=legal(row),
            records=[(f"lot:{row['lot']}", "correct")],
        )

    @precondition(has("demand"))
    @precondition(seldom("want otherwise"))
    @rule(n=N, kg=st.integers(1, 3_000))
    def want_otherwise(self, n: int, kg: int) -> None:
        floor = self.floor

        def legal(row: Record) -> bool:
            return (
                row["state"] == "published"
                and row["quantity"] - row["open"] <= kg * KG
                and row["deliver_to"] >= floor.today
            )

        row = pick(floor.seen["demand"], n, legal)
        wants = DemandWants(
            Gram(kg * KG), FenPerKg(row["ceiling"]), row["deliver_from"], row["deliver_to"], 0, Gram(0), ()
        )
        how = floor.by(row["buyer"])
        how["buyer_id"] = how.pop("organisation_id")
        floor.attempt(
            "want otherwise",
            lambda: revise_wants(demand_id=row["id"], wants=wants, **how),
            legal=legal(row),
            records=[(f"demand:{row['id']}", "revise")],
        )

    @precondition(has("demand"))
    @precondition(not_only_refused("demand: close"))
    @rule(n=N)
    def move_demand(self, n: int) -> None:
        floor = self.floor

        def legal(row: Record, move: str) -> bool:
            return DEMAND.find(move, state=row["state"], by="buyer") is not None

        row, move = pick_move(floor.seen["demand"], ("close", "cancel"), n, legal)
        how = floor.by(row["buyer"])
        how["buyer_id"] = how.pop("organisation_id")
        floor.attempt(
            f"demand: {move}",
            lambda: move_wants(demand_id=row["id"], move=move, **how),
            legal=legal(row, move),
            records=[(f"demand:{row['id']}", move)],
        )
