"""Words that people wrote of talks have a period; what they decided stays."""

from datetime import timedelta

from fixtures.factories import STORY, TODAY
from market.db.session import execute, fetch_value
from market.privacy.retention import keep_to_periods
from tests.integration.meetings.after_scene import After
from tests.integration.meetings.test_after_talks import after as after


async def test_words_of_talks_go_after_three_years_and_results_stay(after: After) -> None:
    talk = after.talks[0]
    await execute("UPDATE appointment SET note = '老板出差' WHERE id = $1", talk.id)
    await execute(
        """INSERT INTO statement (appointment, organisation, outcome, note, topics, samples, why, created_at)
           VALUES ($1, $2, 'none', '老板出差', '[]', '{}', '记错了', $3)
           ON CONFLICT (appointment, organisation) WHERE replaced_at IS NULL
           DO UPDATE SET note = '老板出差'""",
        *(talk.id, talk.seller, STORY),
    )
    await execute(
        """INSERT INTO feedback (appointment, organisation, score, again, note, created_at)
           VALUES ($1, $2, 5, true, '王经理很爽快', $3)""",
        *(talk.id, talk.seller, STORY),
    )
    await execute(
        """INSERT INTO follow_up (appointment, days, due_on, level, note)
           VALUES ($1, 30, $2, 'useful', '张姐说再等等') ON CONFLICT (appointment, days)
           DO UPDATE SET level = 'useful', note = '张姐说再等等'""",
        *(talk.id, TODAY),
    )
    await execute(
        """INSERT INTO wish (meeting, organisation, about, level, note, created_at)
           VALUES ($1, $2, $3, 'want', '找李总', $4)""",
        *(after.meeting_id, talk.seller, talk.buyer, STORY),
    )

    async def words(days: int) -> int:
        gone = await keep_to_periods(at=STORY, today=TODAY + timedelta(days=days))
        return gone.get("words", 0)

    assert [await words(3 * 365), await words(3 * 365 + 1), await words(3 * 365 + 1)] == [0, 5, 0]
    for table in ("appointment", "statement", "feedback", "follow_up", "wish"):
        assert await fetch_value(f"SELECT count(*) FROM {table} WHERE note <> ''") == 0
    assert await fetch_value("SELECT level FROM follow_up WHERE level IS NOT NULL") == "useful"
    assert await fetch_value("SELECT score FROM feedback") == 5
