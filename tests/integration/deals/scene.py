"""A contract between two sides, for tests of what happens under it."""

from datetime import timedelta
from typing import Any

import msgspec

from fixtures.factories import STORY, TODAY, Member
from market.deals.fulfilment import move_delivery, schedule_delivery
from market.deals.operations import NewDeal, make_deal, sign
from market.deals.queries import deal_of
from market.deals.receipts import answer_receipt, receipts_under
from market.units import FenPerKg, Gram


async def contract(
    seller: Member,
    buyer: Member,
    *,
    listing_id: int,
    grams: int = 400_000,
    demand_id: int | None = None,
    price: int = 701,
    source_id: int = 1,
) -> int:
    """Make a contract that nobody has signed yet, at ``price`` fen per kg; return its number."""
    return await make_deal(
        deal=NewDeal(
            listing_id=listing_id,
            demand_id=demand_id,
            buyer_id=buyer.organisation_id,
            quantity=Gram(grams),
            price=FenPerKg(price),
            source="bid",
            source_id=source_id,
            deliver_from=TODAY,
            deliver_to=TODAY + timedelta(days=9),
        ),
        actor=seller.actor,
        at=STORY,
    )


class Contracted(msgspec.Struct, frozen=True):
    seller: Member
    buyer: Member
    deal_id: int

    def by(self, member: Member) -> dict[str, Any]:
        return {"organisation_id": member.organisation_id, "actor": member.actor, "at": STORY}

    async def sign(self) -> None:
        for member in (self.seller, self.buyer):
            await sign(deal_id=self.deal_id, **self.by(member))

    async def answer_money(self, move: str = "confirm", note: str = "") -> None:
        """Answer every claim that is open, as the side whose answer it is."""
        by = self.buyer if move == "withdraw" else self.seller
        for each in await receipts_under([self.deal_id]):
            if each.state in ("claimed", "disputed"):
                await answer_receipt(receipt_id=each.id, move=move, note=note, **self.by(by))

    async def send(self, grams: int, *moves: str) -> int:
        """Announce a delivery and take it through ``moves``; return its number."""
        number = await schedule_delivery(
            deal_id=self.deal_id, quantity=Gram(grams), on=TODAY, **self.by(self.seller)
        )
        for move in moves:
            await self.move(number, move)
        return number

    async def move(self, number: int, move: str, **how: Any) -> None:
        side = self.seller if move == "dispatch" else self.buyer
        await move_delivery(delivery_id=number, move=move, **self.by(side), **how)

    async def state(self) -> str:
        return (await deal_of(deal_id=self.deal_id, organisation_id=self.seller.organisation_id)).state
