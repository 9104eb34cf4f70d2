"""The report as a paper: what it says of questions whose day has not come."""

from fixtures.factories import Factory
from market.documents.report import sections_of
from tests.integration.meetings.after_scene import After


async def test_questions_that_are_not_due_are_not_counted_as_unanswered(factory: Factory) -> None:
    scene = await After(factory).begun()
    for talk in scene.talks:
        await scene.record(talk, "sample")
    await scene.move("close")
    # thirty days after: the first round is due, the other two are not
    report = await scene.report()
    [answers] = [each for each in sections_of(report) if each.title == "回访"]
    assert answers.grid is not None
    asked = [row[1] for row in answers.grid.rows]
    assert len(set(asked)) == 1
    assert [row[-1] for row in answers.grid.rows] == [asked[0], "未到期", "未到期"]
