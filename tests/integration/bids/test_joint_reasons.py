"""Who says no in a joint offer says why."""

import pytest

from fixtures.factories import Factory, Member
from market.audit.queries import history
from market.db.session import execute
from market.errors import Invalid
from market.i18n import translate
from market.notices.queries import inbox
from tests.integration.bids.villages import Scene, scene_of


@pytest.fixture
async def scene(factory: Factory) -> Scene:
    return await scene_of(factory)


async def test_who_says_no_to_a_share_says_why_and_only_its_seller_and_the_lead_read_it(scene: Scene) -> None:
    lead, second, third = scene.villages
    await scene.open()
    declined, refused = await scene.invite(1), await scene.invite(2)
    for share_id, move, n in ((declined, "decline", 1), (refused, "refuse", 0)):
        for reason in (None, "nothing"):
            with pytest.raises(Invalid) as asked:
                await scene.answer(share_id, move, n, reason=reason)
            assert set(asked.value.fields) == {"reason"}
    await execute("UPDATE reason SET zh = '价格谈不拢', en = 'Price' WHERE code = 'price'")
    await execute(
        "UPDATE reason SET zh = '其他原因（请说明）', en = 'Other (please explain)' WHERE code = 'other'"
    )
    await scene.answer(declined, "decline", 1, reason="price", note="少八毛不卖")
    await scene.answer(refused, "refuse", 0, reason="other", note="车装满了")
    told = [(await inbox(organisation_id=each.organisation_id))[0].message for each in (lead, third)]
    assert [str(each).split("，原因：")[1] for each in told] == ["价格谈不拢。", "其他原因。"]
    assert [translate(each, "en").split("Reason: ")[1] for each in told] == ["Price.", "Other."]

    async def read_by(member: Member) -> dict[int, tuple[str | None, str]]:
        shares = (await scene.seen(member)).shares
        return {
            each.id: (each.reason_zh, each.reason_note) for each in shares if each.id in (declined, refused)
        }

    assert await read_by(lead) == {
        declined: ("价格谈不拢", "少八毛不卖"),
        refused: ("其他原因（请说明）", "车装满了"),
    }
    assert await read_by(second) == {declined: ("价格谈不拢", "少八毛不卖")}
    # invited anew: what was said of the last share is not said of this one, nor does a third party read it
    await scene.invite(2)
    assert await read_by(third) == {declined: (None, ""), refused: (None, "")}
    steps = await history(subjects=[f"joint:{scene.joint_id}"])
    assert [step.details["reason"] for step in steps if "reason" in step.details] == ["price", "other"]
