"""How a receiver knows that a message is from here: signed by the open convention of standardwebhooks.com.

Receivers find libraries for it. The header ``webhook-signature`` is ``v1,`` and the base64 of HMAC-SHA256
over ``id.timestamp.body``; ``docs/webhooks.md`` shows the check.
"""

import base64
import hmac
from datetime import datetime

from market.settings import secret_key

_PREFIX = "whsec_"


def signing_key(*, channel_id: int, created_at: datetime) -> str:
    """Return the key that a channel's messages are signed with, as receivers enter it.

    It is derived from the installation's key and not stored: whoever reads the database cannot sign.
    A channel that is removed and added again has another.
    """
    named = f"webhook\0{channel_id}\0{created_at.isoformat()}".encode()
    return _PREFIX + base64.b64encode(hmac.digest(secret_key().encode(), named, "sha256")).decode()


def signature(*, key: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of ``webhook-signature``."""
    raw = base64.b64decode(key.removeprefix(_PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(raw, signed, "sha256")).decode()
