"""A contract signed on paper: its scan signs for whoever uploads it, for the other only by its own word."""

import asyncio
import io
from datetime import timedelta

import asyncpg
import msgspec
import pytest
from PIL import Image

from fixtures.factories import STORY, TODAY, Factory, Member
from market.accounts.operations import NewPerson, register_person
from market.accounts.rules import Actor
from market.audit.queries import history
from market.db.session import execute, fetch, fetch_value
from market.deals import signing
from market.deals.operations import cancel, sign
from market.deals.scans import operations
from market.deals.scans.operations import (
    confirm_scan,
    forget_scans,
    present_scan,
    refuse_scan,
    upload_scan,
    withdraw_scan,
)
from market.deals.scans.queries import mark_in_force, scan_content, scans_of
from market.deals.scans.reading import read_files
from market.deals.scans.rules import plain_mark
from market.deals.terms import answer_terms, propose_terms, terms_in_force
from market.errors import Busy, Conflict, Invalid, NotFound
from market.organisations.approving import Waiting, approve
from market.transitions import WrongState
from tests.integration.deals.scene import Contracted, contract
from tests.integration.races import at_once

PDF = b"%PDF-1.7 signed and sealed"


def page(colour: str = "white") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (3000, 4000), colour).save(buffer, "JPEG")
    return buffer.getvalue()


class Scene(Contracted, frozen=True):
    async def upload(self, by: Member, *, mark: str | None = None, content: bytes = PDF) -> int:
        return await upload_scan(
            deal_id=self.deal_id,
            mark=await mark_in_force(deal_id=self.deal_id) if mark is None else mark,
            files=await read_files([("contract.pdf", content)]),
            **self.by(by),
        )

    async def present(self, by: Member, scan: int) -> str:
        return await present_scan(deal_id=self.deal_id, scan_id=scan, **self.by(by))

    async def presented(self, by: Member) -> int:
        scan = await self.upload(by)
        await self.present(by, scan)
        return scan

    async def confirm(self, by: Member, scan: int) -> str:
        return await confirm_scan(deal_id=self.deal_id, scan_id=scan, **self.by(by))

    async def refuse(self, by: Member, scan: int, reason: str = "other_text") -> str:
        return await refuse_scan(deal_id=self.deal_id, scan_id=scan, reason=reason, **self.by(by))

    async def withdraw(self, by: Member, scan: int) -> str:
        return await withdraw_scan(deal_id=self.deal_id, scan_id=scan, **self.by(by))

    async def states(self) -> tuple[str, list[str]]:
        """The contract's state, and those of its scans."""
        rows = await fetch("SELECT state FROM contract_scan ORDER BY id")
        return await self.state(), [row["state"] for row in rows]

    async def signed(self) -> tuple[bool, bool]:
        row = (await fetch("SELECT seller_signed_at, buyer_signed_at FROM deal"))[0]
        return row["seller_signed_at"] is not None, row["buyer_signed_at"] is not None

    async def change_terms(self) -> None:
        base, now = await terms_in_force(deal_id=self.deal_id)
        version = await propose_terms(
            deal_id=self.deal_id,
            base=base,
            terms=msgspec.structs.replace(now, deliver_to=TODAY + timedelta(days=20)),
            note="",
            **self.by(self.seller),
        )
        await answer_terms(deal_id=self.deal_id, version=version, move="agree", **self.by(self.buyer))


@pytest.fixture
async def scene(factory: Factory) -> Scene:
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    deal_id = await contract(seller, buyer, listing_id=await factory.listing(seller))
    return Scene(seller, buyer, deal_id)


async def test_scan_signs_for_its_uploader_and_for_the_other_by_its_word(scene: Scene) -> None:
    scan = await scene.presented(scene.seller)
    assert await scene.states() == ("partly_signed", ["waiting"])
    assert await scene.signed() == (True, False)
    assert await scene.confirm(scene.buyer, scan) == "confirmed"
    assert await scene.states() == ("active", ["confirmed"])
    told = await fetch(
        "SELECT kind FROM notice WHERE organisation = $1 ORDER BY id", scene.buyer.organisation_id
    )
    assert [row["kind"] for row in told][-1] == "scan_presented"
    kept = await fetch_value("SELECT details -> 'files' ->> 0 FROM audit_record WHERE action = 'countersign'")
    # what was done stands before what it led to
    done = [each.action for each in await history(subjects=[f"deal:{scene.deal_id}"])]
    assert done[-4:] == ["present_scan", "sign", "confirm_scan", "countersign"]
    assert kept == await fetch_value("SELECT content_hash FROM contract_scan_file")


async def test_silence_binds_nobody_and_nobody_confirms_for_the_other(scene: Scene, factory: Factory) -> None:
    scan = await scene.presented(scene.seller)
    with pytest.raises(WrongState):
        await scene.confirm(scene.seller, scan)
    stranger = await factory.member(role="buyer")
    with pytest.raises(NotFound):
        await scene.confirm(stranger, scan)
    assert await scene.states() == ("partly_signed", ["waiting"])


