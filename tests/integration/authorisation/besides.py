"""What the tests of states want besides: things that another village leads, or the other side proposed."""

from datetime import timedelta
from typing import Any

import msgspec

from market import clock
from market.accounts.recovery import _code_hash
from market.bids.operations import NewBid
from market.db.session import execute, fetch, fetch_row, fetch_value
from market.i18n import msg
from market.units import FenPerKg, Gram
from tests.integration.authorisation.scene import SELLER, Scene, put

#: So much of everything; in grams, and in fen per kg.
_CODE = "ABCDEFGH"
_PRICE = {"quantity": 100_000, "price": 150}


async def add(scene: Scene) -> None:
    """Put it into the database, and its numbers to the things of the scene."""
    things, today = scene.things, clock.today()
    who = {caller.name: caller for caller in scene.callers}
    buyer = who["buyer"]
    days = {"deliver_from": today + timedelta(days=2), "deliver_to": today + timedelta(days=9)}
    things |= {
        "site_id": await fetch_value("SELECT site FROM demand WHERE id = $1", things["demand_id"]),
        "seller": SELLER,
        "buyer": buyer.organisation,
        "soon": days["deliver_from"].isoformat(),
        "later": days["deliver_to"].isoformat(),
        "today": today.isoformat(),
        "sealed": await fetch_value("SELECT listing FROM sealed_bid WHERE mark = $1", things["mark"]),
        "asked": await fetch_value(
            "SELECT id FROM invitation WHERE meeting = $1 AND organisation = $2", things["meeting_id"], SELLER
        ),
    }
    await execute(
        "UPDATE recovery SET code_hash = $2 WHERE person = $1", things["person_id"], _code_hash(_CODE)
    )
    await execute(
        """UPDATE attendee SET phone = '19900099995', attendance = 'expected', days_here = '{}'
           FROM invitation
           WHERE invitation.id = attendee.invitation AND meeting = $1 AND organisation = $2""",
        things["meeting_id"],
        SELLER,
    )
    await execute("UPDATE registration SET phone = '19900099996' WHERE id = $1", things["registration_id"])
    things["unmet"] = await fetch_value(
        """SELECT organisation FROM invitation WHERE meeting = $1 AND side = 'buyer' AND state = 'accepted'
             AND organisation NOT IN (SELECT buyer FROM appointment WHERE meeting = $1 AND seller = $2)
           ORDER BY organisation LIMIT 1""",
        things["meeting_id"],
        SELLER,
    )
    things["unmet_pair"] = f"{SELLER}-{things['unmet']}"
    things["unseated"] = await fetch_value(
        """SELECT organisation FROM invitation WHERE meeting = $1 AND state <> 'revoked'
             AND NOT EXISTS (SELECT FROM appointment WHERE appointment.meeting = $1
                               AND invitation.organisation IN (seller, buyer))
           ORDER BY organisation LIMIT 1""",
        things["meeting_id"],
    )
    # everybody has a talk in each of the others
    things["free_slot"] = await fetch_value(
        "UPDATE meeting SET slots = slots + 1 WHERE id = $1 RETURNING slots", things["meeting_id"]
    )
    await execute("UPDATE listing SET available_from = $2 WHERE id = $1", things["in_the_open"], today)
    things["running"] = await fetch_value(
        """UPDATE appointment SET started_at = created_at WHERE id =
             (SELECT max(id) FROM appointment WHERE meeting = $1 AND seller = $2 AND buyer <> $3)
           RETURNING id""",
        things["meeting_id"],
        SELLER,
        buyer.organisation,
    )
    await execute("DELETE FROM statement WHERE appointment = $1", things["appointment_id"])
    await _recorded(things, buyer.organisation)
    things["goods"] = await fetch_value(
        """SELECT listing.id FROM listing JOIN lot ON lot.id = lot
           WHERE listing.owner = $1 AND listing.state = 'published' AND available_from <= $3 AND way <> 'open'
             AND lot.produce = (SELECT produce FROM demand WHERE id = $2) ORDER BY listing.id LIMIT 1""",
        SELLER,
        things["demand_id"],
        today,
    )
    await _joint_offers(things, days)
    proposed = await fetch_row(
        "SELECT version + 1 AS version, terms FROM contract_terms WHERE deal = $1 ORDER BY version DESC",
        things["deal_id"],
    )
    assert proposed
    things["proposed"] = proposed["version"]
    await put(
        "contract_terms",
        deal=things["deal_id"],
        state="proposed",
        proposer=buyer.organisation,
        buyer_signed_at=clock.now(),
        buyer_signed_by=buyer.person,
        **proposed,
    )
    # it leads, so that the buyer's own does not
    things["leading"] = await put(
        "open_bid",
        listing=things["in_the_open"],
        paddle=2,
        buyer=who["buyer elsewhere"].organisation,
        state="standing",
        quantity=await fetch_value(
            "SELECT remaining FROM lot JOIN listing ON lot.id = lot WHERE listing.id = $1",
            things["in_the_open"],
        ),
        price=9_000,
        release_asked_at=clock.now(),
        **days,
    )
    bid = NewBid(things["goods"], Gram(2_000_000), FenPerKg(150), days["deliver_from"], days["deliver_to"])
    request = {"about": msg("报价"), "body": bid, "side": "buyer"}
    await execute(
        "UPDATE approval SET deed = 'place_bid', request = $2, amount = 300000 WHERE id = $1",
        things["approval_id"],
        msgspec.json.encode(request).decode(),
    )
    # the bid is one that could be made as it is: else nobody could confirm it
    await execute(
        "UPDATE listing SET min_order = 0 FROM bid WHERE bid.id = $1 AND listing.id = bid.listing",
        things["bid_id"],
    )


