"""The record in words: what was done to what, with which figures. Pure."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import msgspec

from market.audit.looks import LOOK_REASONS
from market.i18n import Message, msg

#: Kind of subject (before the colon) -> its name.
SUBJECTS: dict[str, Message] = {
    "listing": msg("货源"),
    "lot": msg("批次"),
    "storage": msg("仓位"),
    "demand": msg("采购需求"),
    "bid": msg("出价"),
    "open_bid": msg("公开竞价"),
    "joint": msg("拼货"),
    "match": msg("撮合建议"),
    "run": msg("撮合"),
    "deal": msg("合同"),
    "breach": msg("违约"),
    "contacts": msg("合同联系人的号码"),
    "numbers": msg("到会人的号码"),
    "meeting": msg("对接会"),
    "appointment": msg("洽谈"),
    "case": msg("心病"),
    "organisation": msg("单位"),
    "person": msg("人员"),
    "account_invitation": msg("账号邀请"),
    "approval": msg("审批"),
    "retention": msg("到期删除"),
    "channel": msg("通知渠道"),
    "frame": msg("框架合同"),
    "shelf": msg("上架"),
}
#: What was done, as the record's code -> words.
ACTIONS: dict[str, Message] = {
    "accept": msg("接受"),
    "accept_part": msg("接受一部分"),
    "accept_tentatively": msg("答复可能参加"),
    "add_appointment": msg("加一场洽谈"),
    "add_coverage": msg("记一篇报道"),
    "add_member": msg("加一个人"),
    "add_stop": msg("加一站"),
    "admit": msg("接纳"),
    "adopt": msg("采用"),
    "agree": msg("同意"),
    "announce": msg("公告"),
    "answer": msg("答复"),
    "approve": msg("批准"),
    "arrive": msg("记到货"),
    "ask": msg("申请"),
    "ask_copy": msg("申请个人信息副本"),
    "ask_phone": msg("申请换手机号"),
    "ask_release": msg("请求放行"),
    "award": msg("定标"),
    "call": msg("按框架合同要货"),
    "call_off": msg("取消"),
    "cancel": msg("取消"),
    "cancel_settlement": msg("撤销结算"),
    "change": msg("改动"),
    "change_password": msg("改密码"),
    "check_in": msg("签到"),
    "choose_way": msg("选出售办法"),
    "climb": msg("上报一级"),
    "close": msg("结束"),
    "close_account": msg("注销账号"),
    "close_bidding": msg("截止竞价"),
    "complete": msg("履行完毕"),
    "conclude": msg("会议总结"),
    "confirm": msg("确认"),
    "confirm_phone": msg("核实新手机号"),
    "consent": msg("同意一项用途"),
    "correct": msg("更正数量"),
    "correct_name": msg("更正姓名"),
    "correct_result": msg("更正洽谈结果"),
    "counter": msg("还价"),
    "countersign": msg("会签，合同生效"),
    "decline": msg("谢绝"),
    "delegate": msg("委托"),
    "dismiss": msg("不予认定"),
    "dispatch": msg("发货"),
    "drop_route": msg("取消路线"),
    "end_member": msg("成员离开"),
    "evidence": msg("交证据"),
    "expire": msg("到期"),
    "expire_invitations": msg("逾期未答复"),
    "fail": msg("流标"),
    "feedback": msg("评价"),
    "fetch_copy": msg("取走个人信息副本"),
    "file": msg("提交"),
    "finish": msg("完成"),
    "finish_follow_up": msg("跟进完成"),
    "fix_appointment": msg("固定一场洽谈"),
    "follow_up": msg("跟进"),
    "forget": msg("按期删除"),
    "free_appointment": msg("放开一场洽谈"),
    "free_to_bid": msg("改为可以出价"),
    "hold": msg("暂存"),
    "invite": msg("邀请"),
    "lapse": msg("逾期"),
    "leave": msg("离场"),
    "give_back": msg("未交的数量退回框架协议"),
    "look_up": msg("查看完整号码"),
    "lose": msg("未中"),
    "make": msg("生成"),
    "mark_no_show": msg("记未到"),
    "mend_scan": msg("更正扫码"),
    "move": msg("移动"),
    "negotiate": msg("转为商谈"),
    "propose_end": msg("提议提前结束"),
    "agree_end": msg("同意了提前结束"),
    "refuse_end": msg("没有同意提前结束"),
    "withdraw_end": msg("撤回提前结束的提议"),
    "offer": msg("报价"),
    "open": msg("开启"),
    "open_bids": msg("开标"),
    "open_registration": msg("开放报名"),
    "pay": msg("付清"),
    "pay_part": msg("付一部分"),
    "confirm_receipt": msg("确认收到货款"),
    "dispute_receipt": msg("说货款没有收到"),
    "withdraw_receipt": msg("撤回记错的付款"),
    "place": msg("提出"),
    "place_counter": msg("提出还价"),
    "plan": msg("排桌"),
    "plan_route": msg("排路线"),
    "pool": msg("拼货"),
    "postpone": msg("延期"),
    "print_papers": msg("打印材料"),
    "prioritise": msg("加扶持"),
    "propose": msg("提出"),
    "propose_invitations": msg("拟定邀请"),
    "propose_route": msg("拟定路线"),
    "publish": msg("发布"),
    "note_capacity": msg("记产能"),
    "quote": msg("报一个价"),
    "revoke_delegation": msg("收回委托"),
    "raise": msg("加价"),
    "read_notice": msg("看过个人信息告知"),
    "receive": msg("收到"),
    "recheck": msg("复核"),
    "reconfirm": msg("再确认"),
    "refuse": msg("拒绝"),
    "refuse_phone": msg("新手机号没有核实成"),
    "refuse_registration": msg("婉拒报名"),
    "register": msg("登记"),
    "reject": msg("拒绝"),
    "release": msg("放行"),
    "remind": msg("提醒"),
    "remove_appointment": msg("去掉一场洽谈"),
    "remove_budget_line": msg("去掉一笔预算"),
    "remove_coverage": msg("去掉一篇报道"),
    "renew_link": msg("换新链接"),
    "reopen": msg("重新打开"),
    "reopen_registration": msg("重新开放报名"),
    "replan": msg("重新排桌"),
    "request_plan": msg("请求排桌"),
    "request_sample": msg("要样品"),
    "reset_password": msg("重设密码"),
    "respond": msg("答复邀请"),
    "restock": msg("补货"),
    "restore": msg("恢复"),
    "resume": msg("恢复"),
    "return": msg("退回"),
    "revise": msg("修改"),
    "revoke": msg("撤回"),
    "save_route": msg("保存路线"),
    "scan": msg("扫码"),
    "schedule_delivery": msg("安排发货"),
    "sell_out": msg("售完"),
    "send": msg("寄出"),
    "set_absences": msg("记不在的时段"),
    "set_attendees": msg("记到场的人"),
    "set_budget_line": msg("记一笔预算"),
    "set_capabilities": msg("调整资格"),
    "set_limit": msg("定限额"),
    "set_role": msg("定角色"),
    "set_timetable": msg("定时间表"),
    "settle": msg("结算"),
    "settle_result": msg("核定洽谈结果"),
    "sign": msg("签字"),
    "record_invoice": msg("记发票"),
    "reverse_invoice": msg("红冲发票"),
    "upload_scan": msg("上传合同扫描件"),
    "present_scan": msg("凭扫描件签字"),
    "dispute_scan": msg("对扫描件提出异议"),
    "outdate_scan": msg("扫描件不再作数"),
    "start": msg("开始"),
    "state": msg("陈述"),
    "submit": msg("提交"),
    "supersede": msg("被新的代替"),
    "suspend": msg("暂停"),
    "tell_route": msg("告知路线"),
    "terminate": msg("终止"),
    "transform": msg("加工"),
    "undo_replan": msg("撤回重排"),
    "unplace": msg("取消桌位"),
    "unsettle": msg("待再确认"),
    "verify": msg("核验"),
    "void": msg("作废"),
    "walk_in": msg("现场加入"),
    "win": msg("中标"),
    "wish": msg("说想见谁"),
    "withdraw": msg("撤回"),
    "withdraw_consent": msg("收回同意"),
    "withdraw_phone": msg("撤回换号申请"),
    "withdraw_registration": msg("撤回报名"),
    "entry": msg("记日志"),
    "charge": msg("定责任和期限"),
    "correction": msg("更正"),
    "visit": msg("跑市场、访客户"),
    "sample": msg("送样试销"),
    "terms": msg("调整价格或条件"),
    "product": msg("改进产品或包装"),
    "talk": msg("会商"),
    "other": msg("其他"),
    "opened": msg("立案"),
    "climbed": msg("升级"),
    "held_over": msg("再次上会"),
    "assigned": msg("明确责任和期限"),
    "decided": msg("联席会议定"),
    "closed": msg("销号"),
    "reopened": msg("重新立案"),
    "put": msg("上架"),
    "seen": msg("看到在架"),
    "gone": msg("看到已下架"),
}
#: Part of a code -> what it is about; the rest of the code is looked up by itself.
_PARTS: dict[str, Message] = {
    "scan": msg("扫描件"),
    "invoice": msg("发票"),
    "delivery": msg("交货"),
    "sample": msg("样品"),
    "case": msg("心病"),
    "share": msg("份额"),
    "terms": msg("条款"),
    "talk": msg("洽谈"),
}
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
GRAMS = frozenset({"grams", "quantity", "accepted", "loss", "min_order", "left", "remaining"})
PRICES = frozenset({"fen_per_kg", "price"})
MONEY = frozenset({"fen", "worth_fen", "fen_due_no_more"})


_TIME = re.compile(r"\d{4}-\d\d-\d\d($|T)")


class Said(msgspec.Struct, frozen=True):
    """One figure of a deed. ``unit``: grams, price, money, day, moment, list, or nothing."""

    label: Message | str
    value: Any
    unit: str = ""


def action_words(action: str) -> Message | None:
    """Return what a code of the record says, None where it is unknown here."""
    if action in ACTIONS:
        return ACTIONS[action]
    first, _, rest = action.partition("_")
    if first in _PARTS and rest in ACTIONS:
        return msg("{what}：{deed}", what=_PARTS[first], deed=ACTIONS[rest])
    rest, _, last = action.rpartition("_")
    if last in _PARTS and rest in ACTIONS:
        return msg("{what}：{deed}", what=_PARTS[last], deed=ACTIONS[rest])
    return None


def subject_words(subject: str) -> Message | str:
    """Return ``deal:17`` as people call it."""
    kind, _, number = subject.partition(":")
    if kind not in SUBJECTS or not number:
        return subject
    return msg("{kind} {number}", kind=SUBJECTS[kind], number=number)


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
