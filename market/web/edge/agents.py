"""What an agent may do on the pages: by the address that is posted to. What is not named here is refused."""

import re

from market.accounts.rules import ANSWER, DELIVER, END, EXCUSE, LIST, SIGN, Viewer, require_delegated

#: Address of a post -> the deed of ``accounts.rules.DEEDS`` that it is.
AGENT_POSTS: dict[str, str] = {
    "/selling/new": LIST,
    "/selling/{listing_id:int}/terms": LIST,
    "/selling/{listing_id:int}/move/{move:str}": LIST,
    "/demands/new": LIST,
    "/demands/{demand_id:int}/{move:str}": LIST,
    "/listings/{listing_id:int}/bids": ANSWER,
    "/demands/{demand_id:int}/offer": ANSWER,
    "/sealed/{mark:str}/withdraw": ANSWER,
    "/bids/{bid_id:int}/accept": ANSWER,
    "/bids/{bid_id:int}/counter": ANSWER,
    "/bids/{bid_id:int}/reject": ANSWER,
    "/bids/{bid_id:int}/withdraw": ANSWER,
    "/bids/{bid_id:int}/reconfirm": ANSWER,
    "/matches/{match_id:int}/agree": ANSWER,
    "/matches/{match_id:int}/decline": ANSWER,
    "/deals/{deal_id:int}/sign": SIGN,
    "/deals/{deal_id:int}/scans": SIGN,
    "/deals/{deal_id:int}/scans/{scan_id:int}/refuse": SIGN,
    "/deals/{deal_id:int}/scans/{scan_id:int}/{move:str}": SIGN,
    "/deals/{deal_id:int}/terms": SIGN,
    "/deals/{deal_id:int}/terms/{version:int}/{move:str}": SIGN,
    "/deals/{deal_id:int}/ending": END,
    "/deals/{deal_id:int}/ending/{ending_id:int}/{answer:str}": END,
    "/deals/{deal_id:int}/ending/force-majeure": EXCUSE,
    "/deals/{deal_id:int}/ending/{ending_id:int}/proof": EXCUSE,
    "/deals/{deal_id:int}/deliveries": DELIVER,
    # the seller's moves; the buyer's are refused in their transaction
    "/deals/{deal_id:int}/deliveries/{delivery_id:int}/{move:str}": DELIVER,
}
#: As a request knows them, without the kinds of their numbers.
_POSTS = {re.sub(r":\w+}", "}", path): deed for path, deed in AGENT_POSTS.items()}
#: One's own: signing out, language, going back to one's own organisation.
_OWN = ("/account", "/sign-out", "/delegations/stop")
#: For the principal's own people: others by name, what they note of talks, and where its notices go besides,
#: which would outlast the delegation.
_CLOSED = (
    "households",
    "settlements",
    "/lots/{lot_id}/shares",
    "/appointments/{appointment_id}/note",
    "/account/channels",
)


def check_agent(viewer: Viewer, *, method: str, path: str) -> None:
    """Hold an agent to what its principal has named. ``path``: the route, such as ``/deals/{deal_id}/sign``.

    Raises: NotAllowed.
    """
    if viewer.delegation_id is None:
        return
    if any(word in path for word in _CLOSED):
        require_delegated(viewer, None)
    elif not path.startswith(_OWN) and method not in ("GET", "HEAD", "OPTIONS"):
        require_delegated(viewer, _POSTS.get(path))
