"""The one thing to do next, as the pages of officials put it."""

import msgspec

from market.i18n import Message


class Step(msgspec.Struct, frozen=True):
    """The one thing to do next. ``posts``: the button sends a form instead of leading somewhere."""

    title: Message
    why: Message
    label: Message
    href: str
    posts: bool = False
