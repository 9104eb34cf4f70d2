"""What can go wrong, in four kinds. Only the edges (web, api, cli) know about HTTP or exit codes."""

from collections.abc import Mapping

from market.i18n import Message


class MarketError(Exception):
    """A failure that its cause can be told about. ``message`` says what is wrong and how to mend it."""

    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return str(self.message)


class NotFound(MarketError):
    """There is no such thing, or it is not yours to see."""


class NotAllowed(MarketError):
    """It is there, but you may not do this to it."""


class Conflict(MarketError):
    """The state has moved on since you looked."""


class Invalid(MarketError):
    """The input cannot be accepted. ``fields`` tells each field's own trouble."""

    def __init__(self, message: Message, fields: Mapping[str, Message] | None = None) -> None:
        super().__init__(message)
        self.fields: dict[str, Message] = dict(fields or {})


class Busy(MarketError):
    """The database cannot answer in time; the same request may well succeed ``retry_after`` seconds later."""

    def __init__(self, message: Message, *, retry_after: int = 2) -> None:
        super().__init__(message)
        self.retry_after = retry_after
