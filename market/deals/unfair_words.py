"""Words of a contract that read like an unfair or barred term, in Chinese and English. Pure.

Words are searched sentence by sentence. What a sentence rules out ("no listing fee", "进场费一律不收") is
left alone; a "not" that is about something else ("卖方不按时交货的，另付进场费") does not excuse it.
"""

import re
from collections.abc import Callable, Iterator
from unicodedata import normalize

import msgspec

#: The longest term of payment to a small firm, in days from receipt.
LONGEST_PAYMENT_DAYS = 60
#: More of the price than this is no deposit any more, in percent.
MOST_DEPOSIT_PERCENT = 20

_FEE = (
    "(?:进场|入场|进店|入店|条码(?:使用|服务)?|店内码|开户|节庆|店庆|年节|节日|庆典|周年庆|续签|续约|上架(?:服务)?"
    "|上市|新品(?:上架|进店|推广)?|开业|改造|翻新|装修|装饰|货架)费"
    "|合同费(?!用)|赞助(?:费|金|款)|(?:节庆|店庆|开业|周年庆)(?:活动)?赞助"
    r"|\b(?:slotting|listing|shelf|shelving|entry|entrance|bar-?\s?code|account[- ]opening|festival|holiday"
    r"|anniversary|opening|renovation|sponsorship|contract)\s+(?:fee|charge|allowance)s?\b"
)
_PROMOTION = (
    "促销(?:服务|活动)?费|堆头费|端架费|陈列费|海报费|推广费|返利|返点|返佣|扣点"
    r"|\b(?:promotion(?:al)?|display|advertising|marketing)\s+(?:service\s+)?(?:fee|charge|allowance)s?\b"
    r"|\brebates?\b"
)
_SOLD = (
    # not of "销售发票", "销售合同"
    "(?:(?:卖|售)(?:出|掉|完|罄)(?:去|了)?|销(?:完|出)"
    "|销售(?=[之以]?后|完|[0-9一二三四五六七八九十两]|回款|收入))[^,不]{0,10}?"
)
_PAY = "(?:(?<!交)付|结(?:算|账|清|款))"
_THEIRS = "(?:第三方|下家|下游|客户|终端|门店|总部|消费者|食堂|学校|总包)"
_PAY_WHEN_PAID = (
    f"背靠背|实销实结|先销后[结付]|销后[结付]|以销定结|{_SOLD}(?:后|再|才)[^,不]{{0,12}}?{_PAY}"
    f"|按(?:实际)?(?:销|售)(?:量|额|售量|售额|售数量)结"
    f"|(?:收到|待|等)[^,不]{{0,4}}?{_THEIRS}[^,不]{{0,10}}?款[^不]{{0,3}}?(?:后|再|才)[^不]{{0,10}}?{_PAY}"
    r"|\bpay[- ]when[- ]paid\b|\bback[- ]to[- ]back\b"
    r"|\b(?:pay|pays|paid|payment|payable|settled?|settlement)\b[^.;]{0,40}?\b(?:after|once|when|upon|until)\b"
    r"[^.;]{0,40}?\b(?:re-?sold|re-?sale|sold|sells|(?:end|final|its|own) customers?|third part(?:y|ies))\b"
)
_LEFT_OVER = (
    "(?:未能?(?:售|卖)(?:出|完|掉)|没有?(?:卖|售)(?:出|完|掉)|滞销|卖不(?:出|掉|完|动)"
    "|剩(?:余|下)?的?(?:货(?!款)|商品)|临期)"
)
_RETURNS = (
    f"{_LEFT_OVER}[^,不]{{0,12}}?退|退(?:还|回|货|掉)[^,不]{{0,6}}?{_LEFT_OVER}|无条件退换?货|代销|寄售"
    r"|\b(?:returns?|send back|take back)\b[^.;]{0,30}?\b(?:unsold|slow[- ]moving)\b"
    r"|\b(?:unsold|slow[- ]moving)\b[^.;]{0,40}?\breturn(?:ed|s)?\b|\bon consignment\b"
)
_PARTY = "(?:买方|卖方|采购方|供货方|供应商|零售商|商超|甲方|乙方)"
_ONE_SIDED = (
    f"最终解释权|解释权归{_PARTY}"
    f"|{_PARTY}[^,不]{{0,12}}?(?:单方面?|随时|自行|任意)[^,不]{{0,8}}?(?:调整|变更|修改|解除|终止|取消|调价|降价|降低(?:结算|供货|采购)?(?:价|单价|数量))"
    f"|{_PARTY}(?:有权|可以?)[^,不]{{0,10}}?(?:调整|变更|修改|降低|下调|调低|压低)(?:结算|供货|采购)?(?:价|单价|货款)"
    f"|(?:价格?|单价)(?:由|以){_PARTY}[^,不]{{0,8}}?(?:决定|确定|定价|为准)"
    "|(?:卖方|供货方|供应商|乙方)(?:对此)?(?:不得|无权|不能)(?:提出)?(?:任何)?异议"
    r"|\b(?:sole|absolute) discretion\b|\bunilateral(?:ly)?\b|\bfinal (?:right of )?interpretation\b"
    r"|\b(?:buyer|seller|retailer)\b[^.;,]{0,20}?\bat any time\b[^.;,]{0,20}?"
    r"\b(?:change|adjust|cancel|terminate|reduce|lower)"
    r"|\b(?:buyer|seller|retailer)\b[^.;,]{0,15}?\b(?:change|adjust|cancel|terminate|reduce|lower)\b[^.;,]{0,40}?"
    r"\bat any time\b"
)
#: What is agreed on by both is no right of one side.
_TOGETHER = re.compile(r"协商|商定|商议|双方|经(?:卖方|买方|对方)?(?:书面)?同意|\bboth\b|\bmutual", re.I)

