"""When an intent of a talk is open no more: the one rule, for the report of its meeting and the ledger.

At its meeting an intent was one, and stays counted there. Whether it is still open is asked of what the same
two have done since about the same lot: a contract that was not cancelled, or their last later talk. That talk
gives it up where it came to nothing for a coded reason, and takes its place where it brought figures anew.
A talk that one side did not come to, or that asked for a sample or a quote, changes nothing.
"""

from market.i18n import Message, msg
from market.meetings.rules import ABSENT

CONTRACTED, GIVEN_UP, RENEWED = "contracted", "given_up", "renewed"
#: What has come of it elsewhere than in a contract of its own.
LATER: dict[str, Message] = {
    CONTRACTED: msg("另外签了合同"),
    GIVEN_UP: msg("后来没谈成"),
    RENEWED: msg("后来又谈了，按新的算"),
}

#: One of ``LATER``, or NULL while the intent of a ``topic`` is open, in a query that joins ``appointment``,
#: ``meeting`` and ``listing`` to it by these names. Whether the topic has a contract of its own is not asked.
LATER_SQL = f"""CASE
  WHEN EXISTS (
    SELECT FROM deal made JOIN listing sold ON sold.id = made.listing
    WHERE sold.lot = listing.lot AND made.buyer = appointment.buyer AND made.state <> 'cancelled'
      AND made.created_at >= coalesce(
        appointment.ended_at,
        (SELECT min(created_at) FROM statement WHERE statement.appointment = appointment.id),
        meeting.held_on::timestamp AT TIME ZONE 'Asia/Shanghai')) THEN '{CONTRACTED}'
  ELSE (
    SELECT CASE talk.outcome WHEN 'none' THEN '{GIVEN_UP}' ELSE '{RENEWED}' END
    FROM listing shown JOIN topic said ON said.listing = shown.id
    JOIN appointment talk ON talk.id = said.appointment JOIN meeting met ON met.id = talk.meeting
    WHERE shown.lot = listing.lot AND talk.buyer = appointment.buyer AND talk.state = 'held'
      AND (met.held_on, said.id) > (meeting.held_on, topic.id)
      AND CASE talk.outcome
            WHEN 'none' THEN talk.reason IS NOT NULL AND talk.reason <> '{ABSENT}'
            ELSE talk.outcome IN ('intent', 'signed')
                 AND said.intent_quantity IS NOT NULL AND said.intent_price IS NOT NULL
          END
    ORDER BY met.held_on DESC, said.id DESC LIMIT 1)
END"""  # noqa: S608  our own text
