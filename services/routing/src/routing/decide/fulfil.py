"""What a node's word does to a parcel. Every command has an answer; a repeat has the same one."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256

import msgspec

from contracts.event import Event
from contracts.ids import derive_id
from routing.decide.asks import RefusedError
from routing.decide.contents import parcel_of
from routing.decide.steps import apply_action, conflict
from routing.decide.transitions import is_conflict, next_step
from routing.model.commands import (
    FINAL,
    Answer,
    Command,
    Heard,
    Hearing,
    Message,
    Remembered,
    Return,
    Verdict,
)
from routing.model.fulfilment import Decision, Order, Parcel


def message_id_of(command: Command) -> str:
    """Return a command's identity: a return's own id, else everything that it says."""
    if isinstance(command.details, Return):
        return derive_id("message", command.parcel_id, command.action, command.details.return_id)
    return derive_id("message", command.parcel_id, command.action, content_hash_of(command))


def content_hash_of(command: Command) -> str:
    """Return the SHA-256 of what a command says."""
    return sha256(msgspec.json.encode(command)).hexdigest()


def hear(commands: Sequence[Command], hearing: Hearing, now: datetime) -> Heard:
    """Judge commands one after the other; each sees what those before it did.

    A wrong attempt is fenced: kept, not applied. Illegal and invalid commands change nothing and
    are judged anew when they are repeated; what was judged for good is only answered again.
    """
    orders, remembered = dict(hearing.orders), dict(hearing.remembered)
    events: list[Event] = []
    answers: list[Answer] = []
    messages: dict[str, Message] = {}
    for command in commands:
        message_id, content_hash = message_id_of(command), content_hash_of(command)
        order = orders.get(hearing.order_ids.get(command.parcel_id, ""))
        answer = _recall(remembered.get(message_id), content_hash)
        if order is None:
            answer = Answer(Verdict.UNKNOWN, None, None, f"no parcel {command.parcel_id}")
        elif answer is None:
            order, follows, answer = judge(order, command, now)
            orders[order.order_id] = order
            events += follows
            remembered[message_id] = Remembered(content_hash, answer)
            messages[message_id] = Message(message_id, content_hash, command, answer)
        answers.append(answer)
    return Heard(
        Decision(tuple(orders.values()), tuple(events)), tuple(answers), tuple(messages.values())
    )


def judge(order: Order, command: Command, now: datetime) -> tuple[Order, tuple[Event, ...], Answer]:
    """Apply one command to its parcel, or say why not."""
    parcel = parcel_of(order, command.parcel_id)
    if command.attempt != parcel.attempt:
        detail = f"attempt {command.attempt} is not the parcel's attempt {parcel.attempt}"
        return order, (), _answer(Verdict.FENCED, parcel, detail)
    at = min(command.occurred_at or now, now)
    if is_conflict(command.action, parcel):
        applied = conflict(order, parcel, command, at)
        detail = f"shipped although the parcel was {parcel.negotiation}"
        return applied.order, applied.events, _answer(Verdict.CONFLICTED, applied.parcel, detail)
    execution = next_step(command.action, parcel)
    if execution is None:
        detail = f"cannot {command.action}: the parcel is {parcel.execution}, {parcel.negotiation}"
        return order, (), _answer(Verdict.ILLEGAL, parcel, detail)
    try:
        applied = apply_action(order, replace(parcel, execution=execution), command, at)
    except RefusedError as refused:
        return order, (), _answer(Verdict.INVALID, parcel, str(refused))
    return applied.order, applied.events, _answer(Verdict.APPLIED, applied.parcel)


def _recall(remembered: Remembered | None, content_hash: str) -> Answer | None:
    if remembered is None or remembered.answer.verdict not in FINAL:
        return None
    if remembered.content_hash != content_hash:
        detail = "the same id was used before with other content"
        return replace(remembered.answer, verdict=Verdict.REUSED, detail=detail)
    return remembered.answer


def _answer(verdict: Verdict, parcel: Parcel, detail: str = "") -> Answer:
    return Answer(verdict, parcel.execution, parcel.negotiation, detail)