_NUMBER = "(?:[0-9]{1,3}|[一二两三四五六七八九十百]{1,5})"
_UNIT = "个?(?P<u{0}>工作日|天|日|月|年)"
_SPANS = [f"(?P<n{at}>{_NUMBER}|半){_UNIT.format(at)}" for at in (1, 2)]
_PAID_IN = (
    "(?:账期|月结|(?:付款|结算|支付)(?:期限?|周期|时间))[^,不]{0,8}?"
    + _SPANS[0]
    + "|(?<!逾期)(?<!超过)"
    + _SPANS[1]
    + f"(?:之?内|以内|之?后)[^,不后]{{0,8}}?{_PAY}"
    + r"|\bnet\s+(?P<n3>[0-9]{2,3})\b"
    r"|\b(?:pay|pays|paid|payment|payable)\b[^.;,]{0,30}?\b(?P<n4>[0-9]{2,3})\s+(?:\w+\s+)?days?\b"
    r"|\b(?:has|have|within|after)\s+(?P<n5>[0-9]{2,3})\s+(?:\w+\s+)?days?[^.;,]{0,25}?\b(?:pay|paid|payment)\b"
)
#: Money that is no price: what is kept back for quality, and what a breach costs.
_OTHER_MONEY = re.compile(r"质保金|保证金|违约金|赔偿|\b(?:retention|penalty|damages|compensation)\b", re.I)
_DEPOSIT = (
    r"定金[^,不预付后]{0,10}?(?:(?P<p1>[0-9]{1,3})(?:\.[0-9]+)?\s*%|百分之(?P<p2>[一二两三四五六七八九十百]{1,5}))"
    r"|\b(?P<p3>[0-9]{1,3})(?:\.[0-9]+)?\s*%[^.;,]{0,20}?\bdeposit\b"
    r"|\bdeposit\b[^.;,]{0,20}?\b(?P<p4>[0-9]{1,3})(?:\.[0-9]+)?\s*%"
)


def _counted(text: str) -> int:
    """Return a number as it is written, in digits or Chinese up to 999; 0 where it is none."""
    if text.isdigit():
        return int(text)
    total = digit = 0
    for sign in text:
        if sign in "十百":
            total += (digit or 1) * (10 if sign == "十" else 100)
            digit = 0
        else:
            digit = "零一二三四五六七八九".find(sign.replace("两", "二"))
    return total + digit


def _is_long(found: re.Match[str]) -> bool:
    text = found.string
    clause = text[text.rfind(",", 0, found.start()) + 1 :].partition(",")[0]
    if _OTHER_MONEY.search(clause):
        return False
    given = {name: value for name, value in found.groupdict().items() if value}
    number = next(value for name, value in given.items() if name.startswith("n"))
    unit = next((value for name, value in given.items() if name.startswith("u")), "天")
    in_days = {"月": 30, "年": 365}.get(unit, 1)
    days = in_days // 2 if number == "半" else _counted(number) * in_days
    return days > LONGEST_PAYMENT_DAYS


def _is_high(found: re.Match[str]) -> bool:
    return _counted(next(each for each in found.groupdict().values() if each)) > MOST_DEPOSIT_PERCENT


