"""What the API gives: errors, small replies, and views whose texts are already in the reader's language."""

from typing import Any, TypeVar

import msgspec

from market import clock
from market.i18n import Language, Message, translate

V = TypeVar("V", bound=msgspec.Struct)


class Problem(msgspec.Struct, frozen=True):
    """What went wrong (RFC 9457), in the reader's language."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    #: Field -> what is wrong with it and how to mend it.
    fields: dict[str, str] = {}
    #: Field -> what was `sent` and what stands `now`, where others have changed it since you read it.
    changed: dict[str, dict[str, Any]] = {}


class Moved(msgspec.Struct, frozen=True):
    """The state that something is in now."""

    state: str


def told(kind: type[V], row: msgspec.Struct, language: Language, **further: Any) -> V:
    """Return ``row`` as ``kind``, field by field, its messages in ``language``; ``further`` adds fields."""
    values = {
        name: getattr(row, name)
        for name in kind.__struct_fields__
        if name not in further and hasattr(row, name)
    }
    return kind(
        **further,
        **{
            name: translate(value, language, today=clock.today()) if isinstance(value, Message) else value
            for name, value in values.items()
        },
    )


class AwaitsApproval(msgspec.Struct, frozen=True):
    """Above your limit: kept for a purchasing manager of your organisation. Nothing is done before that."""

    state: str
    approval_id: int
