"""Invoices: recorded once, sent back with a reason, reversed in red; and payments that count from them."""

from datetime import date, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from fixtures.factories import STORY, TODAY, Factory, Member
from market.clock import CHINA
from market.db.session import execute, fetch, fetch_value
from market.deals.clauses import Milestone
from market.deals.invoices.operations import (
    forget_invoice_files,
    record_invoice,
    refuse_invoice,
    reverse_invoice,
    take_invoice,
    withdraw_invoice,
)
from market.deals.invoices.queries import billed_of, invoices_of
from market.deals.invoices.reading import read_invoice
from market.deals.invoices.rules import NewInvoice
from market.deals.terms import answer_terms, propose_terms, terms_in_force
from market.errors import Busy, Conflict, Invalid, NotFound
from market.transitions import WrongState
from market.units import Fen
from tests.integration.deals.scene import Contracted, contract
from tests.integration.races import at_once

NUMBER = "26372000000012345678"
OTHER, RED = "26372000000012345679", "26372000000099999999"
#: 400 kg at 7.01 yuan.
WORTH = 280_400
#: The day on which the story's goods arrive.
ARRIVED = STORY.astimezone(CHINA).date()


def invoice(number: str = NUMBER, amount: int = WORTH, **changed: Any) -> NewInvoice:
    return NewInvoice(
        **{"kind": "own_produce", "number": number, "issued_on": ARRIVED, "amount": Fen(amount), **changed}
    )


class Scene(Contracted, frozen=True):
    async def record(
        self, by: Member, new: NewInvoice | None = None, *, days: int = 0, **further: Any
    ) -> int:
        how = self.by(by) | {"at": STORY + timedelta(days=days)}
        return await record_invoice(deal_id=self.deal_id, new=new or invoice(), **how, **further)

    async def refuse(self, by: Member, number: int, reason: str = "title") -> str:
        return await refuse_invoice(
            deal_id=self.deal_id, invoice_id=number, reason=reason, note="", **self.by(by)
        )

    async def take(self, by: Member, number: int) -> str:
        return await take_invoice(deal_id=self.deal_id, invoice_id=number, **self.by(by))

    async def reverse(self, by: Member, number: int, amount: int | None = None, red: str = RED) -> str:
        return await reverse_invoice(
            deal_id=self.deal_id,
            invoice_id=number,
            number=red,
            issued_on=ARRIVED,
            amount=None if amount is None else Fen(amount),
            reason="allowance",
            **self.by(by),
        )

    async def withdraw(self, by: Member, number: int) -> str:
        return await withdraw_invoice(
            deal_id=self.deal_id, invoice_id=number, reason="mistake", **self.by(by)
        )

    async def pays_after_invoice(self, days: int) -> None:
        """Agree on payment so many days after the invoice."""
        base, now = await terms_in_force(deal_id=self.deal_id)
        terms = msgspec.structs.replace(
            now, invoice="own_produce", milestones=(Milestone("invoice", 10_000, days),)
        )
        version = await propose_terms(
            deal_id=self.deal_id, base=base, terms=terms, note="", **self.by(self.seller)
        )
        await answer_terms(deal_id=self.deal_id, version=version, move="agree", **self.by(self.buyer))

    async def sums(self) -> tuple[int, int]:
        found = await billed_of(deal_id=self.deal_id)
        return found.billed, found.accepted


async def due_days() -> list[date]:
    return [row["due_on"] for row in await fetch("SELECT due_on FROM payment ORDER BY id")]


@pytest.fixture
async def scene(factory: Factory) -> Scene:
    """A contract over 400 kg that both have signed."""
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    scene = Scene(seller, buyer, await contract(seller, buyer, listing_id=await factory.listing(seller)))
    await scene.sign()
    return scene


async def accept_all(scene: Scene, grams: int = 400_000) -> int:
    return await scene.send(grams, "dispatch", "arrive", "accept")