class _Rule(msgspec.Struct, frozen=True):
    code: str
    pattern: re.Pattern[str]
    #: Whether what was found is what the rule means, where that takes more than the pattern.
    means: Callable[[re.Match[str]], bool] | None = None
    #: A word behind it may rule it out, as in "进场费一律不收".
    is_charge: bool = False


_RULES = (
    _Rule("fee", re.compile(_FEE, re.I), is_charge=True),
    _Rule("promotion", re.compile(_PROMOTION, re.I), is_charge=True),
    _Rule("pay_when_paid", re.compile(_PAY_WHEN_PAID, re.I)),
    _Rule("returns", re.compile(_RETURNS, re.I)),
    _Rule("one_sided_right", re.compile(_ONE_SIDED, re.I), lambda found: not _TOGETHER.search(found[0])),
    _Rule("long_payment", re.compile(_PAID_IN, re.I), _is_long),
    _Rule("high_deposit", re.compile(_DEPOSIT, re.I), _is_high),
)

_SENTENCES = re.compile(r"[。;!\n]+|\.(?=\s|$)")
#: "不" rules out what follows only where it goes with charging, paying, taking.
_NOT_BEFORE = re.compile(
    "(?:不|勿)[^,]{0,5}?(?:收(?!货)|付(?!运)|交(?![货付])|缴|承担|负担|要|设|存在|产生|另|含|包括|以|等|接受|实行|采用|允许"
    "|作为|得(?!低)|是|属|会|再|予)|免收|免除|免交|免缴|禁止|严禁|没有|未收|取消|杜绝|拒绝|并非|无[需须]|无(?:任何|其他|各类)?[^,]{0,3}$"
    r"|\b(?:no|not|never|without|nor|neither|waives?|prohibit\w*)\b|n't\b|\bfree of\b",
    re.I,
)
_NOT_AFTER = re.compile(
    "免收|全免|免除|不(?:得|再|予|会)?(?:向[^,]{0,4})?(?:另行)?(?:收|付|交|缴|承担)|为零|:无$|均无|取消|(?<![0-9])0元|由(?:买方|采购方|零售商)(?:自行)?(?:承担|负担)"
    r"|\bnot\b|\bnever\b|\bwaived\b|\bprohibited\b|\bborne by the (?:buyer|retailer)\b"
    r"|\bare nil\b|:\s*none\b",
    re.I,
)
#: "Beside X nothing is charged" charges X.
_BESIDE = re.compile(r"(?:除了?|\b(?:except|besides?|apart from|other than))[^,]{0,10}$", re.I)
_CONDITION = re.compile(r"^\s*(?:if|unless|when|where|should|in case)\b[^,]*,", re.I)
_CHARGE = f"(?:{_FEE}|{_PROMOTION})"
_LIST = re.compile(f"({_CHARGE})\\s*,\\s*(?=(?:和|及|以及|或|and |or )?{_CHARGE})", re.I)
_CJK = "\u4e00-\u9fff"


def _plain(text: str) -> str:
    """Return ``text`` as the rules read it: half-width, without gaps between characters, lists as such."""
    plain = re.sub(r"(?<=[0-9]),(?=[0-9]{3})", "", normalize("NFKC", text))
    plain = re.sub(f"(?<=[{_CJK}0-9])[ \t]+(?=[{_CJK}])|(?<=[{_CJK}])[ \t]+(?=[0-9])", "", plain)
    return _LIST.sub(r"\1、", plain)


def _is_ruled_out(rule: _Rule, sentence: str, found: re.Match[str]) -> bool:
    before, after = sentence[: found.start()], sentence[found.end() :]
    is_english = found[0].isascii()
    # in English a list has commas of its own; a condition in front says nothing of what is charged
    before = _CONDITION.sub("", before) if is_english else before.rpartition(",")[2]
    if _BESIDE.search(before):
        return False
    return bool(_NOT_BEFORE.search(before) or (rule.is_charge and _NOT_AFTER.search(after.partition(",")[0])))


def warned_of(text: str) -> Iterator[tuple[str, str]]:
    """Yield code and words of what reads unfair in ``text``, each rule once for a sentence."""
    for sentence in _SENTENCES.split(_plain(text)):
        for rule in _RULES:
            for found in rule.pattern.finditer(sentence):
                if (rule.means is None or rule.means(found)) and not _is_ruled_out(rule, sentence, found):
                    yield rule.code, found[0].strip()
                    break
