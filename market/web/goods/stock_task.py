"""One form about a lot."""

from collections.abc import Awaitable, Callable

import msgspec

from market.i18n import Message
from market.web.parts.forms import Filled, Form


class Task(msgspec.Struct, frozen=True):
    """One form about a lot: its words, its questions, and the deed; it tells what to say when done."""

    title: Message
    lead: Message
    button: Message
    form: Form
    deed: Callable[[Filled], Awaitable[tuple[str, Message]]]
    first: dict[str, object] = {}