async def test_invoice_is_recorded_and_the_other_side_told(scene: Scene) -> None:
    load = await accept_all(scene)
    number = await scene.record(scene.seller, invoice("2637 2000 0000 1234 5678"))
    row = (await invoices_of(deal_id=scene.deal_id))[0]
    assert (row.id, row.number, row.amount, row.deliveries, row.left) == (
        number, NUMBER, WORTH, (load,), WORTH,
    )  # fmt: skip
    assert await scene.sums() == (WORTH, WORTH)
    last = "SELECT kind FROM notice WHERE organisation = $1 ORDER BY id DESC LIMIT 1"
    assert await fetch_value(last, scene.buyer.organisation_id) == "invoice_recorded"


async def test_number_counts_once_for_an_issuer_under_whatever_contract(
    scene: Scene, factory: Factory
) -> None:
    await accept_all(scene)
    first = await scene.record(scene.seller)
    with pytest.raises(Invalid) as twice:
        await scene.record(scene.seller, sure=True)
    assert list(twice.value.fields) == ["number"]
    listing = await factory.listing(scene.seller)
    elsewhere = Scene(
        scene.seller,
        scene.buyer,
        await contract(scene.seller, scene.buyer, listing_id=listing, source_id=2),
    )
    await elsewhere.sign()
    with pytest.raises(Invalid) as again:
        await elsewhere.record(scene.seller, sure=True)
    assert "number" in again.value.fields
    # what was written down by mistake was never there
    await scene.withdraw(scene.seller, first)
    await elsewhere.record(scene.seller, sure=True)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"number": "123"}, "number"),
        ({"number": "12345678"}, "code"),
        ({"code": "3702171320"}, "code"),
        ({"kind": "lottery"}, "kind"),
        ({"kind": "purchase"}, "kind"),
        ({"amount": Fen(0)}, "amount"),
        ({"tax": Fen(10)}, "tax"),
        ({"kind": "special", "tax": Fen(WORTH)}, "tax"),
        ({"issued_on": ARRIVED + timedelta(days=1)}, "issued_on"),
        ({"deliveries": (987,)}, "deliveries"),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_fault_is_told_at_its_field(scene: Scene, changed: dict[str, Any], field: str) -> None:
    await accept_all(scene)
    with pytest.raises(Invalid) as refused:
        await scene.record(scene.seller, invoice(**changed))
    assert list(refused.value.fields) == [field]


async def test_older_invoice_has_eight_digits_and_a_code(scene: Scene) -> None:
    await accept_all(scene)
    await scene.record(scene.seller, invoice("０１２３４５６７", code="3702171320"))
    row = (await invoices_of(deal_id=scene.deal_id))[0]
    assert (row.code, row.number) == ("3702171320", "01234567")


async def test_purchase_invoice_is_the_buyers_to_record(scene: Scene) -> None:
    await accept_all(scene)
    number = await scene.record(scene.buyer, invoice(kind="purchase"))
    with pytest.raises(WrongState):
        await scene.refuse(scene.buyer, number)
    assert await scene.refuse(scene.seller, number, "goods") == "refused"


async def test_more_than_was_accepted_is_asked_back_once(scene: Scene) -> None:
    await accept_all(scene, 100_000)
    with pytest.raises(Invalid) as asked:
        await scene.record(scene.seller)
    assert list(asked.value.fields) == ["sure"]
    await scene.record(scene.seller, sure=True)
    stands = await billed_of(deal_id=scene.deal_id)
    assert (stands.beyond, stands.missing) == (WORTH - 70_100, 0)


async def test_invoice_that_was_sent_back_does_not_count_until_it_is_taken(scene: Scene) -> None:
    await accept_all(scene)
    number = await scene.record(scene.seller)
    with pytest.raises(WrongState):
        await scene.refuse(scene.seller, number)
    await scene.refuse(scene.buyer, number)
    assert await scene.sums() == (0, WORTH)
    last = "SELECT kind FROM notice WHERE organisation = $1 ORDER BY id DESC LIMIT 1"
    assert await fetch_value(last, scene.seller.organisation_id) == "invoice_refused"
    await scene.take(scene.buyer, number)
    assert await scene.sums() == (WORTH, WORTH)


