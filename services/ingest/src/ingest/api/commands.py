"""What is asked of an order: cancel, pay, hold, lift, return."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, TypeAlias

from fastapi import APIRouter, Path, Response

from backbone import Outcome, Transaction
from ingest.api.answers import respond_command
from ingest.api.bodies import (
    CancellationBody,
    CommandAnswer,
    HoldBody,
    LiftBody,
    LineUnitsBody,
    PaymentBody,
    ReturnBody,
)
from ingest.decide.change import change
from ingest.decide.review import orders_in
from ingest.gateway.digest import content_digest, raw_input
from ingest.model.order import Entrance, Payment, RawInput
from ingest.model.pool import (
    Answered,
    CommandKind,
    Request,
    WantedCancellation,
    WantedHold,
    WantedLift,
    WantedReturn,
)
from ingest.store.pool import find_commands, lock_orders
from ingest.store.save import save
from ingest.store.terms import load_directory
from runtime.api import Perform, RawBody, StrictRoute, responses
from runtime.database import Performer
from runtime.fields import Id

router = APIRouter(route_class=StrictRoute, tags=["commands"])

OrderId: TypeAlias = Annotated[Id, Path(description="the order's id in all services")]


@router.post("/orders/{order_id}/cancellations", status_code=202, responses=responses(409))
async def cancel_order(
    order_id: OrderId, body: CancellationBody, raw: RawBody, perform: Perform, response: Response
) -> CommandAnswer:
    """Ask to cancel units: at once where nobody works on them, else routing decides.

    Before its order it waits, and the order arrives cancelled. What has shipped gets 409: use
    returns. The same `request_id` gets the same answer.
    """
    lines = None if body.lines is None else _units(body.lines)
    wanted = WantedCancellation(body.request_id, lines, body.reason, body.requested_by)
    request = Request(
        order_id=order_id,
        kind=CommandKind.CANCELLATION,
        command_id=body.request_id,
        content_hash=content_digest(wanted),
        wanted=wanted,
        raw=_raw(order_id, raw),
        actor=body.requested_by,
    )
    answered = await perform_request(perform, request)
    return respond_command(order_id, request.kind, answered, response)


@router.post("/orders/{order_id}/payments", responses=responses(409))
async def record_payment(
    order_id: OrderId, body: PaymentBody, raw: RawBody, perform: Perform, response: Response
) -> CommandAnswer:
    """Record money for an order that waits for payment; before its order it waits."""
    payment = Payment(body.payment_id, body.amount_minor, body.currency, body.paid_at, body.method)
    request = Request(
        order_id=order_id,
        kind=CommandKind.PAYMENT,
        command_id=body.payment_id,
        content_hash=content_digest(payment),
        wanted=payment,
        raw=_raw(order_id, raw),
        actor=body.recorded_by,
    )
    answered = await perform_request(perform, request)
    return respond_command(order_id, request.kind, answered, response)


@router.post("/orders/{order_id}/holds", responses=responses(404, 409))
async def hold_order(
    order_id: OrderId, body: HoldBody, raw: RawBody, perform: Perform, response: Response
) -> CommandAnswer:
    """Keep an order from acceptance until the hold is lifted or ends."""
    wanted = WantedHold(
        hold_id=body.hold_id,
        reason=body.reason,
        scope=body.scope,
        line_ids=body.line_ids,
        until=body.until,
        placed_by=body.placed_by,
    )
    request = Request(
        order_id=order_id,
        kind=CommandKind.HOLD,
        command_id=body.hold_id,
        content_hash=content_digest(wanted),
        wanted=wanted,
        raw=_raw(order_id, raw),
        actor=body.placed_by,
    )
    answered = await perform_request(perform, request)
    return respond_command(order_id, request.kind, answered, response)


@router.post("/orders/{order_id}/holds/{hold_id}/lift", responses=responses(404, 409))
async def lift_hold(
    order_id: OrderId,
    hold_id: Annotated[Id, Path()],
    body: LiftBody,
    perform: Perform,
    response: Response,
) -> CommandAnswer:
    """End a hold; an order that is complete, paid and held by nothing else is accepted."""
    wanted = WantedLift(hold_id, body.lifted_by)
    request = Request(
        order_id=order_id,
        kind=CommandKind.LIFT,
        command_id=hold_id,
        content_hash=content_digest(wanted),
        wanted=wanted,
        raw=_raw(order_id, body.model_dump_json().encode()),
        actor=body.lifted_by,
    )
    answered = await perform_request(perform, request)
    return respond_command(order_id, request.kind, answered, response)


@router.post("/orders/{order_id}/returns", status_code=202, responses=responses(404, 409))
async def request_return(
    order_id: OrderId, body: ReturnBody, raw: RawBody, perform: Perform, response: Response
) -> CommandAnswer:
    """Announce units that come back; at most what shipped and is neither back nor announced."""
    wanted = WantedReturn(body.request_id, _units(body.lines), body.reason, body.requested_by)
    request = Request(
        order_id=order_id,
        kind=CommandKind.RETURN,
        command_id=body.request_id,
        content_hash=content_digest(wanted),
        wanted=wanted,
        raw=_raw(order_id, raw),
        actor=body.requested_by,
    )
    answered = await perform_request(perform, request)
    return respond_command(order_id, request.kind, answered, response)


async def perform_request(perform: Performer, request: Request) -> Answered:
    """Decide and store one command."""

    async def command(tx: Transaction, now: datetime) -> Outcome[Answered]:
        return await decide_request(tx, request, now)

    return await perform(command)


async def decide_request(tx: Transaction, request: Request, now: datetime) -> Outcome[Answered]:
    """Decide one command in a transaction that is open."""
    key = (request.order_id, str(request.kind), request.command_id)
    pool = await lock_orders(tx, [request.order_id])
    first = (await find_commands(tx, [key])).get(key)
    directory = await load_directory(tx, orders_in(pool))
    answer, decision = change(request, first, pool.get(request.order_id), directory, now)
    await save(tx, decision, now)
    return Outcome(answer, decision.events)


def _units(lines: Sequence[LineUnitsBody]) -> list[tuple[str, int]]:
    return [(line.line_id, line.quantity_units) for line in lines]


def _raw(order_id: str, content: bytes) -> RawInput:
    return raw_input(Entrance.API, ("yipan", order_id), content)
