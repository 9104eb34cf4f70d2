"""Two towns with a thing of each kind, and the people who try to get at them.

The first town is the demonstration's, told to its end; a village of it (``seller``) and a chain
(``buyer``) have the things. Everybody else is a stranger to them: another village, another chain and
another town, the county, the media, a laboratory.
"""

import base64
import secrets
from datetime import timedelta
from typing import Any

import msgspec

from fixtures.factories import Factory, Member
from market import clock
from market.accounts.rules import KEEPING_ROLES, SIDES, token_hash
from market.db.session import execute, fetch, fetch_value, transaction
from market.deals.scans.queries import mark_in_force
from market.meetings.invitations.links import invitation_token, registration_token
from market.web.edge.assets import asset_path

#: The demonstration's town and one of its villages.
TOWN, SELLER = 1, 2
#: What the secret links end in that open somebody's place, and somebody's new password.
LINK = "a-token-that-somebody-made"


class Caller(msgspec.Struct, frozen=True):
    """Somebody with a session or a token. ``home``: of ``seller buyer town county``; of the others ""."""

    name: str
    person: int
    organisation: int
    roles: frozenset[str]
    home: str = ""
    keeps: bool = False
    is_suspended: bool = False
    #: The organisation let this person act for it, for nothing that has a name.
    delegation: int | None = None
    #: A token instead of a session: what it was made for.
    scopes: tuple[str, ...] | None = None

    @property
    def homes(self) -> frozenset[str]:
        """The organisations by which the table names this person, and its roles in them."""
        return frozenset({self.home} | {f"{self.home}/{role}" for role in self.roles})

    @property
    def says(self) -> frozenset[str]:
        """The sides and roles by which the table names this person."""
        sides = {SIDES[role] for role in self.roles}
        if self.home == "county" and "official" in sides:
            sides = sides - {"official"} | {"county"}
        keeps = self.delegation is None and (self.keeps or self.roles & KEEPING_ROLES)
        signed = {"signed", "all", "link"} | ({"keeper"} if keeps else set())
        return frozenset(sides | (self.roles - set(SIDES.values())) | signed)


class Scene(msgspec.Struct, frozen=True):
    callers: list[Caller]
    #: Name of a part of an address -> what stands there.
    things: dict[str, Any]


async def put(table: str, **given: Any) -> int:
    """Insert a row with what is ``given``, and something harmless wherever the table wants more."""
    wanted = await fetch(
        """SELECT column_name AS name, udt_name AS kind FROM information_schema.columns
           WHERE table_name = $1 AND is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO'""",
        table,
    )
    now, today = clock.now(), clock.today()
    harmless: dict[str, Any] = {
        "timestamptz": now,
        "date": today,
        "text": "示例",
        "int4": 1,
        "int8": 1,
        "jsonb": "{}",
        "bytea": b"",
    }
    row = {each["name"]: harmless[each["kind"]] for each in wanted if each["name"] not in given} | given
    if "expires_at" in row and "expires_at" not in given:
        row["expires_at"] = now + timedelta(days=3)
    names, places = ", ".join(f'"{name}"' for name in row), ", ".join(f"${n}" for n in range(1, len(row) + 1))
    return int(
        await fetch_value(f'INSERT INTO "{table}" ({names}) VALUES ({places}) RETURNING id', *row.values())
    )


async def session_of(caller: Caller) -> str:
    """Open a session (or make a token), without the slow password."""
    shown, now = secrets.token_urlsafe(), clock.now()
    if caller.scopes is not None:
        await put(
            "api_token",
            person=caller.person,
            organisation=caller.organisation,
            prefix="tt_123456",
            scopes=list(caller.scopes),
            token_hash=token_hash(shown),
            created_at=now,
        )
        return shown
    await put(
        "session",
        person=caller.person,
        organisation=caller.organisation,
        delegation=caller.delegation,
        token_hash=token_hash(shown),
        created_at=now,
        seen_at=now,
    )
    return shown


async def _with_role(organisation: int, role: str) -> int:
    return int(
        await fetch_value(
            "SELECT person FROM membership WHERE organisation = $1 AND role = $2", organisation, role
        )
    )


