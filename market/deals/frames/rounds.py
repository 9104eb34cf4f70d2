"""What time does to framework agreements and their batches: what nobody answered lapses, the rest ends."""

from datetime import datetime, timedelta

from market.accounts.rules import SYSTEM
from market.amounts import masses
from market.audit.operations import Entry, record_all
from market.clock import CHINA
from market.db.session import execute, fetch, transaction
from market.deals.frames import rules
from market.i18n import msg, on_day
from market.notices.operations import Word, notify_all
from market.units import Gram


async def expire_calls(*, at: datetime) -> int:
    """Let batches lapse that the seller did not answer in time, and free their quantity; return how many."""
    async with transaction():
        frames = await fetch(
            """SELECT id, number, seller, buyer FROM frame WHERE id IN (
                 SELECT frame FROM call_off WHERE state = $1 AND expires_at <= $2)
               ORDER BY id FOR NO KEY UPDATE""",
            rules.REQUESTED,
            at,
        )
        lapsed = await fetch(
            """UPDATE call_off SET state = $3 WHERE state = $1 AND expires_at <= $2 AND frame = ANY($4)
               RETURNING id, frame, quantity""",
            rules.REQUESTED,
            at,
            rules.EXPIRED,
            [frame["id"] for frame in frames],
        )
        freed: dict[int, int] = {}
        for call in lapsed:
            freed[call["frame"]] = freed.get(call["frame"], 0) + call["quantity"]
        await execute(
            """UPDATE frame SET called = called - freed.grams
               FROM unnest($1::bigint[], $2::bigint[]) AS freed (id, grams) WHERE frame.id = freed.id""",
            list(freed),
            list(freed.values()),
        )
        told = [frame for frame in frames if frame["id"] in freed]
        await record_all(
            [
                Entry(f"frame:{frame['id']}", "call_expire", SYSTEM, at, {"grams": freed[frame["id"]]})
                for frame in told
            ]
        )
        await notify_all(
            [
                Word(
                    party,
                    "call_expired",
                    msg("框架协议 {number} 的要货过了确认期限，没有算数。", number=frame["number"]),
                    f"/frames/{frame['id']}",
                    at,
                )
                for frame in told
                for party in (frame["seller"], frame["buyer"])
            ]
        )
    return len(lapsed)


async def round_of_frames(*, at: datetime) -> int:
    """Let proposals lapse, end agreements whose days are over, and tell both what was never called off.

    Both are also told once, some days before the end. Return how many lapsed or ended.
    """
    today = at.astimezone(CHINA).date()
    async with transaction():
        lapsed = await fetch(
            "UPDATE frame SET state = $1 WHERE state = $2 AND expires_at <= $3 RETURNING *",
            rules.EXPIRED,
            rules.PROPOSED,
            at,
        )
        ended = await fetch(
            """UPDATE frame SET state = $1 WHERE state = ANY($2) AND ends_on < $3
                 AND NOT EXISTS (SELECT FROM call_off WHERE frame = frame.id AND state = 'requested')
               RETURNING *""",
            rules.ENDED,
            list(rules.IN_FORCE),
            today,
        )
        warned = await fetch(
            """UPDATE frame SET warned_at = $1 WHERE state = ANY($2) AND warned_at IS NULL AND called < total
                 AND ends_on >= $3 AND ends_on <= $4 RETURNING *""",
            at,
            list(rules.IN_FORCE),
            today,
            today + timedelta(days=rules.WARN_DAYS),
        )
        words = [
            (frame, "frame_expired", msg("框架协议 {number} 过了签字期限。", number=frame["number"]))
            for frame in lapsed
        ]
        for frame in ended:
            left = masses(Gram(frame["total"] - frame["called"]))
            told = msg("框架协议 {number} 到期，还有 {left}没有要。", number=frame["number"], left=left)
            words.append((frame, "frame_ended", told))
        for frame in warned:
            left = masses(Gram(frame["total"] - frame["called"]))
            told = msg(
                "框架协议 {number} 将在 {day} 到期，还有 {left}没有要。",
                number=frame["number"],
                day=on_day(frame["ends_on"]),
                left=left,
            )
            words.append((frame, "frame_ending", told))
        await notify_all(
            [
                Word(party, kind, message, f"/frames/{frame['id']}", at)
                for frame, kind, message in words
                for party in (frame["seller"], frame["buyer"])
            ]
        )
        await record_all([Entry(f"frame:{each['id']}", "expire", SYSTEM, at, {}) for each in lapsed])
        await record_all(
            [
                Entry(f"frame:{each['id']}", "end", SYSTEM, at, {"left": each["total"] - each["called"]})
                for each in ended
            ]
        )
    return len(lapsed) + len(ended)
