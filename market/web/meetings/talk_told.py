"""What the pages of a talk tell of its result: who said what, what counts, and who may set it right."""

import msgspec

from market.catalogue.rules import told_reason
from market.deals.taking_back import signed
from market.i18n import Language, Message, msg
from market.meetings.queries import AppointmentRow, MeetingRow
from market.meetings.rules import OUTCOMES
from market.meetings.talks.correcting import barred, counting
from market.meetings.talks.effects import bound_by
from market.meetings.talks.statements import (
    SettlementRow,
    StatementRow,
    disagree,
    disputed,
    replaced_statements,
    settlements_of,
    statements_of,
)
from market.web.meetings.talk_form import correction_form, result_again, sent_again, talk_form, usual_result
from market.web.parts import formats
from market.web.parts.forms import Filled
from market.web.parts.trade import name_in


class Told(msgspec.Struct, frozen=True):
    """How a talk's result stands. ``counts``: what counts; ``bar``: why nothing can be changed."""

    statements: list[StatementRow]
    replaced: list[StatementRow]
    settlements: list[SettlementRow]
    counts: StatementRow | None
    is_disputed: bool
    differ: bool
    bar: Message | None

    @property
    def seen(self) -> int:
        """The last statement that there is."""
        return max((each.id for each in self.statements), default=0)

    def of(self, organisation_id: int) -> StatementRow | None:
        return next((each for each in self.statements if each.organisation == organisation_id), None)


async def told_of_talk(meeting: MeetingRow, talk: AppointmentRow, *, side: str, organisation_id: int) -> Told:
    """Gather what one party's page of a talk tells."""
    statements = await statements_of(appointment_id=talk.id)
    settlements = await settlements_of(appointment_id=talk.id)
    bar = barred(
        side=side,
        organisation_id=organisation_id,
        meeting_state=meeting.state,
        statements=statements,
        settlements=settlements,
    )
    number = None if bar else await bound_by(appointment_id=talk.id)
    if number:
        bar = signed(number).message
    return Told(
        statements=statements,
        replaced=await replaced_statements(appointment_id=talk.id),
        settlements=settlements,
        counts=counting(statements, settlements),
        is_disputed=talk.id in await disputed(meeting_id=meeting.id, appointment_id=talk.id),
        differ=disagree(statements),
        bar=bar,
    )


class Forms(msgspec.Struct, frozen=True):
    """The forms on a talk's page. ``corrects``: the correction stands open."""

    form: Filled
    correction: Filled
    corrects: bool


async def forms_of(
    talk: AppointmentRow,
    language: Language,
    *,
    said: StatementRow | None,
    seen: int,
    form: Filled | None,
    correction: Filled | None,
    late: Filled | None,
) -> Forms:
    """Return the forms as they are drawn: those that came back with faults, else with what is known.

    ``said`` is what the reader would set right. ``late``: a result that came after another; what was typed
    stands in the correction.
    """
    if form is None:
        form = usual_result(await talk_form(talk, language), talk)
    if correction is None:
        empty = await correction_form(talk, language)
        correction = (
            sent_again(empty, late, seen=seen) if late else result_again(empty, talk, said, seen=seen)
        )
    return Forms(form, correction, late is not None or bool(correction.errors))


def reason_words(language: Language, row: AppointmentRow | StatementRow) -> str:
    """Return why nothing came of it: in the words beside the reason, where that asks for words."""
    return told_reason(name_in(language, row, "reason"), row.note)[0]


def was_quicker(told: Told, language: Language, *, with_person: bool) -> Message:
    """Return what somebody is told whose result came after another."""
    first = told.counts
    if first is None:
        return msg("这场洽谈已有记录，您填的没有记上。")
    who = name_in(language, first, "name")
    if with_person and first.recorded_by:
        who = f"{who} {first.recorded_by}"
    return msg(
        "{who}已在 {time} 记为“{result}”，您填的没有记上。要改，写上为什么更正，再提交一次。",
        who=who,
        time=formats.moment(first.created_at, language),
        result=OUTCOMES[first.outcome],
    )
