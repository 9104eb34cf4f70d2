"""The database's answer to the one question of authorisation, in the transaction of the deed."""

from market.accounts import rules
from market.accounts.rules import Actor, Standing
from market.db.session import fetch, fetch_value
from market.errors import Conflict, NotAllowed
from market.i18n import msg


async def permit(
    *, actor: Actor, organisation_id: int, side: str, deed: str, other: int | None = None
) -> None:
    """Ask again what ``rules.require`` has asked when the page was opened: what holds now counts.

    Call it in the transaction of the deed. ``organisation_id`` is bound by the deed on ``side``; ``other``
    is the one that it deals with, where that is known.

    Raises:
        NotAllowed: the organisation is suspended or not able to, or the delegation does not hold any more.
        Conflict: the other organisation is suspended.
    """
    rows = await fetch(
        """SELECT organisation.kind, organisation.standing, organisation.granted, organisation.withheld,
                  (SELECT standing FROM organisation WHERE id = $4) AS other,
                  ($2::bigint IS NULL OR EXISTS (
                     SELECT FROM delegation WHERE delegation.id = $2 AND revoked_at IS NULL
                       AND principal = organisation.id AND $3 = ANY(deeds))) AS holds
           FROM organisation WHERE organisation.id = $1""",
        organisation_id,
        actor.delegation_id,
        deed,
        other,
    )
    row = rows[0]
    if not row["holds"]:
        raise _not_delegated()
    if row["other"] == rules.SUSPENDED:
        raise other_suspended()
    rules.allow(
        Standing(row["kind"], row["standing"], frozenset(row["granted"]), frozenset(row["withheld"])),
        side=side,
        deed=deed,
    )


async def permit_agent(*, actor: Actor, organisation_id: int, deed: str | None) -> None:
    """Ask of an agent alone what :func:`permit` asks of it: the organisation's own people may do it anyhow.

    ``deed``: None where it is never delegated.

    Raises:
        NotAllowed: the delegation does not hold any more, or does not name the deed.
    """
    if actor.delegation_id is None:
        return
    if not await fetch_value(
        """SELECT EXISTS (SELECT FROM delegation WHERE id = $1 AND revoked_at IS NULL AND principal = $2
                            AND $3 = ANY(deeds))""",
        actor.delegation_id,
        organisation_id,
        deed,
    ):
        raise _not_delegated()


def _not_delegated() -> NotAllowed:
    return NotAllowed(msg("这份委托已经撤销或不含这一项，没有办成。"))


def other_suspended() -> Conflict:
    """What is said where the other side may not bind itself."""
    return Conflict(msg("对方单位已被县里暂停，恢复之前不能再和它成交。"))


def party_suspended() -> Conflict:
    """What is said where one of both may not bind itself."""
    return Conflict(msg("双方中有一方已被县里暂停，恢复之前不能成交。"))


async def suspended_among(organisation_ids: list[int]) -> frozenset[int]:
    """Return those of the organisations that may not bind themselves now."""
    rows = await fetch(
        "SELECT id FROM organisation WHERE id = ANY($1) AND standing = $2",
        organisation_ids,
        rules.SUSPENDED,
    )
    return frozenset(row["id"] for row in rows)
