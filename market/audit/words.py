"""The record in words: the figures of a deed. What deeds are called: ``deeds``. Pure."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import msgspec

from market.amounts import masses
from market.audit.deeds import SUBJECTS, subject_words
from market.audit.looks import LOOK_REASONS
from market.i18n import Message, msg
from market.units import Gram

#: Figures of a deed -> their name; those that are not here stand under their code.
DETAILS: dict[str, Message] = {
    "accepted": msg("验收数量"),
    "account": msg("账号情况"),
    "address": msg("地址"),
    "again": msg("愿意再来"),
    "agreed": msg("同意的"),
    "answer": msg("怎么答复"),
    "arrival": msg("到货说明编号"),
    "asked_by": msg("谁申请"),
    "because": msg("缘由"),
    "before": msg("上一次"),
    "bidders": msg("几家出价"),
    "buyer": msg("买方"),
    "cancelled": msg("取消的"),
    "changed": msg("改了哪几项"),
    "characters": msg("几个字"),
    "deed": msg("办什么"),
    "deeds": msg("可以代办"),
    "delivery": msg("交货编号"),
    "drops_second_factor": msg("一并取消第二重验证"),
    "export": msg("副本编号"),
    "exports": msg("副本几份"),
    "fen": msg("金额"),
    "fen_per_kg": msg("单价"),
    "from": msg("从"),
    "grams": msg("数量"),
    "guests": msg("来宾几人"),
    "households_before": msg("原来几户"),
    "identical": msg("与原来一样"),
    "invitation": msg("邀请编号"),
    "kind": msg("类别"),
    "line": msg("预算编号"),
    "loss": msg("损耗"),
    "lots": msg("做成"),
    "most": msg("审批限额"),
    "name_kept": msg("姓名留存"),
    "names": msg("姓名几个"),
    "note": msg("说明"),
    "notices": msg("通知几条"),
    "organisation": msg("单位"),
    "pairs": msg("几对"),
    "paper": msg("委托书的指纹"),
    "parent": msg("上一轮"),
    "payment": msg("货款编号"),
    "people": msg("几人"),
    "person": msg("谁"),
    "persons": msg("几人"),
    "planned": msg("预算金额"),
    "price": msg("单价"),
    "process": msg("怎么加工"),
    "proofs": msg("证据照片几张"),
    "purpose": msg("用途"),
    "quantity": msg("数量"),
    "readings": msg("到访记录几条"),
    "reason": msg("原因"),
    "receipt": msg("付款编号"),
    "recovery": msg("重设申请编号"),
    "registration": msg("报名编号"),
    "registrations": msg("报名几份"),
    "result": msg("办成什么"),
    "role": msg("角色"),
    "scans": msg("扫码几次"),
    "scopes": msg("令牌能做的"),
    "seller": msg("卖方"),
    "share": msg("份额编号"),
    "sheets": msg("委托书几份"),
    "side": msg("哪一方"),
    "slot": msg("第几时段"),
    "spent": msg("实际花费"),
    "state": msg("状态"),
    "stated": msg("卖方说明过到货"),
    "statement": msg("记录编号"),
    "subject": msg("为哪一件"),
    "table": msg("桌号"),
    "to": msg("到"),
    "token": msg("令牌编号"),
    "topic": msg("议题编号"),
    "until": msg("到什么时候"),
    "version": msg("版本"),
    "was": msg("原来的结果"),
    "winners": msg("几家中标"),
    "worth_fen": msg("金额"),
    "above": msg("溢短装内多占用"),
    "about": msg("关于"),
    "attendee": msg("到会人编号"),
    "cause": msg("原因"),
    "checked": msg("核对"),
    "due_on": msg("期限"),
    "held_on": msg("日期"),
    "invited": msg("邀请几家"),
    "invitations": msg("邀请几家"),
    "left_out": msg("没排上"),
    "level": msg("级别"),
    "matches": msg("建议数"),
    "outcome": msg("结果"),
    "owner": msg("谁负责"),
    "sample": msg("样品编号"),
    "source": msg("来源"),
    "stops": msg("站数"),
    "talks": msg("洽谈数"),
    "told": msg("通知几家"),
    "visited": msg("到访几站"),
    "agent": msg("代办人"),
    "call": msg("第几批"),
    "change": msg("换号申请编号"),
    "closes_at": msg("到什么时候"),
    "coverage": msg("报道编号"),
    "county": msg("哪个县"),
    "days": msg("天数"),
    "delegation_id": msg("委托编号"),
    "dropped": msg("去掉几站"),
    "ended": msg("退出几台设备"),
    "evidence": msg("第几份证据"),
    "ending": msg("解除编号"),
    "event": msg("发生了什么"),
    "proof": msg("什么证明"),
    "deposit": msg("定金"),
    "fen_due_no_more": msg("不再应付"),
    "filing": msg("核验材料编号"),
    "granted": msg("给予的资格"),
    "ground": msg("违约情形"),
    "hash": msg("哈希"),
    "households": msg("户数"),
    "incident": msg("变动编号"),
    "invoice": msg("发票编号"),
    "number": msg("发票号码"),
    **dict.fromkeys(("file", "files"), msg("文件的指纹")),
    "sent": msg("原文件的指纹"),
    "scan": msg("扫描件编号"),
    "red": msg("红字发票"),
    "inputs": msg("输入的指纹"),
    "left": msg("剩余"),
    "min_order": msg("起订量"),
    "name": msg("名称"),
    "on": msg("日期"),
    "outlet": msg("媒体"),
    "papers": msg("材料的指纹"),
    "published_on": msg("发表日期"),
    "quote": msg("行情编号"),
    "remaining": msg("剩余"),
    "score": msg("分数"),
    "settlement": msg("结算编号"),
    "slots": msg("哪些时段"),
    "status": msg("结果"),
    "stop": msg("站"),
    "title": msg("标题"),
    "units": msg("几个"),
    "verdict": msg("样品评价"),
    "way": msg("怎么卖"),
    "withheld": msg("收回的资格"),
}
#: Figures that are the number of a thing -> its kind. Those whose code is the kind need no name beside it.
THINGS: dict[str, str] = {
    **{kind: kind for kind in ("bid", "breach", "deal", "demand", "frame", "listing", "lot", "meeting")},
    **dict.fromkeys(("deals", "cancelled"), "deal"),
    "parent": "bid",
    "before": "open_bid",
    **dict.fromkeys(("about", "buyer", "county", "organisation", "owner", "seller"), "organisation"),
    **dict.fromkeys(("agent", "asked_by", "person"), "person"),
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
MONEY = frozenset({"fen", "worth_fen", "fen_due_no_more", "most", "planned", "spent"})


_TIME = re.compile(r"\d{4}-\d\d-\d\d($|T)")


class Said(msgspec.Struct, frozen=True):
    """One figure of a deed. ``unit``: grams, price, money, day, moment, list, or nothing.

    ``label`` is empty where the value says by itself what it is.
    """

    label: Message | str
    value: Any
    unit: str = ""


class Known(msgspec.Struct, frozen=True):
    """Words that rooms have: of codes under one name, of further figures, and of things (``deal:17``)."""

    values: Mapping[str, Mapping[str, Message]] = {}
    #: Deed (``lot:correct``) -> its reasons: rooms have codes alike that mean different things.
    reasons: Mapping[str, Mapping[str, Message]] = {}
    labels: Mapping[str, Message] = {}
    names: Mapping[str, Message] = {}


def said(details: dict[str, Any], known: Known | None = None, *, deed: str = "") -> list[Said]:
    """Return the figures of a deed with their names, in the record's order; ``deed``: as in ``deed_of``."""
    known = known or Known()
    found = []
    for name, value in details.items():
        if value is None or value == "" or value == []:
            continue
        told = _things(THINGS.get(name), value, known)
        # what a thing is says the thing itself
        unnamed = known.labels.get(name, name) if told is None else ""
        if told is None:
            codes = {**VALUES, **known.values.get(name, {})}
            if name == "reason":
                codes |= known.reasons.get(deed, {})
            told = _made(value) if name == "lots" else _flat(value, codes, known)
        found.append(Said(DETAILS.get(name, unnamed), told, _unit(name, told)))
    return found


