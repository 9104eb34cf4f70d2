"""Inviting people: a link (or the same as a QR code) for one person, one place, one time."""

import secrets
from datetime import datetime, timedelta

import msgspec

from market.accounts import rules
from market.accounts.keeping import KEPT, most_to_give, organisation_kept_by, scope
from market.accounts.lifecycle import ACCEPTED, ACCOUNT_INVITATION, OPEN, REVOKED
from market.accounts.limits import count_try, network
from market.accounts.operations import NewPerson, register_person
from market.accounts.passwords import check_new_password, hash_password, verify_password
from market.accounts.rules import Actor, Viewer
from market.accounts.sessions import begin_session, sign_out
from market.accounts.signing_in import Opened
from market.audit.operations import record
from market.db.session import execute, fetch, fetch_into, fetch_row, transaction
from market.errors import Invalid, NotFound
from market.i18n import in_both, msg
from market.notices.operations import notify

#: A link opens so long.
INVITATION_DAYS = 7
LONGEST_NAME = 40
#: Links that were never given out, from one address in a quarter of an hour.
WRONG_LINKS = 30
#: Who has joined, or was to, is listed so long.
LISTED_DAYS = 30


class LinkGone(NotFound):
    """The link opens nothing (any more): wrong, used, revoked, replaced or too old. Which, is not told."""

    def __init__(self) -> None:
        super().__init__(msg("这个链接不对、已用过、已撤回或已过期。请联系邀请您的人，换一个新的。"))


class NewInvitation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    role: str
    name: str
    phone: str


class Given(msgspec.Struct, frozen=True):
    """What the inviter is shown, this once: the token is stored nowhere."""

    id: int
    token: str


class InvitationRow(msgspec.Struct, frozen=True):
    id: int
    organisation: int
    organisation_name: str
    organisation_name_en: str
    role: str
    name: str
    phone: str
    state: str
    inviter_name: str
    inviter_name_en: str
    invited_by_name: str
    invited_by_name_en: str
    created_at: datetime
    sent_at: datetime
    expires_at: datetime
    settled_at: datetime | None


_SELECT = """
SELECT account_invitation.id, account_invitation.organisation, organisation.name AS organisation_name,
       organisation.name_en AS organisation_name_en, account_invitation.role, account_invitation.name,
       account_invitation.phone, account_invitation.state, inviter.name AS inviter_name,
       inviter.name_en AS inviter_name_en, person.name AS invited_by_name,
       person.name_en AS invited_by_name_en, account_invitation.created_at, account_invitation.sent_at,
       account_invitation.expires_at, account_invitation.settled_at
FROM account_invitation JOIN organisation ON organisation.id = account_invitation.organisation
JOIN organisation AS inviter ON inviter.id = account_invitation.inviter
JOIN person ON person.id = account_invitation.invited_by """


async def invite(*, viewer: Viewer, organisation_id: int, invitation: NewInvitation, at: datetime) -> Given:
    """Invite one person into one role; whoever was invited to just that gets a new link instead.

    Raises:
        NotFound: the viewer does not look after the organisation.
        Invalid: with every field that is wrong.
    """
    token = secrets.token_urlsafe(24)
    async with transaction():
        await _stays(viewer)
        organisation = await organisation_kept_by(viewer, organisation_id=organisation_id)
        problems = {}
        if invitation.role not in organisation.roles(viewer):
            problems["role"] = msg("这个单位没有这个角色，或不由您来给。")
        elif (
            invitation.role == rules.MANAGER
            and await most_to_give(person_id=viewer.person_id, organisation_id=organisation_id) is not None
        ):
            problems["role"] = msg("您自己的审批有限额：新的采购经理请本单位管理员、镇里或县里来邀请。")
        if not rules.is_phone(invitation.phone):
            problems["phone"] = msg("手机号应是 11 位数字，以 1 开头。")
        if not 1 <= len(invitation.name.strip()) <= LONGEST_NAME:
            problems["name"] = msg("请写姓名，最多 {most} 个字。", most=LONGEST_NAME)
        if problems:
            raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
        rows = await fetch(
            """INSERT INTO account_invitation
                 (organisation, role, name, phone, token_hash, state, invited_by, inviter, created_at,
                  sent_at, expires_at)
               VALUES ($1, $2, $3, $4, $5, 'open', $6, $7, $8, $8, $9)
               ON CONFLICT (organisation, phone, role) WHERE state = 'open' DO UPDATE
               SET token_hash = excluded.token_hash, name = excluded.name, invited_by = excluded.invited_by,
                   inviter = excluded.inviter, sent_at = excluded.sent_at, expires_at = excluded.expires_at
               RETURNING id""",
            organisation_id,
            invitation.role,
            invitation.name.strip(),
            invitation.phone,
            rules.token_hash(token),
            viewer.person_id,
            viewer.organisation_id,
            at,
            at + timedelta(days=INVITATION_DAYS),
        )
        given = Given(int(rows[0]["id"]), token)
        await _noted(given.id, "invite", viewer, at, organisation=organisation_id, role=invitation.role)
    return given