async def _recorded(things: dict[str, Any], buyer: int) -> None:
    """Two talks of the seller without a contract: of one it has recorded alone, of the other two differ."""
    talks = await fetch(
        """SELECT id, buyer FROM appointment WHERE meeting = $1 AND seller = $2 AND buyer <> $3 AND id <> $4
           ORDER BY id LIMIT 2""",
        things["meeting_id"],
        SELLER,
        buyer,
        things["running"],
    )
    things["recorded"], things["differing"] = [row["id"] for row in talks]
    for row in talks:
        await execute("UPDATE topic SET deal = NULL WHERE appointment = $1", row["id"])
        await execute("DELETE FROM statement WHERE appointment = $1", row["id"])
        await put(
            "statement",
            appointment=row["id"],
            organisation=SELLER,
            outcome="none",
            reason="quality",
            topics="[]",
        )
    things["theirs"] = await put(
        "statement",
        appointment=talks[1]["id"],
        organisation=talks[1]["buyer"],
        outcome="sample",
        topics="[]",
    )


async def _joint_offers(things: dict[str, int], days: dict[str, object]) -> None:
    """One in which another village has a share, and one that it leads."""
    other = await fetch_row(
        """SELECT listing.id AS listing, listing.owner AS seller FROM listing JOIN lot ON lot.id = lot
           WHERE listing.owner <> $1 AND listing.state = 'published' AND way = 'negotiable'
             AND lot.produce = (SELECT produce FROM demand WHERE id = $2) ORDER BY listing.id LIMIT 1""",
        SELLER,
        things["demand_id"],
    )
    assert other
    things["other_share"] = await put(
        "joint_share", joint=things["joint_id"], state="confirmed", **other, **_PRICE
    )
    joined = await put(
        "joint_offer",
        number="示例二",
        demand=things["demand_id"],
        lead=other["seller"],
        state="gathering",
        **days,
    )
    await put("joint_share", joint=joined, state="confirmed", **other, **_PRICE)
    things["joined"] = joined
    things["joined_share"] = await put(
        "joint_share",
        joint=joined,
        seller=SELLER,
        listing=things["listing_id"],
        state="confirmed",
        **_PRICE,
    )
