"""A contract of a joint offer that ends leaves a gap: the other sellers and the buyer are told of it."""

from datetime import datetime

from asyncpg import Record

from market.amounts import masses
from market.db.session import fetch
from market.deals import rules
from market.i18n import Message, msg, named
from market.notices.operations import Word, notify_all
from market.units import Gram

#: Contracts that bring no more goods than what was taken under them.
_OVER = frozenset({rules.CANCELLED, rules.TERMINATED})


async def tell_of_gap(*, deal: Record, state: str, grams: Gram, at: datetime) -> None:
    """Tell the others of the joint offer that ``deal`` (a row, in its new ``state``) belongs to.

    ``grams`` is what is missing by it now. Nothing happens where it belongs to none, or nothing is missing.
    """
    if deal["source"] != "joint" or grams <= 0:
        return
    # the offer is another room's: read, never written
    rows = await fetch(
        """SELECT joint_offer.id, joint_offer.number, other.seller, other.state, other.quantity,
                  own.name, own.name_en
           FROM joint_share JOIN joint_offer ON joint_offer.id = joint_share.joint
           JOIN organisation AS own ON own.id = joint_share.seller
           LEFT JOIN joint_share AS share ON share.joint = joint_offer.id AND share.id <> joint_share.id
           LEFT JOIN deal AS other ON other.id = share.deal
           WHERE joint_share.id = $1 ORDER BY share.id""",
        deal["source_id"],
    )
    standing = [row for row in rows if row["seller"] is not None and row["state"] not in _OVER]
    rest = Gram(sum(row["quantity"] for row in standing))
    number, name = str(rows[0]["number"]), named(rows[0], "name")
    link = f"/joint/{rows[0]['id']}"
    figures: dict[str, str | int | Message] = {
        "number": number,
        "name": name,
        "state": rules.CONTRACT.label(state),
        "mass": masses(grams),
        "rest": masses(rest),
    }
    for_seller = msg(
        "联合交货 {number} 不完整了：{name}的合同{state}，少了 {mass}，其余合起来 {rest}。您的合同照旧；"
        "还有货的可以再给这条需求报价补上，一起装车的请和买方商量。",
        **figures,
    )
    for_buyer = msg(
        "联合交货 {number} 不完整了：{name}的合同{state}，少了 {mass}，其余合起来 {rest}，合同照旧。"
        "可以请别家报价补上；不完整就不要的，可以取消还没有双方签字的各份。",
        **figures,
    )
    if not standing:
        for_buyer = msg(
            "联合交货 {number} 已没有有效的合同：{name}的合同{state}，少了 {mass}。可以请别家报价补上。",
            **figures,
        )
    kind = "joint_contract_gone"
    await notify_all(
        [Word(row["seller"], kind, for_seller, link, at) for row in standing]
        + [Word(deal["buyer"], kind, for_buyer, link, at)]
    )
