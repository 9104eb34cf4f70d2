"""Moves under a contract, to its end or its breach."""

from functools import partial

import msgspec
from asyncpg import Record
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from market.db.session import fetch_value
from market.deals import breach_rules, rules
from market.deals.breach import (
    NewCase,
    answer_case,
    decide_case,
    file_case,
    offer_settlement,
    open_case,
    settle_case,
)
from market.deals.breach_termination import terminate
from market.deals.clauses import Milestone, usual_terms
from market.deals.fulfilment import move_delivery, schedule_delivery
from market.deals.operations import cancel, sign
from market.deals.paying import pay
from market.deals.receipts import answer_receipt
from market.deals.terms import answer_terms, propose_terms
from market.supply.rules import ROUNDS
from market.units import Fen, Gram
from tests.integration.trading.floor import REMATCH
from tests.integration.trading.machine import MOSTLY, Machine, N, has, not_only_refused, pick, pick_move, some


class Contracts(Machine):
    """Terms, signatures, deliveries, inspection, payments."""

    @precondition(has("deal"))
    @rule(n=N)
    def agree_on_terms(self, n: int) -> None:
        """Deposit, advance and parts: both sign them before the contract itself, or change them later."""
        floor = self.floor

        def legal(row: Record) -> bool:
            return row["state"] in ("pending", "partly_signed")

        row = pick(floor.seen["deal"], n, legal)
        base = max(
            (
                each["version"]
                for each in floor.seen["terms"]
                if each["deal"] == row["id"] and each["state"] == "agreed"
            ),
            default=0,
        )
        share = 1 + n // 8 % 9_998
        terms = msgspec.structs.replace(
            usual_terms(deliver_from=row["deliver_from"], deliver_to=row["deliver_to"]),
            deposit=min(2_000, 10_000 - share) if n % 3 else 0,
            milestones=(Milestone("signing", share, 3), Milestone("arrival", 10_000 - share, 30)),
            natural_loss=200,
            tolerance=1_500 * (n // 3 % 2),
            other=f"第 {self.key()} 次",
        )

        async def both() -> None:
            version = await propose_terms(
                deal_id=row["id"], base=base, terms=terms, note="", **floor.by(row["seller"])
            )
            await answer_terms(deal_id=row["id"], version=version, move="agree", **floor.by(row["buyer"]))

        if legal(row) or row["state"] not in rules.CHANGEABLE:
            floor.attempt(
                "agree on terms",
                both,
                legal=legal(row),
                records=[(f"deal:{row['id']}", "propose_terms"), (f"deal:{row['id']}", "agree_terms")],
            )

    @precondition(has("deal"))
    @precondition(not_only_refused("sign"))
    @rule(n=N)
    def sign(self, n: int) -> None:
        floor = self.floor

        def legal(row: Record) -> bool:
            side = self._signing(row, n)
            return row["state"] in ("pending", "partly_signed") and row[f"{side}_signed_at"] is None

        row = pick(floor.seen["deal"], n, legal)
        side = self._signing(row, n)
        floor.attempt(
            "sign",
            lambda: sign(deal_id=row["id"], **floor.by(row[side])),
            legal=legal(row),
            records=[(f"deal:{row['id']}", "countersign" if row["state"] == "partly_signed" else "sign")],
        )

    @staticmethod
    def _signing(row: Record, n: int) -> str:
        if row["seller_signed_at"] is not None and n // 64 % 8 < MOSTLY:
            return "buyer"
        return "seller"

    @precondition(some("deal", "pending", "partly_signed"))
    @rule(n=N)
    def cancel(self, n: int) -> None:
        floor = self.floor

        def legal(row: Record) -> bool:
            return row["state"] in ("pending", "partly_signed")

        row = pick(floor.seen["deal"], n, legal)
        floor.attempt(
            "cancel",
            lambda: cancel(
                reason="other",
                note="不做了",
                deal_id=row["id"],
                **floor.by(row["seller" if n % 2 else "buyer"]),
            ),
            legal=legal(row),
            records=[(f"deal:{row['id']}", "cancel")],
        )

    @precondition(has("deal"))
    @precondition(not_only_refused("announce"))
    @rule(n=N, share=st.integers(1, 6), on=st.integers(0, 2))
    def announce(self, n: int, share: int, on: int) -> None:
        """A part of what is left to send, all of it, or more, if only by a gram; it is sent, and arrives."""
        floor = self.floor
        left = {
            row["id"]: row["quantity"]
            - sum(
                (each["accepted"] + each["loss"]) if each["accepted"] is not None else each["quantity"]
                for each in floor.seen["delivery"]
                if each["deal"] == row["id"] and each["state"] not in ("cancelled", "rejected")
            )
            for row in floor.seen["deal"]
        }

        tolerated = {
            each["deal"]: msgspec.json.decode(each["terms"])["tolerance"]
            for each in floor.seen["terms"]
            if each["state"] == "agreed"
        }

        def grams_of(row: Record) -> int:
            above = {5: 1, 6: row["quantity"] // 10}
            if share in above:
                return left[row["id"]] + above[share]
            return max(1, left[row["id"]] * share // 4)

        def legal(row: Record) -> bool:
            if row["state"] != "active" or grams_of(row) <= 0:
                return False
            total = row["quantity"] - left[row["id"]] + grams_of(row)
            lacking = total - (row["quantity"] - row["released"])
            return total <= row["quantity"] + row["quantity"] * tolerated[row["id"]] // 10_000 and (
                lacking <= 0 or is_spare(row["lot"], lacking)
            )

        def is_spare(lot: int, grams: int) -> bool:
            listed = [each for each in floor.seen["listing"] if each["lot"] == lot]
            in_round = any(
                each["state"] == "published" and each["way"] in ROUNDS and each["opened_at"] is None
                for each in listed
            )
            return listed[0]["remaining"] >= grams and not in_round

        row = pick(floor.seen["deal"], n, legal)
        number = floor.attempt(
            "announce",
            lambda: schedule_delivery(
                deal_id=row["id"], quantity=Gram(grams_of(row)), on=floor.today, **floor.by(row["seller"])
            ),
            legal=legal(row),
            records=[(f"deal:{row['id']}", "schedule_delivery")],
        )
        for move, side in (("dispatch", "seller"), ("arrive", "buyer"))[: on if number else 0]:
            floor.attempt(
                f"delivery: {move}",
                partial(move_delivery, delivery_id=number, move=move, **floor.by(row[side])),
                legal=True,
                records=[(f"deal:{row['id']}", f"delivery_{move}")],
            )

    @precondition(has("delivery"))
    @rule(n=N, loss=st.sampled_from([0, 3, 5, 6, 20, 21]))
    def deliver(self, n: int, loss: int) -> None:
        """``loss`` in thousandths: by the usual terms up to 5 are nobody's fault, by others 20."""
        floor = self.floor
        agreed = {
            each["deal"]: msgspec.json.decode(each["terms"])["natural_loss"]
            for each in floor.seen["terms"]
            if each["state"] == "agreed"
        }

        def side_of(move: str) -> str:
            return "seller" if move in ("dispatch", "cancel") else "buyer"

        def numbers(row: Record, move: str) -> tuple[int, int]:
            lost = row["quantity"] * loss // 1_000 if move in ("accept", "accept_part") else 0
            return lost, max(1, (row["quantity"] - lost) // 2)

        def legal(row: Record, move: str) -> bool:
            lost, taken = numbers(row, move)
            return (
                rules.DELIVERY.find(move, state=row["state"], by=side_of(move)) is not None
                and (move != "dispatch" or row["deal_state"] == "active")
                and lost <= row["quantity"] * agreed[row["deal"]] // 10_000
                and (move != "accept_part" or taken < row["quantity"] - lost)
            )

        moves = ("dispatch", "arrive", "accept", "accept_part", "reject")
        row, move = pick_move(floor.seen["delivery"], moves, n, legal)
        side, (lost, taken) = side_of(move), numbers(row, move)
        floor.attempt(
            f"delivery: {move}",
            lambda: move_delivery(
                delivery_id=row["id"],
                move=move,
                loss=Gram(lost),
                accepted=Gram(taken) if move == "accept_part" else None,
                reason="quality" if move in ("accept_part", "reject") else None,
                **floor.by(row[side]),
            ),
            legal=legal(row, move),
            records=[(f"deal:{row['deal']}", f"delivery_{move}")],
        )

    @precondition(some("payment", "invoiced", "part_paid"))
    @rule(n=N, share=st.integers(1, 5))
    def pay(self, n: int, share: int) -> None:
        """A third, all that is open, or a fen more."""
        floor = self.floor

        def money_of(row: Record) -> int:
            is_open = row["amount"] - row["paid"] - row["disputed"]
            return int({1: max(1, is_open // 3), 2: max(1, is_open // 3), 5: is_open + 1}.get(share, is_open))

        def legal(row: Record) -> bool:
            return 0 < money_of(row) <= row["amount"] - row["paid"] - row["disputed"]

        row = pick(floor.seen["payment"], n, legal)
        money = money_of(row)
        whole = money == row["amount"] - row["paid"]
        floor.attempt(
            "pay" if share > 2 else "pay a part",
            lambda: pay(payment_id=row["id"], money=Fen(money), **floor.by(row["buyer"])),
            legal=legal(row),
            records=[(f"deal:{row['deal']}", "pay" if whole else "pay_part")],
        )

    @precondition(some("receipt", "claimed", "disputed"))
    @rule(n=N, move=st.sampled_from(["confirm", "confirm", "dispute", "withdraw"]))
    def answer_money(self, n: int, move: str) -> None:
        """What was written down as paid came, did not come, or was a mistake."""
        floor = self.floor

        def legal(row: Record) -> bool:
            return row["state"] in (("claimed",) if move == "dispute" else ("claimed", "disputed"))

        row = pick(floor.seen["receipt"], n, legal)
        by = row["buyer" if move == "withdraw" else "seller"]
        floor.attempt(
            f"{move} money",
            lambda: answer_receipt(receipt_id=row["id"], move=move, note="查过账", **floor.by(by)),
            legal=legal(row),
            records=[(f"deal:{row['deal']}", f"{move}_receipt")],
        )


class Breaches(Machine):
    """Cases of breach, and notice of termination."""

    @precondition(has("deal"))
    @precondition(not_only_refused("complain"))
    @rule(n=N, by=st.sampled_from(["seller", "buyer"]))
    def complain(self, n: int, by: str) -> None:
        floor = self.floor
        open_ones = {
            (each["deal"], each["claimant"])
            for each in floor.seen["breach"]
            if each["state"] in ("draft", "filed", "answered", "lapsed")
        }

        def legal(row: Record) -> bool:
            return row["state"] in rules.BOUND and (row["id"], row[by]) not in open_ones

        row = pick(floor.seen["deal"], n, legal)
        new = NewCase(row["id"], "other", "说明经过。")
        how = floor.by(row[by])

        async def brought() -> None:
            await file_case(breach_id=await open_case(case=new, **how), **how)

        floor.attempt("complain", brought, legal=legal(row), records=[("breach", "open"), ("breach", "file")])

    @precondition(has("breach"))
    @rule(n=N)
    def judge(self, n: int) -> None:
        floor = self.floor

        def legal(row: Record, move: str) -> bool:
            role = "respondent" if move == "answer" else "official"
            return rules.BREACH.find(move, state=row["state"], by=role) is not None

        row, move = pick_move(floor.seen["breach"], ("answer", "confirm", "dismiss"), n, legal)
        town = floor.town.organisation_id
        deeds = {
            "answer": lambda: answer_case(
                breach_id=row["id"], answer="不是这样。", **floor.by(row["respondent"])
            ),
            "confirm": lambda: decide_case(
                breach_id=row["id"], move="confirm", decision="属实", **floor.by(town)
            ),
            "dismiss": lambda: decide_case(
                breach_id=row["id"], move="dismiss", decision="不实", **floor.by(town)
            ),
        }
        floor.attempt(
            f"breach: {move}", deeds[move], legal=legal(row, move), records=[(f"breach:{row['id']}", move)]
        )

    @precondition(has("breach"))
    @rule(n=N)
    def settle(self, n: int) -> None:
        floor = self.floor

        def legal(row: Record) -> bool:
            return row["state"] in breach_rules.OPEN

        row = pick(floor.seen["breach"], n, legal)

        async def settled() -> None:
            await offer_settlement(breach_id=row["id"], offer="各让一步", **floor.by(row["respondent"]))
            await settle_case(breach_id=row["id"], offer="各让一步", **floor.by(row["claimant"]))

        floor.attempt(
            "settle",
            settled,
            legal=legal(row),
            records=[(f"breach:{row['id']}", "offer"), (f"breach:{row['id']}", "settle")],
        )

    @precondition(has("breach"))
    @precondition(not_only_refused("terminate"))
    @rule(n=N)
    def terminate(self, n: int) -> None:
        """What is neither taken nor under way is on sale again, and a job asks for a match."""
        floor = self.floor

        def legal(row: Record) -> bool:
            return (
                row["state"] in ("filed", "answered", "lapsed", "confirmed")
                and row["terminated_at"] is None
                and row["deal_state"] == "active"
            )

        row = pick(floor.seen["breach"], n, legal)
        kept = sum(
            (each["accepted"] + each["loss"]) if each["accepted"] is not None else each["quantity"]
            for each in floor.seen["delivery"]
            if each["deal"] == row["deal"] and each["state"] not in ("scheduled", "cancelled", "rejected")
        )
        (deal,) = (each for each in floor.seen["deal"] if each["id"] == row["deal"])
        freed = floor.attempt(
            "terminate",
            lambda: terminate(breach_id=row["id"], **floor.by(row["claimant"])),
            legal=legal(row),
            records=[(f"breach:{row['id']}", "terminate"), (f"deal:{row['deal']}", "terminate")],
        )
        if freed is not None:
            # loads may come to more than the contract, within its tolerance
            assert freed == max(0, deal["quantity"] - kept)
            assert not freed or floor.wait(fetch_value(REMATCH)) == 1
