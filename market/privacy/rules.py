"""The privacy notice, what one may agree to, how long things are kept, and a number's change. Pure.

Sources: the Personal Information Protection Law (PIPL) of 2021: articles 13 (grounds), 14 and 15 (consent
and its withdrawal), 16 (no service refused for want of a consent that it does not need), 17 (what people
are told), 44 to 47 (to know, copy, correct, delete); the E-Commerce Law, article 31 (records of a deal are
kept three years); the Civil Code, article 188 (claims lapse after three years).
"""

import msgspec

from market.i18n import Message, msg
from market.transitions import Lifecycle, Move

#: Raised with every change of :data:`NOTICE` or :data:`PURPOSES`: everybody is asked again.
VERSION = "2026-12"

#: The purpose by which the notice itself is acknowledged; no consent, only "I have read it".
NOTICE_READ = "notice"
CONTACT = "contact"


class Purpose(msgspec.Struct, frozen=True):
    """Something that needs a consent of its own."""

    label: Message
    told: Message
    #: What changes for whoever takes it back.
    without: Message


PURPOSES: dict[str, Purpose] = {
    CONTACT: Purpose(
        msg("签约后，让合同对方看到我的手机号"),
        msg("双方都签字以后，对方选了原因才能看到完整号码，每次查看都有记录，您在这里看得到。"),
        msg("对方只看到隐去中间四位的号码，有事要通过镇里联系您；已经签的合同照常履行。"),
    )
}


class Section(msgspec.Struct, frozen=True):
    title: Message
    lines: tuple[Message, ...]


#: What PIPL article 17 asks to be told, in plain words.
NOTICE: tuple[Section, ...] = (
    Section(
        msg("谁在用您的信息"),
        (
            msg(
                "运行本系统的镇、县政府部门是个人信息处理者。有问题先找邀请您的干部，页面上有他们单位的名称。"
            ),
        ),
    ),
    Section(
        msg("用哪些、做什么、凭什么"),
        (
            msg(
                "姓名、手机号、所在单位和角色：登录、签合同、排对接会。为履行合同和法定职责所必需，不另征同意（第十三条第二、三项）。"
            ),
            msg(
                "您做过的每一步（谁、何时、做了什么）：留痕，防篡改，出了纠纷能说清（第十三条第二、三项，电子商务法第三十一条）。"
            ),
            msg("登录时间和设备名称：防盗用。不记录位置，不做画像，不卖给任何人，撮合只看货不看人。"),
            msg("手机号给合同对方看：只有您同意才给（第十三条第一项），随时可以收回。"),
        ),
    ),
    Section(
        msg("给谁看、放在哪里"),
        (
            msg("同单位的人看得到您的姓名；合同双方看得到签字人的姓名；手机号平时只显示前三位和后四位。"),
            msg("数据都在本系统的服务器上，不出境。各样留多久，见下面的表；到期由系统自动删。"),
        ),
    ),
    Section(
        msg("您的权利"),
        (
            msg(
                "看和拿走：下载自己的全部信息。改：改姓名，换手机号。删：注销账号。收回同意。都在“我的信息”里办（第四十四至四十七条）。"
            ),
            msg(
                "不同意给对方看手机号，不影响您用本系统的任何一项（第十六条）。收回同意，以前做的仍然有效（第十五条）。"
            ),
            msg("觉得处理得不对，可以向县网信部门投诉。"),
        ),
    ),
)


class Period(msgspec.Struct, frozen=True):
    """How long one kind of thing is kept; ``days`` after what ``since`` says."""

    label: Message
    days: int
    since: Message
    why: Message


#: The one table of periods: the retention job, the page and docs/security.md follow it.
PERIODS: dict[str, Period] = {
    "tries": Period(msg("登录失败的次数"), 1, msg("最后一次"), msg("防猜密码")),
    "sessions": Period(msg("登录状态"), 14, msg("登录"), msg("到期要重新登录")),
    "notices": Period(msg("收到的通知"), 365, msg("发出"), msg("一季一收，隔年还要对照")),
    "readings": Period(msg("会场签到的扫码记录"), 180, msg("扫码"), msg("核对到会情况")),
    "guests": Period(msg("到会人的手机号、各家回复的留言"), 180, msg("会议结束"), msg("会后跟进到 180 天")),
    "notes": Period(
        msg("自己记的洽谈笔记"), 365, msg("会议结束"), msg("会后跟进到 180 天，隔年再谈还要对照")
    ),
    "words": Period(
        msg("洽谈结果、会后跟进、样品和评价里写的话，想见谁的留言"),
        3 * 365,
        msg("会议结束"),
        msg("民法典第一百八十八条：三年内还可能有争议；结果、数量和选项长期保留"),
    ),
    "registrations": Period(msg("公开报名人的姓名和手机号"), 180, msg("会议结束"), msg("会后跟进到 180 天")),
    "invitations": Period(msg("已了结的账号邀请里的姓名和手机号"), 90, msg("了结"), msg("万一要重发")),
    "sheets": Period(
        msg("农户委托书的照片"), 3 * 365, msg("委托结束"), msg("民法典第一百八十八条：三年内还可能有争议")
    ),
    "scans": Period(
        msg("纸质合同的扫描件、发票文件、到货签收单"),
        3 * 365,
        msg("合同结束"),
        msg("电子商务法第三十一条、民法典第一百八十八条；指纹长期保留"),
    ),
    "proofs": Period(
        msg("违约证据、不可抗力证明里的照片"),
        3 * 365,
        msg("合同结束，争议了结"),
        msg("民法典第一百八十八条：三年内还可能有争议；文字和指纹长期保留"),
    ),
    "exports": Period(msg("做好的个人信息文件"), 7, msg("做好"), msg("等本人来取，取走即删")),
    "names": Period(
        msg("已注销的签字人的姓名"),
        3 * 365,
        msg("最后一份合同结束"),
        msg("电子商务法第三十一条、民法典第一百八十八条"),
    ),
}

ASKED, CONFIRMED, REFUSED, WITHDRAWN = "asked", "confirmed", "refused", "withdrawn"
PHONE_CHANGE = Lifecycle(
    "phone_change",
    Move("confirm", {ASKED}, CONFIRMED, by={"keeper"}),
    Move("refuse", {ASKED}, REFUSED, by={"keeper"}),
    Move("withdraw", {ASKED}, WITHDRAWN, by={"owner"}),
    start=ASKED,
    labels={
        ASKED: msg("等干部打电话核实"),
        CONFIRMED: msg("已换成新号码"),
        REFUSED: msg("没有核实成"),
        WITHDRAWN: msg("已撤回"),
    },
)

#: What stands in the place of the name of somebody who has left.
GONE = "已注销的用户"
GONE_EN = "Former user"