@pytest.mark.parametrize("move", ["refuse", "withdraw"])
async def test_signature_falls_with_the_paper_that_it_stood_on(scene: Scene, move: str) -> None:
    scan = await scene.presented(scene.seller)
    if move == "refuse":
        await scene.refuse(scene.buyer, scan)
    else:
        await scene.withdraw(scene.seller, scan)
    assert await scene.signed() == (False, False)
    assert (await scene.states())[0] == "pending"
    with pytest.raises(WrongState):
        await scene.confirm(scene.buyer, scan)
    # the whole of it again, in the app
    await scene.sign()
    assert (await scene.states())[0] == "active"


async def test_signature_given_in_the_app_stays_when_the_scan_is_refused(scene: Scene) -> None:
    await sign(deal_id=scene.deal_id, **scene.by(scene.seller))
    scan = await scene.presented(scene.seller)
    await scene.refuse(scene.buyer, scan, "unclear")
    assert await scene.signed() == (True, False)


async def test_scan_of_other_terms_is_told_so_and_signs_nothing(scene: Scene) -> None:
    old = await mark_in_force(deal_id=scene.deal_id)
    scan = await scene.presented(scene.seller)
    await scene.change_terms()
    assert await scene.states() == ("pending", ["outdated"])
    assert await scene.signed() == (False, False)
    with pytest.raises(WrongState):
        await scene.confirm(scene.buyer, scan)
    with pytest.raises(Invalid) as printed_before:
        await scene.upload(scene.seller, mark=old)
    assert "mark" in printed_before.value.fields
    with pytest.raises(Invalid):
        await scene.upload(scene.seller, mark="0000-0000")
    with pytest.raises(Invalid):
        await scene.upload(scene.seller, mark="")
    assert await mark_in_force(deal_id=scene.deal_id) != old


async def test_draft_of_old_terms_cannot_be_presented(scene: Scene) -> None:
    scan = await scene.upload(scene.seller)
    await scene.change_terms()
    with pytest.raises(WrongState):
        await scene.present(scene.seller, scan)


async def test_other_side_may_sign_in_the_app_instead(scene: Scene) -> None:
    scan = await scene.presented(scene.seller)
    await sign(deal_id=scene.deal_id, **scene.by(scene.buyer))
    assert await scene.states() == ("active", ["filed"])
    await scene.refuse(scene.buyer, scan)
    assert await scene.states() == ("active", ["disputed"])
    assert await scene.signed() == (True, True)


async def test_scan_of_the_second_to_sign_brings_the_contract_into_force(scene: Scene) -> None:
    await sign(deal_id=scene.deal_id, **scene.by(scene.seller))
    assert await scene.present(scene.buyer, await scene.upload(scene.buyer)) == "filed"
    assert await scene.states() == ("active", ["filed"])


async def test_newer_scan_takes_the_place_of_the_one_that_waits(scene: Scene) -> None:
    first, second = await scene.presented(scene.seller), await scene.presented(scene.seller)
    assert await scene.states() == ("partly_signed", ["outdated", "waiting"])
    with pytest.raises(WrongState):
        await scene.confirm(scene.buyer, first)
    # the signature stands on the newer one now
    await scene.withdraw(scene.seller, second)
    assert await scene.signed() == (False, False)


async def test_copy_of_a_signed_contract_is_filed_and_changes_nothing(scene: Scene) -> None:
    await scene.sign()
    before = await fetch("SELECT * FROM deal")
    await scene.upload(scene.buyer, mark="")
    assert await scene.states() == ("active", ["filed"])
    assert await fetch("SELECT * FROM deal") == before


async def test_cancelled_contract_takes_no_scan(scene: Scene) -> None:
    scan = await scene.presented(scene.seller)
    await cancel(deal_id=scene.deal_id, reason="price", **scene.by(scene.buyer))
    assert await scene.states() == ("cancelled", ["outdated"])
    with pytest.raises(WrongState):
        await scene.confirm(scene.buyer, scan)
    with pytest.raises(Conflict):
        await scene.upload(scene.seller)


async def test_buyer_above_its_limit_waits_for_the_manager_with_the_scan_kept(
    scene: Scene,
) -> None:
    manager = await register_person(
        person=NewPerson(name="经理", phone="19900019999", password_hash=None, invented=True),
        organisation_id=scene.buyer.organisation_id,
        roles=frozenset({"manager"}),
        at=STORY,
    )
    await execute("UPDATE organisation SET buyer_limit = 1 WHERE id = $1", scene.buyer.organisation_id)
    scan = await scene.upload(scene.buyer)
    with pytest.raises(Waiting):
        await scene.present(scene.buyer, scan)
    assert await scene.states() == ("pending", ["uploaded"])
    await approve(
        approval_id=await fetch_value("SELECT id FROM approval"),
        organisation_id=scene.buyer.organisation_id,
        actor=Actor(manager, scene.buyer.organisation_id, "buyer"),
        at=STORY,
    )
    assert await scene.states() == ("partly_signed", ["waiting"])


