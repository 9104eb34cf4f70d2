"""The life of a match and of the run that proposed it."""

from market.i18n import msg
from market.transitions import Lifecycle, Move

PROPOSED, ONE_SIDE_AGREED, AGREED, CONVERTED = "proposed", "one_side_agreed", "agreed", "converted"
DECLINED, EXPIRED, SUPERSEDED = "declined", "expired", "superseded"
BOTH = frozenset({"seller", "buyer"})
OPEN = frozenset({PROPOSED, ONE_SIDE_AGREED, AGREED})
#: A suggestion that nobody takes up lapses after this many days.
ANSWER_DAYS = 14

MATCH = Lifecycle(
    "match",
    Move("agree", {PROPOSED}, ONE_SIDE_AGREED, by=BOTH),
    Move("complete", {ONE_SIDE_AGREED}, AGREED, by=BOTH),
    Move("convert", {AGREED}, CONVERTED, by={"system"}),
    Move("decline", {PROPOSED, ONE_SIDE_AGREED, AGREED}, DECLINED, by=BOTH),
    Move("expire", {PROPOSED, ONE_SIDE_AGREED}, EXPIRED, by={"system"}),
    Move("supersede", {PROPOSED}, SUPERSEDED, by={"system"}),
    start=PROPOSED,
    labels={
        PROPOSED: msg("待双方同意"),
        ONE_SIDE_AGREED: msg("一方已同意"),
        AGREED: msg("双方同意"),
        CONVERTED: msg("已成交"),
        DECLINED: msg("已谢绝"),
        EXPIRED: msg("已过期"),
        SUPERSEDED: msg("已更新"),
    },
)

QUEUED, RUNNING, DONE, FAILED = "queued", "running", "done", "failed"
RUN = Lifecycle(
    "run",
    Move("start", {QUEUED}, RUNNING, by={"system"}),
    Move("finish", {RUNNING}, DONE, by={"system"}),
    Move("fail", {QUEUED, RUNNING}, FAILED, by={"system"}),
    start=QUEUED,
    labels={
        QUEUED: msg("排队中"),
        RUNNING: msg("计算中"),
        DONE: msg("已完成"),
        FAILED: msg("未完成"),
    },
)
