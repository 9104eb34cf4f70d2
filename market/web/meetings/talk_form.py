"""The form in which a talk's result is written down: for the town and for each of the two sides."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import msgspec
from litestar import Response

from market import clock
from market.accounts.rules import Actor
from market.catalogue.queries import reasons
from market.catalogue.rules import TALKS
from market.errors import Conflict, Invalid
from market.i18n import Language, Message, msg
from market.meetings.commands import Outcome, TopicResult
from market.meetings.queries import AppointmentRow, TopicRow
from market.meetings.rules import APPOINTMENT, OUTCOMES
from market.meetings.talks.correcting import LONGEST_WHY, correct_outcome
from market.meetings.talks.figures import LONGEST_NOTE, WITH_FIGURES
from market.meetings.talks.recording import Recorded, record_outcome
from market.meetings.talks.statements import StatementRow, statements_of
from market.transitions import WrongState
from market.units import FenPerKg, Gram
from market.web.parts import fields
from market.web.parts.forms import Filled, Form
from market.web.parts.trade import KEY, new_key

#: The meeting is on, or over: what was said can be written down.
RECORDABLE = frozenset({"in_progress", "closed"})


async def talk_form(talk: AppointmentRow, language: Language) -> Form:
    """Return the form of a talk's result: one tick, quantity and price for each thing talked of."""
    return Form(**await _questions(talk, language), key=KEY)


async def correction_form(talk: AppointmentRow, language: Language) -> Form:
    """Return the form in which a result is set right: the same, and why."""
    return Form(
        **await _questions(talk, language),
        why=fields.text(msg("为什么更正"), most=LONGEST_WHY, hint=msg("例如：点错了。双方都能看到。")),
        # the last statement that the page shows; longer numbers are nobody's
        seen=fields.hidden(lambda typed: int(typed[:18]), optional=True),
        key=KEY,
    )


async def _questions(talk: AppointmentRow, language: Language) -> dict[str, fields.Field]:
    # what was said of this very talk stays to be chosen, even where it would not be offered any more
    said = {each.reason for each in await statements_of(appointment_id=talk.id)}
    options: dict[str, Message | str] = {
        each.code: each.en if language == "en" else each.zh
        for each in await reasons()
        if not each.uses or TALKS in each.uses or each.code in said
    }
    topics: dict[str, fields.Field] = {}
    for topic in talk.topics:
        topics[f"take_{topic.id}"] = fields.tick(msg("谈成这一项"))
        topics[f"quantity_{topic.id}"] = fields.quantity(msg("数量"), optional=True)
        topics[f"price_{topic.id}"] = fields.price(msg("地头单价"), optional=True)
    return {
        "outcome": fields.choice(msg("洽谈结果"), OUTCOMES, chips=True),
        **topics,
        "sure": fields.tick(msg("数量和价格没有写错，就按这个数记")),
        "reason": fields.choice(
            msg("原因"),
            options,
            optional=True,
            hint=msg("没有结果时必选，双方都能看到，供改进。"),
            chips=True,
        ),
        "note": fields.text(msg("备注"), most=LONGEST_NOTE, lines=True, optional=True),
    }


def usual_result(form: Form, talk: AppointmentRow) -> Filled:
    """Return the form with the match's own quantity and price standing in it."""
    # where no match says what it is about, it is mostly the first thing
    meant = {topic.id for topic in talk.topics if topic.match is not None} or {
        topic.id for topic in talk.topics[:1]
    }
    values: dict[str, object] = {"key": new_key()}
    for topic in talk.topics:
        values[f"take_{topic.id}"] = topic.id in meant
        values[f"quantity_{topic.id}"] = _usual_quantity(topic)
        values[f"price_{topic.id}"] = FenPerKg(topic.proposed_price or topic.ask)
    return form.blank(**values)


def result_again(form: Form, talk: AppointmentRow, statement: StatementRow | None, *, seen: int) -> Filled:
    """Return the form of a correction with what ``statement`` says standing in it."""
    values: dict[str, object] = {"key": new_key(), "seen": str(seen)}
    said = {each.topic_id: each for each in statement.topics} if statement else {}
    meant = {*said, *(statement.samples if statement else ())} or {topic.id for topic in talk.topics[:1]}
    for topic in talk.topics:
        known = said.get(topic.id)
        values[f"take_{topic.id}"] = topic.id in meant
        values[f"quantity_{topic.id}"] = Gram(known.quantity) if known else _usual_quantity(topic)
        values[f"price_{topic.id}"] = FenPerKg(known.price if known else topic.proposed_price or topic.ask)
    if statement:
        values |= {"outcome": statement.outcome, "reason": statement.reason, "note": statement.note}
    return form.blank(**values)


def sent_again(form: Form, late: Filled, *, seen: int) -> Filled:
    """Return the form of a correction with what was typed into a result that came too late."""
    return Filled(form=form, typed={**late.typed, "key": [new_key()], "seen": [str(seen)]})


