"""A purchase contract (农产品购销合同) as PDF and as a Word file: one content, set twice, in Chinese.

Whoever may see the contract may print it. What was not signed yet says so.
"""

from typing import Any

import msgspec

from market.catalogue.queries import grades, produce_by_code
from market.deals.clauses import Terms, price_of
from market.deals.endings.rules import HOW
from market.deals.queries import DealRow
from market.deals.rules import CANCELLED, TERMINATED
from market.deals.scans.rules import Printed, mark_of
from market.deals.terms import terms_in_force
from market.deals.wording import lines_of
from market.documents import word
from market.documents.figures import both_masses, both_prices, capitals, day, plain
from market.documents.typesetting import pdf
from market.i18n import translate
from market.units import Fen, FenPerKg, Gram, amount, yuan


class Party(msgspec.Struct, frozen=True):
    role: str
    name: str
    uscc: str
    #: Who signed in the application, and when; "" where nobody has.
    signed: str


class Contract(msgspec.Struct, frozen=True):
    """What the paper says: facts are (name, words)."""

    number: str
    made_on: str
    version: int
    #: What stands on every page of a contract that does not bind (any more), e.g. 已取消（2026年11月29日）.
    mark: str
    #: Ties the paper to these very terms; on every page.
    terms_mark: str
    parties: tuple[Party, Party]
    facts: list[tuple[str, str]]


async def contract_of(deal: DealRow) -> Contract:
    """Return the contract with the terms that are in force."""
    version, terms = await terms_in_force(deal_id=deal.id)
    produce = await produce_by_code(deal.produce)
    grade = next((each.zh for each in await grades() if each.level == deal.grade), "")
    goods = " · ".join(filter(None, [produce.zh if produce else deal.title, deal.variety, grade]))
    return Contract(
        number=deal.number,
        made_on=day(deal.created_at),
        version=version,
        mark=_mark(deal),
        terms_mark=mark_of(Printed(deal.number, deal.seller, deal.buyer, deal.quantity, deal.price), terms),
        parties=(
            Party("卖方（甲方）", deal.seller_name, deal.seller_uscc or "", _signed(deal, "seller")),
            Party("买方（乙方）", deal.buyer_name, deal.buyer_uscc or "", _signed(deal, "buyer")),
        ),
        facts=[*_goods(deal, goods, terms), *_clauses(deal, terms)],
    )


def _mark(deal: DealRow) -> str:
    """Say of a contract that was cancelled or terminated that it was, and when."""
    word_of = {CANCELLED: ("已取消", deal.dropped_at), TERMINATED: ("已终止", deal.terminated_at)}
    if deal.state not in word_of:
        return ""
    words, when = word_of[deal.state]
    how = HOW.get(deal.ended_how or "")
    if how is not None:
        words = f"{words}：{translate(how, 'zh')}"
    return f"{words}（{day(when)}）" if when else words


def _signed(deal: DealRow, side: str) -> str:
    when = getattr(deal, f"{side}_signed_at")
    if when is None:
        return ""
    how = "在线签字" if getattr(deal, f"{side}_scan") is None else "凭扫描件签署"
    return f"{getattr(deal, f'{side}_signer') or ''} {day(when)} {how}".strip()


def _goods(deal: DealRow, goods: str, terms: Terms) -> list[tuple[str, str]]:
    price = price_of(terms, FenPerKg(deal.price))
    total = amount(Gram(deal.quantity), price)
    facts = [
        ("品名、品种、等级", goods),
        ("原产地", deal.origin),
        ("数量", both_masses(deal.quantity)),
        ("单价", both_prices(price)),
        ("货款合计", f"{plain(yuan(Fen(total)), places=2, least=2)} 元"),
        ("货款大写", f"人民币{capitals(total)}"),
        ("交货时间", f"{day(terms.deliver_from)}至{day(terms.deliver_to)}"),
    ]
    return [(name, words) for name, words in facts if words]


def _clauses(deal: DealRow, terms: Terms) -> list[tuple[str, str]]:
    return [
        (translate(line.label, "zh"), "\n".join(translate(each, "zh") for each in line.words))
        for line in lines_of(terms, price=FenPerKg(deal.price))
    ]


def contract_pdf(contract: Contract) -> bytes:
    """Return the contract as PDF; call it in a thread."""
    return pdf("contract", msgspec.to_builtins(contract))


def contract_docx(contract: Contract) -> bytes:
    """Return the contract as a Word file that an office can go on writing in."""
    paper = word.new_paper(title=f"农产品购销合同 {contract.number}", size=11)
    if contract.mark:
        word.page_head(paper, f"本合同{contract.mark}")
    word.page_foot(paper, f"合同编号 {contract.number}　条款核对码 {contract.terms_mark}")
    word.paragraph(paper, "农产品购销合同", size=20, family=word.TITLE, align=word.CENTRE, after=4)
    word.paragraph(paper, _under(contract), size=9.5, align=word.CENTRE, after=8)
    for party in contract.parties:
        word.paragraph(paper, f"{party.role}：{party.name}", size=11)
        word.paragraph(paper, f"统一社会信用代码：{party.uscc or '＿' * 18}", size=10, after=4)
    word.paragraph(paper, _PREAMBLE, indent=True, after=6)
    clauses = word.table(paper, ("条款", "约定"), contract.facts, widths=(35, 135))
    # signatures never stand alone on a page: the last clauses go over with them
    word.keep_with_next(clauses, rows=_CLAUSES_BESIDE_SIGNATURES)
    copies = word.paragraph(paper, _COPIES, size=9.5, before=8, after=14)
    copies.paragraph_format.keep_with_next = True
    signs: Any = [
        (f"{party.role}（签字、盖章）", party.signed or "未在线签字", "日期：　　　年　　月　　日")
        for party in contract.parties
    ]
    signing = word.table(paper, ("签署", "在线签字", "签字盖章日期"), signs, widths=(60, 60, 50), height=18)
    word.keep_with_next(signing, rows=len(signs))
    return word.content_of(paper)


def _under(contract: Contract) -> str:
    version = f"　条款第 {contract.version} 版" if contract.version > 1 else ""
    return f"合同编号：{contract.number}　签订日期：{contract.made_on}{version}"


#: As in ``contract.typ``.
_CLAUSES_BESIDE_SIGNATURES = 3
_PREAMBLE = "双方平等自愿，就下列农产品的购销订立本合同，共同遵守。"
_COPIES = (
    "本合同一式两份，双方各执一份。由“田头”生成；镇政府只组织对接，不是合同一方。"
    "在纸上签字盖章的，可把扫描件传到合同页面，由对方确认；核对码见页脚。"
)
