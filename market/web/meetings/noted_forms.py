"""The forms of what is noted about a meeting: a report in the media, a line of its budget."""

from market import clock
from market.i18n import msg
from market.meanwhile import marks_of
from market.meetings.after.coverage import LONGEST_TITLE, LONGEST_URL, NewBudgetLine
from market.meetings.after.queries import BudgetRow
from market.web.parts import fields
from market.web.parts.changed_meanwhile import SEEN
from market.web.parts.forms import Filled, Form
from market.web.parts.trade import KEY, new_key


def coverage_form() -> Form:
    """Return the form of a report in the media; none is from the future."""
    return Form(
        outlet=fields.text(msg("媒体"), most=60, hint=msg("例如“辽宁日报”。")),
        title=fields.text(msg("报道标题"), most=LONGEST_TITLE),
        published_on=fields.day(msg("发布日期"), latest=clock.today()),
        url=fields.text(msg("链接"), most=LONGEST_URL, optional=True, hint=msg("从浏览器地址栏复制。")),
        key=KEY,
    )


BUDGET = Form(
    name=fields.text(msg("用途"), most=60, hint=msg("例如“搭棚”“午餐”。")),
    planned=fields.money(msg("预算")),
    spent=fields.money(msg("实际支出"), optional=True, hint=msg("还没花就留空。")),
    line_id=fields.hidden(int, optional=True),
    seen=SEEN,
    key=KEY,
)


def as_line(row: BudgetRow) -> NewBudgetLine:
    """Return a line of the budget as its form sends it."""
    return NewBudgetLine(row.name, row.planned, row.spent)


def line_form(row: BudgetRow) -> Filled:
    """Return the form of a line that there is, as it stands now."""
    return BUDGET.blank(
        name=row.name,
        planned=row.planned,
        spent=row.spent,
        line_id=row.id,
        seen=marks_of(as_line(row)),
        key=new_key(),
    )
