"""Three villages that answer one demand together, and its buyer."""

from datetime import timedelta

import msgspec

from fixtures.factories import STORY, TODAY, Factory, Member
from market.bids.joint.answering import answer_share, submit_joint
from market.bids.joint.closing import (
    accept_joint,
)
from market.bids.joint.operations import NewJoint, NewShare, invite, open_joint
from market.bids.joint.queries import Joint, joint_of
from market.units import FenPerKg, Gram

DAYS = (TODAY, TODAY + timedelta(days=10))


class Scene(msgspec.Struct):
    """A buyer wants 1,000 kg; three villages have 400 kg each, and the first leads."""

    buyer: Member
    villages: list[Member]
    demand_id: int
    listings: list[int]
    joint_id: int = 0

    async def open(self, *, kg: int = 333, price: int = 700, common: bool = False, least: int = 0) -> None:
        lead = self.villages[0]
        self.joint_id = await open_joint(
            joint=NewJoint(
                self.demand_id,
                self.listings[0],
                Gram(kg * 1_000),
                FenPerKg(price),
                *DAYS,
                common=common,
                least=Gram(least * 1_000) if least else None,
                note="两车",
            ),
            lead_id=lead.organisation_id,
            actor=lead.actor,
            at=STORY,
        )

    def share(self, n: int, *, kg: int = 333, price: int = 700) -> NewShare:
        return NewShare(self.joint_id, self.listings[n], Gram(kg * 1_000), FenPerKg(price))

    async def invite(self, n: int, *, kg: int = 333, price: int = 700) -> int:
        lead = self.villages[0]
        return await invite(
            share=self.share(n, kg=kg, price=price),
            lead_id=lead.organisation_id,
            actor=lead.actor,
            at=STORY,
        )

    async def answer(
        self, share_id: int, move: str, n: int, *, reason: str | None = None, note: str = ""
    ) -> str:
        member = self.villages[n]
        return await answer_share(
            share_id=share_id,
            move=move,
            organisation_id=member.organisation_id,
            actor=member.actor,
            at=STORY,
            reason=reason,
            note=note,
        )

    async def submit(self) -> None:
        lead = self.villages[0]
        await submit_joint(joint_id=self.joint_id, lead_id=lead.organisation_id, actor=lead.actor, at=STORY)

    async def full(self, *, least: int = 0) -> list[int]:
        """Open it, let both others confirm, and put it to the buyer; return the others' shares."""
        await self.open(least=least)
        shares = [await self.invite(n) for n in (1, 2)]
        for n, share_id in enumerate(shares, 1):
            await self.answer(share_id, "confirm", n)
        await self.submit()
        return shares

    async def accept(self, *, kg: int | None = None, key: str | None = None) -> list[int]:
        return await accept_joint(
            joint_id=self.joint_id,
            buyer_id=self.buyer.organisation_id,
            actor=self.buyer.actor,
            at=STORY,
            quantity=None if kg is None else Gram(kg * 1_000),
            key=key,
        )

    async def seen(self, member: Member) -> Joint:
        return await joint_of(joint_id=self.joint_id, organisation_id=member.organisation_id)

    async def states(self) -> tuple[str, list[str]]:
        joint = await self.seen(self.villages[0])
        return joint.joint.state, [share.state for share in joint.shares]


async def scene_of(factory: Factory, *, kg_each: int = 400, kg_wanted: int = 1_000) -> Scene:
    buyer = await factory.member(role="buyer")
    villages = [await factory.member(role="secretary") for _ in range(3)]
    return Scene(
        buyer,
        villages,
        await factory.demand(buyer, kg=kg_wanted),
        [await factory.listing(each, kg=kg_each) for each in villages],
    )
