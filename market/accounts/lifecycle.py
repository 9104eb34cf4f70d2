"""The lives of an invitation to have an account, and of a request for a new password."""

from market.i18n import msg
from market.transitions import Lifecycle, Move

OPEN, ACCEPTED, REVOKED = "open", "accepted", "revoked"
#: ``inviter``: whoever looks after the organisation; ``invited``: who holds the link.
ACCOUNT_INVITATION = Lifecycle(
    "account_invitation",
    Move("renew", {OPEN}, OPEN, by={"inviter"}),
    Move("accept", {OPEN}, ACCEPTED, by={"invited"}),
    Move("revoke", {OPEN}, REVOKED, by={"inviter"}),
    start=OPEN,
    labels={OPEN: msg("待加入"), ACCEPTED: msg("已加入"), REVOKED: msg("已撤回")},
)

ASKED, GRANTED, TURNED_DOWN, USED = "asked", "granted", "refused", "used"
#: ``keeper``: whoever looks after the person's organisation; ``owner``: who holds the one-time link.
RECOVERY = Lifecycle(
    "recovery",
    Move("grant", {ASKED, GRANTED}, GRANTED, by={"keeper"}),
    Move("refuse", {ASKED, GRANTED}, TURNED_DOWN, by={"keeper"}),
    Move("use", {GRANTED}, USED, by={"owner"}),
    start=ASKED,
    labels={
        ASKED: msg("等待当面核对"),
        GRANTED: msg("已给链接"),
        TURNED_DOWN: msg("已拒绝"),
        USED: msg("已重设"),
    },
)