async def renew_invitation(*, viewer: Viewer, invitation_id: int, at: datetime) -> Given:
    """Give out a new link, the viewer's own; whatever was given out before opens nothing any more.

    Raises:
        NotFound: there is none, or it is not the viewer's.
        WrongState: it has been used or revoked.
    """
    token = secrets.token_urlsafe(24)
    async with transaction():
        await _stays(viewer)
        await _move(invitation_id, "renew", viewer)
        await execute(
            """UPDATE account_invitation SET token_hash = $2, sent_at = $3, expires_at = $4, invited_by = $5,
                 inviter = $6 WHERE id = $1""",
            invitation_id,
            rules.token_hash(token),
            at,
            at + timedelta(days=INVITATION_DAYS),
            viewer.person_id,
            viewer.organisation_id,
        )
        await _noted(invitation_id, "renew", viewer, at)
    return Given(invitation_id, token)


async def revoke_invitation(*, viewer: Viewer, invitation_id: int, at: datetime) -> None:
    """Let the link open nothing any more.

    Raises:
        NotFound: there is none, or it is not the viewer's.
        WrongState: it has been used or revoked.
    """
    async with transaction():
        state = await _move(invitation_id, "revoke", viewer)
        await execute(
            "UPDATE account_invitation SET state = $2, settled_at = $3 WHERE id = $1",
            invitation_id,
            state,
            at,
        )
        await _noted(invitation_id, "revoke", viewer, at)


async def revoke_given_by(*, person_id: int, actor: Actor, at: datetime, home_id: int | None = None) -> None:
    """Let no link open anything any more that somebody gave out who looks after ``home_id``, or any place,
    no longer: whoever gave a link out may have kept it. Call it when the membership has gone.
    """
    async with transaction():
        for row in await fetch(
            """UPDATE account_invitation SET state = $3, settled_at = $4
               WHERE invited_by = $1 AND state = ANY($5) AND ($2::bigint IS NULL OR inviter = $2)
               RETURNING id""",
            person_id,
            home_id,
            REVOKED,
            at,
            sorted(ACCOUNT_INVITATION.sources("revoke")),
        ):
            await record(
                subject=f"account_invitation:{row['id']}", action="revoke", actor=actor, at=at, details={}
            )


async def _stays(viewer: Viewer) -> None:
    """Hold the viewer's place: who leaves at the same moment leaves no link behind."""
    if not await fetch(
        "SELECT id FROM membership WHERE person = $1 AND organisation = $2 ORDER BY id FOR SHARE",
        viewer.person_id,
        viewer.organisation_id,
    ):
        raise NotFound(msg("没有找到这个单位。"))


async def _move(invitation_id: int, move: str, viewer: Viewer) -> str:
    """Hold the invitation and return the state that ``move`` leads to."""
    row = await fetch_row(
        f"""SELECT account_invitation.state FROM account_invitation
            JOIN organisation ON organisation.id = account_invitation.organisation
            WHERE {KEPT} AND account_invitation.id = $4 FOR UPDATE OF account_invitation""",  # noqa: S608  words of ours; values are parameters
        *scope(viewer),
        invitation_id,
    )
    if row is None:
        raise NotFound(msg("没有找到这份邀请。"))
    return ACCOUNT_INVITATION.apply(move, state=row["state"], by="inviter")


async def _noted(invitation_id: int, action: str, viewer: Viewer, at: datetime, **details: object) -> None:
    await record(
        subject=f"account_invitation:{invitation_id}",
        action=action,
        actor=Actor(viewer.person_id, viewer.organisation_id, viewer.side),
        at=at,
        details=details,
    )


