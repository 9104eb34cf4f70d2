"""What an accept costs: so many statements for a commit, however many accepts are in it."""

from datetime import timedelta

from fixtures.factories import STORY, TODAY, Factory, Member
from market.bids.accepting import Accepted, AcceptWish, serve
from market.bids.operations import NewBid, place_bid
from market.db.replay import Keyed
from market.db.session import Engine
from market.units import FenPerKg, Gram
from tests.statements import heard

#: The transaction's begin and end; the bids; the goods and the ledger; the ends of the bids' chains; channels
#: of the parties; the bids' new state; replies kept. What is copied in (contracts, records, notices) asyncpg
#: does not tell.
STATEMENTS = 9


async def wishes(factory: Factory, seller: Member, many: int) -> list[AcceptWish]:
    buyer, listing_id = await factory.member(role="buyer"), await factory.listing(seller)
    made = []
    for n in range(many):
        bid = NewBid(listing_id, Gram(10_000), FenPerKg(700), TODAY, TODAY + timedelta(days=5))
        bid_id = await place_bid(bid=bid, buyer_id=buyer.organisation_id, actor=buyer.actor, at=STORY)
        keyed = Keyed(seller.actor.person_id or 0, f"{listing_id}-{n}", "digest")
        made.append(AcceptWish(bid_id, seller.organisation_id, "seller", seller.actor, STORY, keyed))
    return made


async def test_a_commit_of_accepts_has_a_fixed_number_of_statements(factory: Factory, db: Engine) -> None:
    seller = await factory.member(role="secretary")
    commits = [await wishes(factory, seller, many) for many in (1, 1, 8)]
    counts = []
    async with heard(db) as said:
        for commit in commits:
            said.clear()
            replies = await serve(commit, True)
            assert all(isinstance(reply, Accepted) for reply in replies)
            counts.append(len(said))
    # at first the connection asks for types that it does not know yet
    assert counts[1:] == [STATEMENTS, STATEMENTS], "\n".join(said)