async def _callers(buyer: int) -> list[Caller]:
    factory = Factory(seed=7)

    async def stranger(name: str, role: str, kind: str | None = None, town: int | None = None) -> Caller:
        member: Member = await factory.member(role=role, kind=kind, town_id=town)
        # where nobody is named to look after an organisation, everybody in it does
        return Caller(name, member.person_id, member.organisation_id, frozenset({role}), keeps=True)

    async def known(name: str, organisation: int, role: str, home: str) -> Caller:
        person = await _with_role(organisation, role)
        return Caller(name, person, organisation, frozenset({role}), home)

    county = int(await fetch_value("SELECT id FROM organisation WHERE kind = 'county'"))
    official = await stranger("official of another town", "official")
    suspended = await stranger("buyer of a suspended chain", "buyer")
    await execute("UPDATE organisation SET standing = 'suspended' WHERE id = $1", suspended.organisation)
    laboratory = await stranger("laboratory", "administrator", "service")
    agent = await stranger("agent of the village", "secretary", None, official.organisation)
    now = clock.now()
    delegation = await put(
        "delegation",
        principal=SELLER,
        agent=agent.person,
        agent_organisation=agent.organisation,
        deeds=["list"],
        until=clock.today() + timedelta(days=9),
        consent="paper",
        sheet=b"RIFF",
        sheet_hash="a" * 64,
        granted_by=await _with_role(SELLER, "secretary"),
        granted_at=now,
    )
    secretary = await known("secretary", SELLER, "secretary", "seller")
    return [
        secretary,
        await known("buyer", buyer, "buyer", "buyer"),
        await known("manager", buyer, "manager", "buyer"),
        await known("official", TOWN, "official", "town"),
        await known("administrator", TOWN, "administrator", "town"),
        await known("county's official", county, "official", "county"),
        await known("verifier", county, "verifier", "county"),
        await known("auditor", county, "auditor", "county"),
        await stranger("secretary elsewhere", "secretary", None, official.organisation),
        await stranger("seller elsewhere", "seller", "cooperative", official.organisation),
        await stranger("buyer elsewhere", "buyer"),
        official,
        msgspec.structs.replace(suspended, is_suspended=True),
        await stranger("media", "administrator", "media"),
        laboratory,
        msgspec.structs.replace(
            agent,
            organisation=SELLER,
            home="seller",
            roles=secretary.roles,
            keeps=False,
            delegation=delegation,
        ),
        msgspec.structs.replace(secretary, name="token to read", scopes=("read",)),
        msgspec.structs.replace(secretary, name="token for stock", scopes=("read", "stock")),
    ]


async def _settlement(lot: int) -> int:
    """Money that came in for a lot, all of it one household's."""
    async with transaction():  # the whole is its parts at the end
        settlement = await put("settlement", lot=lot, pool=1, amount=1)
        await put("settlement_line", settlement=settlement, household="农户甲", grams=1, amount=1)
    return settlement