async def invitations_kept_by(viewer: Viewer, *, at: datetime) -> list[InvitationRow]:
    """Return the invitations into what the viewer looks after: the open ones, then lately settled."""
    return await fetch_into(
        InvitationRow,
        _SELECT
        + f"""WHERE {KEPT}
              AND (account_invitation.state = 'open' OR account_invitation.settled_at > $4)
              ORDER BY account_invitation.state <> 'open', account_invitation.sent_at DESC""",
        *scope(viewer),
        at - timedelta(days=LISTED_DAYS),
    )


async def invitation_kept_by(viewer: Viewer, *, invitation_id: int) -> InvitationRow:
    """Raises: NotFound."""
    rows = await fetch_into(
        InvitationRow, _SELECT + f"WHERE {KEPT} AND account_invitation.id = $4", *scope(viewer), invitation_id
    )
    if not rows:
        raise NotFound(msg("没有找到这份邀请。"))
    return rows[0]


async def invitation_by_link(*, token: str, address: str, at: datetime) -> InvitationRow:
    """Return what a link opens. To look uses nothing up: chat programs fetch every link for a preview.

    Raises:
        LinkGone: it opens nothing (any more).
        TooManyTries: this address has tried too many links that open nothing.
    """
    rows = await fetch_into(
        InvitationRow,
        _SELECT
        + """WHERE account_invitation.token_hash = $1 AND account_invitation.state = 'open'
             AND account_invitation.expires_at > $2""",
        rules.token_hash(token),
        at,
    )
    if not rows:
        await count_try(subject=f"link:{network(address)}", most=WRONG_LINKS, at=at)
        raise LinkGone
    return rows[0]


async def accept_invitation(
    *,
    token: str,
    name: str,
    phone: str,
    password: str,
    address: str,
    device: str,
    at: datetime,
    old_token: str | None = None,
) -> Opened:
    """Make the account, or give the one there is the new place, and sign in.

    Whoever holds the link must know the number that it was made for. A number that has an account already
    takes that account's password; the link alone never replaces one. Number and password that do not fit get
    one answer after one time.

    Raises:
        LinkGone: it opens nothing (any more).
        TooManyTries: this link, or this address, has been tried too often.
        Invalid: the number is another's, the password does not fit or may not be chosen.
    """
    invited = await invitation_by_link(token=token, address=address, at=at)
    await count_try(subject=f"join:{invited.id}", most=rules.TRIES_PER_ACCOUNT, at=at)
    check_new_password(password, phone=phone)
    person = await fetch_row(
        """SELECT id, password_hash, active,
                  EXISTS (SELECT FROM second_factor WHERE second_factor.person = person.id
                          AND confirmed_at IS NOT NULL) AS has_factor
           FROM person WHERE phone = $1""",
        invited.phone if phone == invited.phone else "",
    )
    known = person["password_hash"] if person else None
    if phone != invited.phone or known or (person and not person["active"]):
        right = await verify_password(password=password, stored=known)
        if not right or (person and not person["active"]):
            raise Invalid(msg("手机号与邀请的不一致，或者这个手机号已有账号而密码不对。"))
    hashed = known or await hash_password(password)
    async with transaction():
        # the phone's owner settles how the own name is written; an account that is there keeps its own
        person_id = await register_person(
            person=NewPerson(name=name, phone=phone, password_hash=hashed),
            organisation_id=invited.organisation,
            roles=frozenset({invited.role}),
            at=at,
        )
        await execute(
            "UPDATE person SET password_hash = $2 WHERE id = $1 AND password_hash IS NULL", person_id, hashed
        )
        settled = await fetch(
            """UPDATE account_invitation SET state = $4, person = $3, settled_at = $5
               WHERE id = $1 AND token_hash = $2 AND state = $6 RETURNING inviter""",
            invited.id,
            rules.token_hash(token),
            person_id,
            ACCEPTED,
            at,
            OPEN,
        )
        if not settled:
            raise LinkGone
        await notify(
            organisation_id=settled[0]["inviter"],
            kind="account_joined",
            message=msg(
                "{name} 已加入“{organisation}”。",
                name=name,
                organisation=in_both(invited.organisation_name, invited.organisation_name_en),
            ),
            link="/people",
            at=at,
        )
        await record(
            subject=f"account_invitation:{invited.id}",
            action="accept",
            actor=Actor(person_id, invited.organisation, "invited"),
            at=at,
            details={"role": invited.role, "account": "known" if known else "new"},
        )
        if old_token:
            await sign_out(token=old_token)
        awaits = "code" if person and person["has_factor"] else ""
        session = await begin_session(
            person_id=person_id, organisation_id=invited.organisation, device=device, at=at, awaits=awaits
        )
    return Opened(session, awaits)
