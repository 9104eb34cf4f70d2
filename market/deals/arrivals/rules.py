"""The life of a seller's word that goods have come, and how long their buyer has to look at them.

Who does not say within the time for inspection that something is wrong counts as having received what was
agreed: Civil Code, article 621. Here it runs only from when the buyer was told, and never without a reminder.
"""

from market.deals.rules import CONFIRMED, WITHDRAWN
from market.i18n import msg
from market.transitions import Lifecycle, Move

STATED, DENIED, PASSED = "stated", "denied", "passed"
ARRIVAL = Lifecycle(
    "arrival",
    Move("confirm", {STATED}, CONFIRMED, by={"buyer"}),
    Move("deny", {STATED}, DENIED, by={"buyer"}),
    Move("withdraw", {STATED}, WITHDRAWN, by={"seller"}),
    Move("pass", {STATED}, PASSED, by={"system"}),
    start=STATED,
    labels={
        STATED: msg("待买方答复"),
        CONFIRMED: msg("买方已确认"),
        DENIED: msg("买方说没有到"),
        WITHDRAWN: msg("卖方已撤回"),
        PASSED: msg("买方到期没有答复"),
    },
)
#: However short a time was agreed, a buyer has so many days from when it was told.
LEAST_DAYS = 3
LONGEST_NOTE = 500
#: As SQL: the last day on which the buyer of a load (``delivery``) may still say what it found.
#: Terms that nobody has written down ask for a day.
INSPECT_BY = f"""(delivery.inspect_from + greatest({LEAST_DAYS}, coalesce(
  (SELECT (terms ->> 'inspection_days')::int FROM contract_terms WHERE contract_terms.deal = delivery.deal
     AND contract_terms.state = 'agreed' ORDER BY version DESC LIMIT 1), 1)))"""  # noqa: S608  words of ours