async def build() -> Scene:
    """Put what the demonstration lacks into the database; return who is there, and what."""
    now, today = clock.now(), clock.today()
    days = {"deliver_from": today, "deliver_to": today + timedelta(days=9)}
    deal, buyer = (
        await fetch("SELECT id, buyer FROM deal WHERE seller = $1 AND state = 'active' ORDER BY id", SELLER)
    )[-1].values()
    talk, meeting = (
        await fetch(
            "SELECT id, meeting FROM appointment WHERE seller = $1 AND buyer = $2 ORDER BY id LIMIT 1",
            SELLER,
            buyer,
        )
    )[0].values()
    demand, site = (
        await fetch(
            "SELECT id, site FROM demand WHERE buyer = $1 AND state = 'published' ORDER BY id LIMIT 1", buyer
        )
    )[0].values()
    listing, lot = (
        await fetch(
            "SELECT id, lot FROM listing WHERE owner = $1 AND state = 'published' ORDER BY id LIMIT 1", SELLER
        )
    )[0].values()
    match = await fetch_value("SELECT id FROM match WHERE seller = $1 AND state = 'proposed' LIMIT 1", SELLER)
    await execute(
        "UPDATE match SET buyer = $2, demand = $3, expires_at = $4 WHERE id = $1",
        match,
        buyer,
        demand,
        now + timedelta(days=3),
    )
    await execute("UPDATE demand SET open = quantity WHERE id = $1", demand)
    callers = await _callers(buyer)
    who = {caller.name: caller.person for caller in callers}
    price = {"quantity": 100_000, "price": 150}
    terms = await fetch_value("SELECT terms FROM contract_terms WHERE deal = $1 LIMIT 1", deal)
    in_the_open = await fetch_value(
        "SELECT max(id) FROM listing WHERE owner = $1 AND state = 'published'", SELLER
    )
    await execute(
        """UPDATE listing SET way = 'open', round = 1, opened_at = NULL, closes_at = $2, closes_latest = $2
           WHERE id = $1""",
        in_the_open,
        now + timedelta(days=1),
    )
    spell = await put("shelf_spell", site=site, seller=SELLER, produce="peanut", gone_on=today)
    frame = await put(
        "frame", seller=SELLER, buyer=buyer, produce="peanut", total=1_000_000, price=150, state="active",
        proposer=buyer, sites=[site], called=100_000,
        terms=terms, ends_on=today + timedelta(days=60), seller_signed_at=now, buyer_signed_at=now,
    )  # fmt: skip
    sealed = await fetch_value(
        "SELECT max(id) FROM listing WHERE owner <> $1 AND state = 'published' AND way <> 'open'", SELLER
    )
    await execute(
        "UPDATE listing SET way = 'sealed', round = 1, opened_at = NULL, closes_at = $2 WHERE id = $1",
        sealed,
        now + timedelta(days=1),
    )
    joint = await put("joint_offer", demand=demand, lead=SELLER, state="submitted", **days)
    breach = await put(
        "breach",
        deal=deal,
        claimant=buyer,
        respondent=SELLER,
        ground="late_delivery",
        state="filed",
        filed_at=now,
        offer="xxxx",
        offered_by=SELLER,
    )
    ending = await put(
        "contract_ending", deal=deal, kind="agreement", state="refused", proposer=buyer, reason="price"
    )
    filing = await put("verification", organisation=SELLER, filed_by=who["secretary"])
    helper = await put("person", name="帮手", phone="19900099997")
    await put("membership", person=helper, organisation=SELLER, role="seller")
    registration = await put("registration", meeting=meeting, side="buyer", state="pending")
    invitation = await fetch_value(
        "SELECT id FROM invitation WHERE meeting = $1 AND organisation = $2", meeting, SELLER
    )
    mark = await mark_in_force(deal_id=deal)
    scan = await put(
        "contract_scan", deal=deal, organisation=SELLER, mark=mark, state="waiting", presented_at=now
    )
    things: dict[str, Any] = {
        "contract_scan": scan,
        "today": clock.today().isoformat(),
        "invoice_id": await put(
            "invoice",
            deal=deal,
            issuer=SELLER,
            kind="plain",
            number="26372000000000000001",
            issued_on=clock.today(),
            amount=100,
            state="recorded",
            media_type="image/webp",
            content=b"RIFF",
        ),
        "contract_page": await put("contract_scan_file", scan=scan, media_type="image/webp", content=b"RIFF"),
        "terms_mark": mark,
        "pdf": b"%PDF-1.7",
        "pdf_file": {"name": "1.pdf", "content": base64.b64encode(b"%PDF-1.7").decode()},
        "pages": [{"name": "1.pdf", "content": base64.b64encode(b"%PDF-1.7").decode()}],
        "deal_id": deal,
        "listing_id": listing,
        "demand_id": demand,
        "lot_id": lot,
        "match_id": match,
        "meeting_id": meeting,
        "appointment_id": talk,
        "frame_id": frame,
        "joint_id": joint,
        "breach_id": breach,
        "organisation_id": SELLER,
        "person_id": helper,
        "share_id": await put(
            "joint_share", joint=joint, seller=SELLER, listing=listing, state="confirmed", **price
        ),
        "call_id": await put("call_off", frame=frame, site=site, state="requested", **price, **days),
        "evidence_id": await put("breach_evidence", breach=breach, organisation=buyer, image=b"RIFF"),
        "ending_id": ending,
        "proof_id": await put("ending_proof", ending=ending, organisation=buyer, image=b"RIFF"),
        "bid_id": await put("bid", listing=listing, buyer=buyer, state="submitted", **price, **days),
        "mark": "sealed-1",
        "open_bid_id": await put(
            "open_bid", listing=in_the_open, buyer=buyer, state="standing", **price, **days
        ),
        "approval_id": await put(
            "approval",
            organisation=buyer,
            deed="bid",
            asked_by=who["buyer"],
            state="waiting",
            request='{"about": {"text": "报价"}}',
            link=f"/listings/{listing}",
            subject=f"listing:{listing}",
        ),
        "delegation_id": await fetch_value("SELECT max(id) FROM delegation"),
        "invitation_id": await put(
            "account_invitation",
            organisation=SELLER,
            role="seller",
            phone="19900099999",
            token_hash=token_hash(LINK),
            state="open",
            invited_by=TOWN,
            inviter=who["official"],
        ),
        "token_id": await put(
            "api_token",
            person=who["secretary"],
            organisation=SELLER,
            prefix="tt_000000",
            token_hash=b"1",
            scopes=["read"],
        ),
        "session_id": await put("session", person=who["secretary"], organisation=SELLER, token_hash=b"2"),
        "storage_id": await put("storage", owner=SELLER, kind="tank", capacity=1_000_000),
        "settlement_id": await _settlement(lot),
        "channel_id": await put("channel", organisation=SELLER, address="https://example.org/"),
        "export_id": await put("data_export", person=who["secretary"], ready_at=now, content=b"{}"),
        "change_id": await put(
            "phone_change", person=who["secretary"], organisation=SELLER, phone="19900099998", state="asked"
        ),
        "paper_id": await put("verification_paper", filing=filing, media_type="image/webp"),
        "file_id": await put("bundle", meeting=meeting, form="pdf", papers="[]", content=b"%PDF"),
        "incident_id": await put(
            "incident",
            meeting=meeting,
            kind="late",
            details='{"change": {"kind": "late"}, "effects": {}, "steps": []}',
        ),
        "registration_id": registration,
        "row_id": await put("coverage", meeting=meeting),
        "spell_id": spell,
        "case_id": await fetch_value(
            """SELECT stuck_case.id FROM stuck_case JOIN listing ON listing.id = listing
               WHERE listing.owner = $1 LIMIT 1""",
            SELLER,
        ),
        "run_id": await fetch_value("SELECT max(id) FROM run"),
        "notice_id": await fetch_value("SELECT max(id) FROM notice WHERE organisation = $1", SELLER),
        "topic_id": await fetch_value("SELECT max(id) FROM topic WHERE appointment = $1", talk),
        "sample_id": await put("sample", appointment=talk, listing=listing, state="requested"),
        "follow_up_id": await fetch_value("SELECT max(id) FROM follow_up WHERE appointment = $1", talk),
        "delivery_id": await fetch_value("SELECT max(id) FROM delivery WHERE deal = $1", deal),
        "payment_id": await fetch_value("SELECT max(id) FROM payment WHERE deal = $1", deal),
        "arrival_id": await put(
            "arrival",
            delivery=await fetch_value("SELECT max(id) FROM delivery WHERE deal = $1", deal),
            state="withdrawn",
            media_type="application/pdf",
            content=b"%PDF",
        ),
        "receipt_id": await put(
            "receipt",
            payment=await fetch_value("SELECT max(id) FROM payment WHERE deal = $1", deal),
            amount=1,
            state="claimed",
        ),
        "scan_id": await fetch_value("SELECT max(id) FROM scan"),
        "about": demand,
        "version": await fetch_value("SELECT max(version) FROM contract_terms WHERE deal = $1", deal),
        "lot": lot,
        "code": "peanut",
        "deed": "confirm",
        "move": "withdraw",
        "token": LINK,
        "name": "none",
        "subject": f"deal:{deal}",
        "level": "town",
        "kind": "attendee",
        "path": "none",
        "in_the_open": in_the_open,
        "wanted": await fetch_value(
            """SELECT id FROM demand WHERE state = 'published' AND open > 0 AND produce IN
               (SELECT lot.produce FROM listing JOIN lot ON lot.id = lot
                WHERE listing.owner = $1 AND listing.state = 'published') ORDER BY id LIMIT 1""",
            SELLER,
        ),
        "asset": asset_path("app.css").removeprefix("/assets/"),
        "badge": await fetch_value("SELECT code FROM attendee ORDER BY id LIMIT 1"),
        "invited": invitation_token(invitation, 1),
        "registered": registration_token(registration),
        "verdict": "reject",
        "answer": "accept",
        "step": "answer",
        "task": "move",
    }
    await put("sealed_bid", mark="sealed-1", listing=sealed, buyer=buyer, state="sealed", **price, **days)
    await put("recovery", person=helper, code_hash=b"3", state="asked")
    await put(
        "recovery",
        person=who["secretary"],
        code_hash=b"4",
        state="granted",
        token_hash=token_hash(LINK),
        granted_by=who["official"],
        granted_at=now,
        proof="papers",
    )
    return Scene(callers, things)
