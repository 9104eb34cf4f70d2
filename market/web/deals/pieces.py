"""The form of words with a photo that one side puts to a case of breach or a force majeure."""

from market.deals.pieces import Piece
from market.errors import Invalid
from market.i18n import Message, msg
from market.web.parts import fields
from market.web.parts.forms import FileField, Filled, Form
from market.web.parts.pictures import ENDINGS, MOST_BYTES, picture_from
from market.web.parts.trade import KEY
from market.web.parts.typed import Wrong

#: A photo and the words beside it; above the photo's own cap, so that one too large is told so at its field.
MOST_BODY = MOST_BYTES + 1_000_000


def piece_form(words: Message, *, most: int, hint: Message) -> Form:
    """Return the form: what its ``words`` are to say, and what a photo may show."""
    return Form(
        words=fields.text(words, most=most, lines=True),
        photo=FileField(label=msg("照片"), endings=ENDINGS, most_bytes=MOST_BYTES, optional=True, hint=hint),
        key=KEY,
    )


async def piece_in(filled: Filled) -> Piece:
    """Return what was filled in, the photo drawn anew.

    Raises:
        Invalid: the photo is no picture.
    """
    words, photo = filled.values["words"], filled.values["photo"]
    if not photo:
        return Piece(words)
    try:
        picture = await picture_from(photo)
    except Wrong as wrong:
        raise Invalid(wrong.message, {"photo": wrong.message}) from None
    return Piece(words, picture.image, picture.content_hash)