def _usual_quantity(topic: TopicRow) -> Gram | None:
    if topic.proposed:
        return Gram(topic.proposed)
    room = min(topic.remaining, topic.remaining if topic.demand_open is None else topic.demand_open)
    return Gram(room) if room > 0 else None


def outcome_of(values: Mapping[str, Any], talk: AppointmentRow) -> Outcome:
    """Return the command that a filled form stands for.

    Raises:
        Invalid: a ticked topic lacks its quantity or its price, or nothing is ticked that should be.
    """
    results, problems = [], {}
    samples: tuple[int, ...] = ()
    if values["outcome"] == "sample":
        samples = tuple(topic.id for topic in talk.topics if values[f"take_{topic.id}"])
    if values["outcome"] in WITH_FIGURES:
        for topic in talk.topics:
            if not values[f"take_{topic.id}"]:
                continue
            quantity, price = values[f"quantity_{topic.id}"], values[f"price_{topic.id}"]
            for name, value in ((f"quantity_{topic.id}", quantity), (f"price_{topic.id}", price)):
                if value is None:
                    problems[name] = msg("请填写这一项。")
            if quantity is not None and price is not None:
                results.append(TopicResult(topic.id, quantity, price))
    if problems:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
    return Outcome(values["outcome"], tuple(results), values["reason"], values["note"], samples)


async def record_from(filled: Filled, talk: AppointmentRow, actor: Actor) -> Recorded:
    """Write down what the form says for the organisation that ``actor`` acts for.

    Raises:
        Invalid, WrongState, Conflict: as ``recording.record_outcome``.
    """
    filled.check()
    return await record_outcome(
        appointment_id=talk.id,
        outcome=outcome_of(filled.values, talk),
        organisation_id=actor.organisation_id or 0,
        actor=actor,
        at=clock.now(),
        key=filled.values["key"],
        sure=filled.values["sure"],
    )


async def correct_from(filled: Filled, talk: AppointmentRow, actor: Actor) -> Recorded:
    """Set right what was recorded, as the form says.

    Raises:
        Invalid, Conflict: as ``correcting.correct_outcome``.
    """
    filled.check()
    return await correct_outcome(
        appointment_id=talk.id,
        outcome=outcome_of(filled.values, talk),
        why=filled.values["why"],
        seen=filled.values["seen"],
        organisation_id=actor.organisation_id or 0,
        actor=actor,
        at=clock.now(),
        key=filled.values["key"],
        sure=filled.values["sure"],
    )


class Draw(Protocol):
    """Draws a talk's page again: with the form of its result, of its correction, or of one that came late."""

    async def __call__(
        self,
        talk: AppointmentRow,
        *,
        form: Filled | None = None,
        correction: Filled | None = None,
        late: Filled | None = None,
        status: int = 200,
    ) -> Response[Any]: ...


async def record_or_draw(
    filled: Filled,
    talk: AppointmentRow,
    actor: Actor,
    *,
    draw: Draw,
    again: Callable[[], Awaitable[AppointmentRow]],
) -> Recorded | Response[Any]:
    """Write a result down; where that cannot be, return the page that says why, with all that was typed.

    ``again`` reads the talk anew.
    """
    try:
        return await record_from(filled, talk, actor)
    except Invalid as refused:
        return await draw(talk, form=filled.refused(refused), status=422)
    except WrongState:
        # somebody else has just written it down: what was typed here is not lost
        now = await again()
        if now.state != "held":
            # or it was called off meanwhile: that neither
            return await draw(now, form=kept_after(filled, Conflict(off(now))), status=409)
        return await draw(now, late=filled, status=409)
    except Conflict as refused:
        return await draw(talk, form=kept_after(filled, refused), status=409)


async def correct_or_draw(
    filled: Filled, talk: AppointmentRow, actor: Actor, *, draw: Draw
) -> Recorded | Response[Any]:
    """Set a result right; where that cannot be, return the page that says why, with all that was typed."""
    try:
        return await correct_from(filled, talk, actor)
    except Invalid as refused:
        return await draw(talk, correction=filled.refused(refused), status=422)
    except Conflict as refused:
        return await draw(talk, correction=kept_after(filled, refused), status=409)


def off(talk: AppointmentRow) -> Message:
    """Return what is said of a result that was sent for a talk without a place, or that nobody came to."""
    return msg(
        "这场洽谈现在是“{state}”，您填的没有记上。真的谈了，请镇里先把这场排回日程，再提交。",
        state=APPOINTMENT.label(talk.state),
    )


def kept_after(filled: Filled, refused: Conflict) -> Filled:
    """Something has changed meanwhile: what was typed stays, to be mended."""
    return msgspec.structs.replace(filled, errors={**filled.errors, "": refused.message})


def told_of(recorded: Recorded) -> Message:
    if recorded.deal_ids:
        return msg("已记录，生成 {n} 份合同，等双方签字。", n=len(recorded.deal_ids))
    return msg("已记录。")