async def test_red_letter_takes_a_part_and_then_the_rest(scene: Scene) -> None:
    await accept_all(scene)
    number = await scene.record(scene.seller)
    assert await scene.reverse(scene.seller, number, 80_400) == "recorded"
    assert await scene.sums() == (200_000, WORTH)
    with pytest.raises(Invalid):
        await scene.reverse(scene.seller, number, 200_001, OTHER)
    with pytest.raises(Invalid) as used:
        await scene.reverse(scene.seller, number, None, NUMBER)
    assert "number" in used.value.fields
    with pytest.raises(Conflict):
        await scene.withdraw(scene.seller, number)
    assert await scene.reverse(scene.seller, number, None, OTHER) == "reversed"
    assert await scene.sums() == (0, WORTH)
    with pytest.raises(WrongState):
        await scene.refuse(scene.buyer, number)
    red = (await invoices_of(deal_id=scene.deal_id))[1]
    with pytest.raises(NotFound):
        await scene.refuse(scene.buyer, red.id)


async def test_part_that_was_reversed_does_not_count_twice_when_the_rest_is_sent_back(scene: Scene) -> None:
    await accept_all(scene)
    number = await scene.record(scene.seller)
    await scene.reverse(scene.seller, number, 80_400)
    await scene.refuse(scene.buyer, number)
    assert await scene.sums() == (0, WORTH)
    with pytest.raises(Invalid) as part:
        await scene.reverse(scene.seller, number, 1, OTHER)
    assert "amount" in part.value.fields
    assert await scene.reverse(scene.seller, number, None, OTHER) == "reversed"
    assert await scene.sums() == (0, WORTH)


async def test_payment_counts_from_the_invoice_and_never_beyond_the_latest_day(scene: Scene) -> None:
    await scene.pays_after_invoice(15)
    await accept_all(scene)
    # no invoice: sixty days from arrival, and not for ever
    assert await due_days() == [ARRIVED + timedelta(days=60)]
    number = await scene.record(scene.seller, days=10)
    assert await due_days() == [ARRIVED + timedelta(days=25)]
    await scene.refuse(scene.buyer, number)
    assert await due_days() == [ARRIVED + timedelta(days=60)]
    await scene.take(scene.buyer, number)
    assert await due_days() == [ARRIVED + timedelta(days=25)]
    await scene.reverse(scene.seller, number)
    assert await due_days() == [ARRIVED + timedelta(days=60)]
    await scene.record(scene.seller, invoice(OTHER), days=50)
    assert await due_days() == [ARRIVED + timedelta(days=60)]


async def test_invoice_before_the_goods_starts_no_clock_before_they_arrive(scene: Scene) -> None:
    await scene.pays_after_invoice(15)
    load = await scene.send(400_000, "dispatch")
    await scene.record(scene.seller, invoice(deliveries=(load,)), sure=True)
    await scene.move(load, "arrive")
    await execute("UPDATE delivery SET arrived_at = $1", STORY + timedelta(days=3))
    await scene.move(load, "accept")
    assert await due_days() == [ARRIVED + timedelta(days=18)]


async def test_days_of_other_payments_do_not_move_with_invoices(scene: Scene) -> None:
    await accept_all(scene)
    before = await due_days()
    await scene.record(scene.seller)
    assert await due_days() == before