async def test_confirming_above_the_limit_waits_for_the_manager(scene: Scene) -> None:
    await execute("UPDATE organisation SET buyer_limit = 1 WHERE id = $1", scene.buyer.organisation_id)
    scan = await scene.presented(scene.seller)
    with pytest.raises(Waiting):
        await scene.confirm(scene.buyer, scan)
    assert await scene.states() == ("partly_signed", ["waiting"])


async def test_what_is_not_presented_is_its_uploaders_alone(scene: Scene) -> None:
    scan = await scene.upload(scene.seller)
    file = await fetch_value("SELECT id FROM contract_scan_file")
    asked = {"deal_id": scene.deal_id, "scan_id": scan, "file_id": file}
    assert (await scan_content(**asked, organisation_id=scene.seller.organisation_id)).content == PDF
    with pytest.raises(NotFound):
        await scan_content(**asked, organisation_id=scene.buyer.organisation_id)
    assert await scans_of(deal_id=scene.deal_id, organisation_id=scene.buyer.organisation_id) == []
    await scene.present(scene.seller, scan)
    assert (await scan_content(**asked, organisation_id=scene.buyer.organisation_id)).content == PDF


async def test_pages_stand_and_go_after_their_period_alone(scene: Scene) -> None:
    await scene.presented(scene.seller)
    for words in (
        "UPDATE contract_scan_file SET content = 'x'",
        "UPDATE contract_scan_file SET content_hash = 'x'",
        "DELETE FROM contract_scan_file",
        "UPDATE contract_scan SET mark = 'x'",
    ):
        with pytest.raises(asyncpg.RaiseError):
            await execute(words)
    later = TODAY + timedelta(days=4_000)
    assert await forget_scans(ended_before=later) == 0
    await cancel(deal_id=scene.deal_id, reason="price", **scene.by(scene.buyer))
    assert await forget_scans(ended_before=TODAY - timedelta(days=9)) == 0
    assert await forget_scans(ended_before=later) == 1
    scan = (await scans_of(deal_id=scene.deal_id, organisation_id=scene.seller.organisation_id))[0]
    assert scan.files[0].is_gone
    assert len(scan.files[0].content_hash) == 64


async def test_pictures_are_drawn_anew_and_both_hashes_kept() -> None:
    one, two = await read_files([("1.jpg", page()), ("2.pdf", PDF)])
    assert (one.media_type, two.media_type) == ("image/webp", "application/pdf")
    assert one.content_hash != one.sent_hash
    assert two.content_hash == two.sent_hash
    with Image.open(io.BytesIO(one.content)) as picture:
        assert max(picture.size) == 2200


@pytest.mark.parametrize(
    "sent",
    [
        [],
        [("a.pdf", PDF)] * 2,
        [("a.pdf", b"MZ")],
        [("a.jpg", b"MZ")],
        [(f"{n}.pdf", PDF + bytes([n])) for n in range(7)],
        [("a.pdf", PDF + b" " * 8_000_000)],
    ],
    ids=["none", "the same twice", "no PDF", "no picture", "too many", "too large"],
)
async def test_files_that_do_not_fit_are_refused_at_their_field(sent: list[tuple[str, bytes]]) -> None:
    with pytest.raises(Invalid) as refused:
        await read_files(sent)
    assert list(refused.value.fields) == ["files"]


def test_mark_is_read_as_people_type_it() -> None:
    assert {plain_mark(each) for each in ("7c1e90ab", " 7C1E-90AB ", "7c1e 90ab", "7C1E—90AB")} == {
        "7C1E-90AB"
    }
    assert plain_mark("7CLE-9OAB") == "7C1E-90AB"


async def race(scene: Scene) -> list[str]:
    """Confirm, refuse and withdraw the same scan at once; return what each reached."""
    scan = await scene.presented(scene.seller)

    async def one(move: str) -> str:
        try:
            if move == "withdraw":
                return await scene.withdraw(scene.seller, scan)
            return await (scene.confirm if move == "confirm" else scene.refuse)(scene.buyer, scan)
        except (Conflict, Busy, asyncpg.PostgresError):
            return ""

    return [
        each for each in await at_once(one(move) for move in ("confirm", "refuse", "withdraw") * 2) if each
    ]


async def test_of_answers_at_once_one_counts(wide: Scene) -> None:
    reached = await race(wide)
    assert len(reached) == 1
    state, scans = await wide.states()
    assert scans == reached
    assert state == ("active" if reached == ["confirmed"] else "pending")


async def test_without_the_locks_several_count(wide: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof that the test above can fail: it sees what the locks prevent."""

    async def unlocked(sql: str, /, *values: object) -> list[asyncpg.Record]:
        rows = await fetch(sql.replace("FOR NO KEY UPDATE OF deal", "").replace("FOR UPDATE", ""), *values)
        await asyncio.sleep(0)
        return rows

    for module in (signing, operations):
        monkeypatch.setattr(module, "fetch", unlocked)
    assert len(await race(wide)) > 1
