import pytest

from market.meetings.rules import APPOINTMENT, ATTENDANCE, INVITATION, MEETING, OUTCOMES
from market.transitions import WrongState


def test_states_are_those_of_the_design() -> None:
    assert MEETING.states == {
        "draft",
        "announced",
        "registration",
        "timetabled",
        "in_progress",
        "closed",
        "followed_up",
        "postponed",
        "cancelled",
    }
    assert INVITATION.states == {
        "needs_action",
        "accepted",
        "tentative",
        "declined",
        "delegated",
        "revoked",
        "expired",
    }
    assert ATTENDANCE.states == {"expected", "checked_in", "left", "no_show"}
    assert APPOINTMENT.states == {"requested", "accepted", "scheduled", "held", "no_show", "cancelled"}
    assert list(OUTCOMES) == ["none", "sample", "intent", "quote", "signed"]


def test_closed_meeting_cannot_be_cancelled() -> None:
    with pytest.raises(WrongState):
        MEETING.apply("cancel", state="closed", by="official")


def test_only_the_invited_answer_an_invitation() -> None:
    assert INVITATION.available(state="needs_action", by="buyer") == (
        "accept",
        "accept_tentatively",
        "decline",
        "delegate",
    )
    assert INVITATION.available(state="needs_action", by="official") == ("revoke",)
