"""How an organisation comes to be trusted, and what waits for a purchasing manager."""

from datetime import date, timedelta

from market.accounts.rules import EXPIRED, FILED, REFUSED, SUSPENDED, UNVERIFIED, VERIFIED
from market.catalogue.rules import words_fault
from market.i18n import Message, msg
from market.transitions import Lifecycle, Move

#: ``member``: the organisation's own people; ``verifier``: the county. An unverified organisation may do
#: everything, and whoever deals with it is told; a suspended one binds itself to nothing new.
VERIFICATION = Lifecycle(
    "verification",
    Move("file", {UNVERIFIED, REFUSED, EXPIRED}, FILED, by={"member"}),
    Move("renew", {VERIFIED}, VERIFIED, by={"member"}),
    Move("verify", {UNVERIFIED, FILED, VERIFIED, REFUSED, EXPIRED}, VERIFIED, by={"verifier"}),
    Move("refuse", {UNVERIFIED, FILED, EXPIRED}, REFUSED, by={"verifier"}),
    Move("refuse_renewal", {VERIFIED}, VERIFIED, by={"verifier"}),
    Move("expire", {VERIFIED}, EXPIRED, by={"system"}),
    Move("suspend", {UNVERIFIED, FILED, VERIFIED, REFUSED, EXPIRED}, SUSPENDED, by={"verifier"}),
    Move("reinstate", {SUSPENDED}, UNVERIFIED, by={"verifier"}),
    Move("reinstate_verified", {SUSPENDED}, VERIFIED, by={"verifier"}),
    start=UNVERIFIED,
    labels={
        UNVERIFIED: msg("未核验"),
        FILED: msg("待核验"),
        VERIFIED: msg("已核验"),
        REFUSED: msg("核验未通过"),
        EXPIRED: msg("核验已过期"),
        SUSPENDED: msg("已暂停"),
    },
)

#: What a verifier can have checked; the badge names it.
CHECKS: dict[str, Message] = {
    "licence": msg("看过营业执照"),
    "register": msg("在国家企业信用信息公示系统查到"),
    "person": msg("核对过经办人身份"),
    "visit": msg("到现场看过"),
    "permit": msg("看过食品经营、生产许可"),
    "collective": msg("镇里确认是本村集体"),
}
REFUSALS: dict[str, Message] = {
    "unreadable": msg("材料看不清"),
    "incomplete": msg("材料不全"),
    "mismatch": msg("材料和登记的名称、代码对不上"),
    "not_found": msg("公示系统里查不到"),
    "lapsed": msg("执照已注销、吊销或过期"),
    "other": msg("其他原因"),
}
SUSPENSIONS: dict[str, Message] = {
    "complaints": msg("投诉较多，正在调查"),
    "fraud": msg("涉嫌虚假信息"),
    "safety": msg("食品安全问题"),
    "breach": msg("多次被认定违约"),
    "own_wish": msg("本单位自己要求"),
    "other": msg("其他原因"),
}

LONGEST_WORDS = 500
MOST_PAPERS = 6
#: A verification holds no longer than this.
MOST_DAYS = 3 * 366
#: The organisation is reminded so long before it expires.
REMIND_DAYS = 30


def filing_problems(words: str, papers: int) -> dict[str, Message]:
    """Return what is wrong with a filing of evidence."""
    problems: dict[str, Message] = {}
    if len(words) > LONGEST_WORDS:
        problems["words"] = msg("最多 {most} 个字。", most=LONGEST_WORDS)
    if not papers:
        problems["papers"] = msg("请至少上传一份材料，例如营业执照的照片或 PDF。")
    elif papers > MOST_PAPERS:
        problems["papers"] = msg("最多 {most} 个文件。", most=MOST_PAPERS)
    return problems


def verdict_problems(checked: tuple[str, ...], until: date, note: str, *, today: date) -> dict[str, Message]:
    """Return what is wrong with a verification as it is to be written down."""
    problems: dict[str, Message] = {}
    if not checked or set(checked) - CHECKS.keys():
        problems["checked"] = msg("请勾选核对过什么：这会显示给别人看。")
    if until <= today:
        problems["until"] = msg("有效期要晚于今天。")
    elif until > today + timedelta(days=MOST_DAYS):
        problems["until"] = msg("最长三年，到期再核验一次。")
    if len(note) > LONGEST_WORDS:
        problems["note"] = msg("最多 {most} 个字。", most=LONGEST_WORDS)
    return problems


def reason_problems(reason: str, note: str, reasons: dict[str, Message]) -> dict[str, Message]:
    """Return what is wrong with a coded reason and the word to it."""
    problems: dict[str, Message] = {}
    if reason not in reasons:
        problems["reason"] = msg("请选择原因，让对方知道为什么。")
    elif fault := words_fault(reason, note):
        problems["note"] = fault
    if len(note) > LONGEST_WORDS:
        problems["note"] = msg("最多 {most} 个字。", most=LONGEST_WORDS)
    return problems


WAITING, APPROVED = "waiting", "approved"
#: A deed of a buyer above its limit. Nothing binds before a purchasing manager of its own has approved it:
#: not the buyer, and by no silence the other side.
APPROVAL = Lifecycle(
    "approval",
    Move("approve", {WAITING}, APPROVED, by={"manager"}),
    Move("refuse", {WAITING}, REFUSED, by={"manager"}),
    Move("withdraw", {WAITING}, "withdrawn", by={"asker", "system"}),
    Move("expire", {WAITING}, EXPIRED, by={"system"}),
    start=WAITING,
    labels={
        WAITING: msg("待审批"),
        APPROVED: msg("已批准"),
        REFUSED: msg("未批准"),
        "withdrawn": msg("已撤回"),
        EXPIRED: msg("逾期未批"),
    },
)
#: Days that a manager has; nothing happens by itself after that.
APPROVAL_DAYS = 7
#: How the subject of an approval begins that nobody else may know of.
UNDER_SEAL = "sealed:"
APPROVAL_REFUSALS: dict[str, Message] = {
    "budget": msg("超出预算"),
    "price": msg("价格太高"),
    "quantity": msg("数量太多"),
    "supplier": msg("对方还要再了解"),
    "other": msg("其他原因"),
}
#: Fen: a limit above this is a slip of the pen.
MOST_LIMIT = 10_000_000_000_00


def limit_problem(limit: int | None) -> Message | None:
    """Return what is wrong with a limit in fen; None stands for any amount."""
    if limit is not None and not 0 < limit <= MOST_LIMIT:
        return msg("限额须大于零；不填就是不限。")
    return None
