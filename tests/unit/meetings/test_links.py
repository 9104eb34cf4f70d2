import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.meetings.invitations.links import (
    invitation_path,
    invitation_token,
    read_registration_token,
    read_token,
    registration_token,
)


@given(st.integers(1, 2**63 - 1), st.integers(1, 10_000))
def test_token_gives_back_what_it_was_made_of(number: int, version: int) -> None:
    token = invitation_token(number, version)
    assert read_token(token) == (number, version)
    assert len(token) <= 32


def test_another_version_is_another_token() -> None:
    assert invitation_token(7, 1) != invitation_token(7, 2)
    assert invitation_path(7, 1) == f"/i/{invitation_token(7, 1)}"


def test_token_of_a_registration_opens_no_invitation() -> None:
    assert read_registration_token(registration_token(7)) == 7
    assert read_token(registration_token(7)) is None
    assert read_registration_token(invitation_token(7, 1)) is None


@given(st.text(max_size=60))
def test_made_up_token_is_refused(typed: str) -> None:
    assert read_token(typed) is None
    assert read_registration_token(typed) is None


@pytest.mark.parametrize("place", range(20))
def test_token_with_one_sign_changed_is_refused(place: int) -> None:
    token = invitation_token(3_000, 1)
    changed = "A" if token[place] != "A" else "B"
    assert read_token(token[:place] + changed + token[place + 1 :]) is None


def test_token_has_one_spelling() -> None:
    token = invitation_token(7, 1)
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    same = [
        token[:-1] + sign
        for sign in alphabet
        if base64.urlsafe_b64decode(token[:-1] + sign + "=" * (-len(token) % 4)) == raw
    ]
    assert len(same) > 1
    assert [each for each in same if read_token(each)] == [token]
