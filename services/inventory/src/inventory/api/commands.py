"""Receipts, adjustments, put-aways: each carried out once per id, whole or not at all."""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeAlias

from fastapi import APIRouter

from backbone import Outcome, Transaction
from inventory import decide, store
from inventory.api.bodies import (
    Adjustment,
    BulkReceipt,
    BulkReceived,
    PutAway,
    Receipt,
    StockChanged,
    StockView,
    View,
)
from inventory.model import (
    Cause,
    CauseKind,
    Command,
    Condition,
    Decision,
    PutAwayLine,
    Refusal,
    StockKey,
    StockLine,
)
from runtime.api import Body, Conflict, Perform, StrictRoute, canonical, responses

router = APIRouter(route_class=StrictRoute, tags=["commands"])
Carry: TypeAlias = Callable[[Transaction, datetime], Awaitable[Decision | Refusal]]


@router.post("/receipts", status_code=201, responses=responses(400, 409, 413, 415, 422, 503))
async def receive_goods(body: Receipt, perform: Perform) -> StockChanged:
    """Add goods that arrived at a node."""
    cause = Cause(CauseKind.RECEIPT, body.receipt_id)
    lines = [
        StockLine(StockKey(body.node_id, line.goods_id, line.condition), line.quantity_units)
        for line in body.lines
    ]
    answer = await _once(perform, body, cause, _receive(lines, cause), _stock_changed)
    return StockChanged.model_validate_json(answer)


@router.post("/receipts/bulk", status_code=201, responses=responses(400, 409, 413, 415, 422, 503))
async def receive_in_bulk(body: BulkReceipt, perform: Perform) -> BulkReceived:
    """Add goods that arrived at many nodes, up to 5,000 lines; the answer is a summary."""
    cause = Cause(CauseKind.RECEIPT, body.receipt_id)
    lines = [
        StockLine(StockKey(line.node_id, line.goods_id, line.condition), line.quantity_units)
        for line in body.lines
    ]

    def summary(cause: Cause, _: Decision) -> View:
        return BulkReceived(
            receipt_id=cause.cause_id,
            lines_count=len(lines),
            quantity_units=sum(line.quantity_units for line in lines),
        )

    answer = await _once(perform, body, cause, _receive(lines, cause), summary)
    return BulkReceived.model_validate_json(answer)


@router.post("/adjustments", status_code=201, responses=responses(400, 409, 413, 415, 422, 503))
async def adjust_counts(body: Adjustment, perform: Perform) -> StockChanged:
    """Correct counts by signed units.

    Units that parcels were promised stay on hand and are shown as missing; they come off when a
    promise ends or goods arrive. More than is there cannot be taken off: 409.
    """
    cause = Cause(CauseKind.ADJUSTMENT, body.adjustment_id)
    lines = [
        StockLine(StockKey(body.node_id, line.goods_id, line.condition), line.delta_units)
        for line in body.lines
    ]

    async def carry(tx: Transaction, now: datetime) -> Decision | Refusal:
        stock = await store.open_stock(tx, {line.key for line in lines})
        return decide.adjust(lines, stock, cause, now)

    answer = await _once(perform, body, cause, carry, _stock_changed)
    return StockChanged.model_validate_json(answer)


@router.post("/put-aways", status_code=201, responses=responses(400, 409, 413, 415, 422, 503))
async def put_away_goods(body: PutAway, perform: Perform) -> StockChanged:
    """Put goods from quarantine or inspection back on the shelf, or with the damaged."""
    cause = Cause(CauseKind.PUT_AWAY, body.put_away_id)
    lines = [
        PutAwayLine(
            StockKey(body.node_id, line.goods_id, Condition(line.from_condition)),
            StockKey(body.node_id, line.goods_id, Condition(line.to_condition)),
            line.quantity_units,
        )
        for line in body.lines
    ]

    async def carry(tx: Transaction, now: datetime) -> Decision | Refusal:
        keys = {key for line in lines for key in (line.taken_from, line.put_into)}
        return decide.put_away(lines, await store.open_stock(tx, keys), cause, now)

    answer = await _once(perform, body, cause, carry, _stock_changed)
    return StockChanged.model_validate_json(answer)


def _receive(lines: list[StockLine], cause: Cause) -> Carry:
    async def carry(tx: Transaction, now: datetime) -> Decision | Refusal:
        stock = await store.open_stock(tx, {line.key for line in lines})
        return decide.receive(lines, stock, cause, now)

    return carry


async def _once(
    perform: Perform,
    body: Body,
    cause: Cause,
    carry: Carry,
    show: Callable[[Cause, Decision], View],
) -> str:
    """Carry a command out and keep its answer, or return the answer it got the first time.

    Raises Conflict when the id was used for something else, or the command is refused; then nothing
    of it is kept and the id is free.
    """
    content = canonical(body.model_dump(mode="json"))
    command = Command(cause, content.decode(), hashlib.sha256(content).digest())

    async def run(tx: Transaction, now: datetime) -> Outcome[str]:
        if earlier := await store.save_command(tx, command, now):
            if earlier.content_hash != command.content_hash:
                raise Conflict(f"{cause.kind} {cause.cause_id} was sent with other content")
            return Outcome(earlier.answer)
        decision = await carry(tx, now)
        if isinstance(decision, Refusal):
            explanation = f"line {decision.line_index}: {decision.explanation}"
            raise Conflict(explanation, kind="too-few-units")
        await store.save_stock(tx, decision, now)
        answer = show(cause, decision).model_dump_json()
        await store.save_answer(tx, cause, answer)
        return Outcome(answer, decision.events)

    return await perform(run)


def _stock_changed(cause: Cause, decision: Decision) -> View:
    return StockChanged(
        command_id=cause.cause_id,
        stock=[StockView.of(key, level) for key, level in sorted(decision.stock.items())],
    )