def deed_of(subject: str, action: str) -> str:
    """Return what was done to what kind of thing: ``lot:correct``."""
    return f"{subject.partition(':')[0]}:{action}"


def _things(kind: str | None, value: Any, known: Known) -> Any:
    """Return the number of a thing, or a list of them, as what they are; None where they are none."""
    if kind is None:
        return None
    if isinstance(value, list):
        return [_things(kind, each, known) or each for each in value]
    if type(value) is not int:
        return None
    thing = f"{kind}:{value}"
    return known.names.get(thing) or subject_words(thing)


def _made(lots: list[list[int]]) -> list[Message]:
    """Return what a transformation has made: lots, each with its grams."""
    return [
        msg("{lot}：{mass}", lot=Message(SUBJECTS["lot"].text, {"number": lot}), mass=masses(Gram(grams)))
        for lot, grams in lots
    ]


def _unit(name: str, value: Any) -> str:
    if isinstance(value, int):
        return "grams" if name in GRAMS else "price" if name in PRICES else "money" if name in MONEY else ""
    if isinstance(value, datetime):
        return "moment"
    return "day" if isinstance(value, date) else "list" if isinstance(value, list) else ""


def _flat(value: Any, codes: Mapping[str, Message], known: Known) -> Any:
    if isinstance(value, bool):
        return msg("是") if value else msg("否")
    if isinstance(value, list):
        return [_flat(each, codes, known) for each in value]
    if isinstance(value, dict):
        return [_things(THINGS.get(name), each, known) or f"{name} {each}" for name, each in value.items()]
    if not isinstance(value, str):
        return value
    return codes.get(value) or _time(value) or subject_words(value)


def _time(value: str) -> date | datetime | None:
    """Return a day or a moment that was written down as the record writes them."""
    if not _TIME.match(value):
        return None
    try:
        return date.fromisoformat(value) if len(value) == 10 else datetime.fromisoformat(value)
    except ValueError:
        return None
