"""The record in words: the figures of a deed. What deeds are called: ``deeds``. Pure."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import msgspec

from market.audit.deeds import subject_words
from market.audit.looks import LOOK_REASONS
from market.i18n import Message, msg

#: Figures of a deed -> their name; those that are not here stand under their code.
DETAILS: dict[str, Message] = {
    "accepted": msg("验收数量"),
    "agreed": msg("同意的"),
    "answer": msg("答复"),
    "bid": msg("出价"),
    "buyer": msg("买方编号"),
    "deal": msg("合同"),
    "delivery": msg("交货"),
    "demand": msg("采购需求"),
    "fen": msg("金额"),
    "fen_per_kg": msg("单价"),
    "from": msg("从"),
    "grams": msg("数量"),
    "kind": msg("类别"),
    "listing": msg("货源"),
    "loss": msg("损耗"),
    "lot": msg("批次"),
    "note": msg("说明"),
    "organisation": msg("单位编号"),
    "payment": msg("付款"),
    "people": msg("人数"),
    "persons": msg("人数"),
    "price": msg("单价"),
    "purpose": msg("用途"),
    "quantity": msg("数量"),
    "reason": msg("原因"),
    "role": msg("角色"),
    "seller": msg("卖方编号"),
    "side": msg("哪一方"),
    "slot": msg("时段"),
    "state": msg("状态"),
    "table": msg("桌号"),
    "to": msg("到"),
    "until": msg("截止"),
    "version": msg("版本"),
    "worth_fen": msg("金额"),
    "above": msg("溢短装内多占用"),
    "about": msg("关于"),
    "attendee": msg("到会人"),
    "cause": msg("原因"),
    "checked": msg("核对"),
    "deals": msg("合同数"),
    "due_on": msg("期限"),
    "held_on": msg("日期"),
    "invited": msg("邀请几家"),
    "invitations": msg("邀请几家"),
    "left_out": msg("没排上"),
    "level": msg("级别"),
    "matches": msg("建议数"),
    "outcome": msg("结果"),
    "owner": msg("责任单位编号"),
    "sample": msg("样品"),
    "source": msg("来源"),
    "stops": msg("站数"),
    "talks": msg("洽谈数"),
    "told": msg("通知几家"),
    "visited": msg("到访几站"),
    "agent": msg("代办人编号"),
    "breach": msg("违约案编号"),
    "call": msg("第几批"),
    "change": msg("换号申请"),
    "closes_at": msg("截止"),
    "coverage": msg("报道"),
    "county": msg("所属县编号"),
    "days": msg("天数"),
    "delegation_id": msg("委托"),
    "dropped": msg("去掉几站"),
    "ended": msg("退出几台设备"),
    "evidence": msg("证据"),
    "ending": msg("解除"),
    "event": msg("发生了什么"),
    "proof": msg("第几份证明"),
    "deposit": msg("定金"),
    "fen_due_no_more": msg("不再应付"),
    "filing": msg("材料"),
    "frame": msg("框架合同"),
    "granted": msg("给予的资格"),
    "ground": msg("违约情形"),
    "hash": msg("哈希"),
    "households": msg("户数"),
    "incident": msg("变动"),
    "invoice": msg("发票"),
    "number": msg("号码"),
    **dict.fromkeys(("file", "files"), msg("文件的指纹")),
    "sent": msg("原文件的指纹"),
    "scan": msg("扫描件"),
    "red": msg("红字发票"),
    "inputs": msg("输入的指纹"),
    "left": msg("剩余"),
    "meeting": msg("对接会"),
    "min_order": msg("起订量"),
    "name": msg("名称"),
    "on": msg("日期"),
    "outlet": msg("媒体"),
    "papers": msg("材料的指纹"),
    "quote": msg("报价"),
    "remaining": msg("剩余"),
    "score": msg("分数"),
    "settlement": msg("结算"),
    "slots": msg("时段"),
    "status": msg("结果"),
    "stop": msg("站"),
    "title": msg("标题"),
    "units": msg("几个"),
    "verdict": msg("评价"),
    "way": msg("怎么卖"),
    "withheld": msg("收回的资格"),
}
#: Codes that stand as values of many deeds.
VALUES: dict[str, Message] = {
    "seller": msg("卖方"),
    "buyer": msg("买方"),
    "official": msg("镇里"),
    "village": msg("村级"),
    "town": msg("镇级"),
    "county": msg("县级"),
    "city": msg("市级"),
    "must": msg("一定要见"),
    "want": msg("想见"),
    "may": msg("可以见"),
    "never": msg("不见"),
    "pending": msg("待签约"),
    "partly_signed": msg("一方已签"),
    "active": msg("履约中"),
    "completed": msg("已完成"),
    "terminated": msg("已终止"),
    "cancelled": msg("已取消"),
    "confirmed": msg("已确认"),
    "contact": msg("签约后，让合同对方看到我的手机号"),
    **LOOK_REASONS,
}
#: Which figures are grams, fen per kg and fen.
GRAMS = frozenset({"above", "grams", "quantity", "accepted", "loss", "min_order", "left", "remaining"})
PRICES = frozenset({"fen_per_kg", "price"})
MONEY = frozenset({"fen", "worth_fen", "fen_due_no_more"})


_TIME = re.compile(r"\d{4}-\d\d-\d\d($|T)")


class Said(msgspec.Struct, frozen=True):
    """One figure of a deed. ``unit``: grams, price, money, day, moment, list, or nothing."""

    label: Message | str
    value: Any
    unit: str = ""


def said(details: dict[str, Any], values: Mapping[str, Mapping[str, Message]] | None = None) -> list[Said]:
    """Return the figures of a deed with their names, in the record's order.

    ``values`` are the words of the codes that stand under one name: the rooms have them.
    """
    found = []
    for name, value in details.items():
        if value is None or value == "":
            continue
        told = _flat(value, {**VALUES, **(values or {}).get(name, {})})
        found.append(Said(DETAILS.get(name, name), told, _unit(name, told)))
    return found


def _unit(name: str, value: Any) -> str:
    if isinstance(value, int):
        return "grams" if name in GRAMS else "price" if name in PRICES else "money" if name in MONEY else ""
    if isinstance(value, datetime):
        return "moment"
    return "day" if isinstance(value, date) else "list" if isinstance(value, list) else ""


def _flat(value: Any, known: Mapping[str, Message]) -> Any:
    if isinstance(value, bool):
        return msg("是") if value else msg("否")
    if isinstance(value, list):
        return [_flat(each, known) for each in value]
    if isinstance(value, dict):
        return "；".join(f"{name} {each}" for name, each in value.items())
    if not isinstance(value, str):
        return value
    return known.get(value) or _time(value) or subject_words(value)


def _time(value: str) -> date | datetime | None:
    """Return a day or a moment that was written down as the record writes them."""
    if not _TIME.match(value):
        return None
    try:
        return date.fromisoformat(value) if len(value) == 10 else datetime.fromisoformat(value)
    except ValueError:
        return None
