"""HTTP in: what nodes do with parcels, one at a time or hundreds at once."""

from collections.abc import Sequence
from datetime import datetime

from fastapi import APIRouter

from backbone import Outcome, Transaction
from routing.api.bodies import (
    AcceptBody,
    BulkBody,
    CancelAnswerBody,
    CommandBody,
    DeliverBody,
    PackBody,
    PickBody,
    RejectBody,
    ReturnBody,
    ShipBody,
    StartPickBody,
)
from routing.api.views import AnswerView, BulkAnswerView, BulkView
from routing.decide.changes import changes_of
from routing.decide.fulfil import hear, message_id_of
from routing.decide.route import route, wants_plan
from routing.model.commands import Action, Answer, Command, Hearing, Verdict
from routing.store import changes, messages, orders, prospect, reference
from runtime.api import Conflict, Invalid, NotFound, Perform, Problem, StrictRoute, responses
from runtime.fields import Id

router = APIRouter(route_class=StrictRoute, tags=["nodes"], responses=responses(404, 409, 422))

STATUS = {
    Verdict.APPLIED: 200,
    Verdict.CONFLICTED: 200,
    Verdict.FENCED: 409,
    Verdict.ILLEGAL: 409,
    Verdict.REUSED: 409,
    Verdict.INVALID: 422,
    Verdict.UNKNOWN: 404,
}


@router.post("/parcels/bulk")
async def post_bulk(body: BulkBody, perform: Perform) -> BulkView:
    """Apply up to 500 commands in order, in one transaction; each succeeds or fails by itself."""
    commands = [item.command(item.parcel_id, Action(item.action)) for item in body.commands]
    answers = await _perform(perform, commands)
    return BulkView(
        results=[
            _result(command, answer) for command, answer in zip(commands, answers, strict=True)
        ]
    )


@router.post("/parcels/{parcel_id}/accept")
async def post_accept(parcel_id: Id, body: AcceptBody, perform: Perform) -> AnswerView:
    """Take the work."""
    return await _say(perform, parcel_id, Action.ACCEPT, body)


@router.post("/parcels/{parcel_id}/reject")
async def post_reject(parcel_id: Id, body: RejectBody, perform: Perform) -> AnswerView:
    """Refuse the work; it goes elsewhere and never comes back here for this order."""
    return await _say(perform, parcel_id, Action.REJECT, body)


@router.post("/parcels/{parcel_id}/start-pick")
async def post_start_pick(parcel_id: Id, body: StartPickBody, perform: Perform) -> AnswerView:
    """Begin to pick."""
    return await _say(perform, parcel_id, Action.START_PICK, body)


@router.post("/parcels/{parcel_id}/pick")
async def post_pick(parcel_id: Id, body: PickBody, perform: Perform) -> AnswerView:
    """Finish picking; what was not found is planned again elsewhere."""
    return await _say(perform, parcel_id, Action.PICK, body)


@router.post("/parcels/{parcel_id}/pack")
async def post_pack(parcel_id: Id, body: PackBody, perform: Perform) -> AnswerView:
    """Close the parcel; it can no longer be cancelled."""
    return await _say(perform, parcel_id, Action.PACK, body)


@router.post("/parcels/{parcel_id}/ship")
async def post_ship(parcel_id: Id, body: ShipBody, perform: Perform) -> AnswerView:
    """Hand over to the carrier. A parcel that was taken from the node is recorded as a conflict."""
    return await _say(perform, parcel_id, Action.SHIP, body)


@router.post("/parcels/{parcel_id}/deliver")
async def post_deliver(parcel_id: Id, body: DeliverBody, perform: Perform) -> AnswerView:
    """Say that the consumer has it."""
    return await _say(perform, parcel_id, Action.DELIVER, body)


@router.post("/parcels/{parcel_id}/return")
async def post_return(parcel_id: Id, body: ReturnBody, perform: Perform) -> AnswerView:
    """Receive and grade units that came back, at any node."""
    return await _say(perform, parcel_id, Action.RETURN, body)


@router.post("/parcels/{parcel_id}/cancel-answer")
async def post_cancel_answer(parcel_id: Id, body: CancelAnswerBody, perform: Perform) -> AnswerView:
    """Answer whether units are taken out of work that has begun."""
    return await _say(perform, parcel_id, Action.ANSWER_CANCEL, body)


async def _say(perform: Perform, parcel_id: str, action: Action, body: CommandBody) -> AnswerView:
    command = body.command(parcel_id, action)
    (answer,) = await _perform(perform, [command])
    # Raised after the commit: what was refused is kept all the same.
    problem = _problem(command, answer)
    if problem is not None:
        raise problem
    return AnswerView.of(command, answer)


async def _perform(perform: Perform, commands: Sequence[Command]) -> Sequence[Answer]:
    async def command(tx: Transaction, now: datetime) -> Outcome[Sequence[Answer]]:
        return await _hear(tx, commands, now)

    return await perform(command)


async def _hear(
    tx: Transaction, commands: Sequence[Command], now: datetime
) -> Outcome[Sequence[Answer]]:
    order_ids = await orders.find_orders_of(tx, {command.parcel_id for command in commands})
    before = await orders.lock_orders(tx, order_ids.values())
    remembered = await messages.find_messages(tx, {message_id_of(each) for each in commands})
    heard = hear(commands, Hearing(before, order_ids, remembered), now)
    world = await reference.load_reference(tx)
    unplanned = [order for order in heard.decision.orders if wants_plan(order)]
    outlook = await prospect.load_prospect(tx, unplanned, world, now)
    routed = route(heard.decision, world, outlook, now)
    await changes.save_changes(tx, changes_of(before, routed.orders), routed.records)
    await messages.save_messages(tx, heard.messages, now)
    return Outcome(heard.answers, routed.events)


def _problem(command: Command, answer: Answer) -> Problem | None:
    detail = f"parcel {command.parcel_id}: {answer.detail}"
    match answer.verdict:
        case Verdict.APPLIED | Verdict.CONFLICTED:
            return None
        case Verdict.FENCED:
            return Conflict(detail, kind="wrong-attempt")
        case Verdict.ILLEGAL:
            return Conflict(detail, kind="illegal-transition")
        case Verdict.REUSED:
            return Conflict(detail, kind="reused-id")
        case Verdict.INVALID:
            return Invalid(detail)
        case Verdict.UNKNOWN:
            return NotFound(f"there is no parcel {command.parcel_id}")


def _result(command: Command, answer: Answer) -> BulkAnswerView:
    return BulkAnswerView(
        parcel_id=command.parcel_id,
        action=command.action,
        status=STATUS[answer.verdict],
        verdict=answer.verdict,
        execution=answer.execution,
        negotiation=answer.negotiation,
        conflict=answer.verdict is Verdict.CONFLICTED,
        detail=answer.detail,
    )