async def test_each_load_has_its_own_clock(scene: Scene) -> None:
    await scene.pays_after_invoice(15)
    await accept_all(scene, 200_000)
    await scene.record(scene.seller, invoice(amount=WORTH // 2))
    await accept_all(scene, 200_000)
    assert await due_days() == [ARRIVED + timedelta(days=15), ARRIVED + timedelta(days=60)]
    # without a choice it is for what has no invoice yet
    await scene.record(scene.seller, invoice(OTHER, WORTH // 2), days=5)
    assert await due_days() == [ARRIVED + timedelta(days=15), ARRIVED + timedelta(days=20)]


async def test_payment_after_the_invoice_wants_to_know_which(scene: Scene) -> None:
    base, now = await terms_in_force(deal_id=scene.deal_id)
    terms = msgspec.structs.replace(now, milestones=(Milestone("invoice", 10_000, 15),))
    with pytest.raises(Invalid) as refused:
        await propose_terms(deal_id=scene.deal_id, base=base, terms=terms, note="", **scene.by(scene.seller))
    assert list(refused.value.fields) == ["invoice"]


async def test_strangers_and_unsigned_contracts_have_no_invoices(scene: Scene, factory: Factory) -> None:
    with pytest.raises(NotFound):
        await scene.record(await factory.member(role="secretary"))
    await execute("UPDATE deal SET state = 'partly_signed'")
    with pytest.raises(Conflict):
        await scene.record(scene.seller)


async def test_what_an_invoice_says_stands_and_its_file_goes_after_its_period(scene: Scene) -> None:
    await accept_all(scene)
    file = await read_invoice("发票.ofd", b"PK\x03\x04 ofd")
    await scene.record(scene.seller, file=file)
    for words in (
        "UPDATE invoice SET amount = 1",
        "UPDATE invoice SET content = 'x'",
        "DELETE FROM invoice",
        "DELETE FROM invoice_delivery",
    ):
        with pytest.raises(asyncpg.RaiseError):
            await execute(words)
    assert await forget_invoice_files(ended_before=TODAY + timedelta(days=4_000)) == 0
    await execute("UPDATE deal SET state = 'completed'")
    assert await forget_invoice_files(ended_before=TODAY + timedelta(days=4_000)) == 1
    row = (await invoices_of(deal_id=scene.deal_id))[0]
    assert (row.has_file, row.content_hash) == (False, file.content_hash)


@pytest.mark.parametrize(("name", "content"), [("a.pdf", b"MZ"), ("a.exe", b"MZ"), ("a.xml", b"MZ")])
async def test_file_that_is_not_what_it_says_is_refused(name: str, content: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        await read_invoice(name, content)
    assert list(refused.value.fields) == ["file"]


async def race(scene: Scene) -> int:
    """Record the same invoice six times at the same moment; return how many were kept."""
    await accept_all(scene)

    async def one() -> bool:
        try:
            await scene.record(scene.seller, sure=True)
        except (Invalid, Busy):
            return False
        return True

    done = await at_once(one() for _ in range(6))
    kept = int(await fetch_value("SELECT count(*) FROM invoice"))
    assert sum(done) == kept
    return kept


async def test_the_same_invoice_recorded_at_once_is_kept_once(wide: Scene) -> None:
    assert await race(wide) == 1


async def test_without_the_guard_it_is_kept_several_times(wide: Scene) -> None:
    """The proof that the test above can fail: it sees what the guard prevents."""
    await execute("DROP INDEX invoice_number_once")
    try:
        assert await race(wide) > 1
    finally:
        await execute("ALTER TABLE invoice DISABLE TRIGGER USER")
        await execute("ALTER TABLE invoice_delivery DISABLE TRIGGER USER")
        await execute("DELETE FROM invoice_delivery")
        await execute("DELETE FROM invoice")
        await execute("ALTER TABLE invoice ENABLE TRIGGER USER")
        await execute("ALTER TABLE invoice_delivery ENABLE TRIGGER USER")
        await execute(
            "CREATE UNIQUE INDEX invoice_number_once ON invoice (issuer, code, number)"
            " WHERE state <> 'withdrawn'"
        )


async def test_answers_at_once_leave_one(wide: Scene) -> None:
    await accept_all(wide)
    number = await wide.record(wide.seller)

    async def one(deed: Any, by: Member) -> bool:
        try:
            await deed(by, number)
        except (Conflict, Busy):
            return False
        return True

    ends = [(wide.refuse, wide.buyer), (wide.withdraw, wide.seller)] * 3
    assert sum(await at_once(one(*each) for each in ends)) in (1, 2)
    assert await fetch_value("SELECT state FROM invoice") in ("refused", "withdrawn")
