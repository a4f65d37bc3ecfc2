"""Quarantine: what is in it, its bytes, and its way back into the flow."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response

from backbone import Outcome, Transaction
from ingest.api.answers import respond_taken
from ingest.api.bodies import OrderTaken, QuarantineView, ResubmissionBody
from ingest.api.views import slice_of
from ingest.decide.review import orders_in, resubmit, waive
from ingest.gateway.canonical import CanonicalOrder
from ingest.gateway.digest import raw_input, submission
from ingest.model.order import Entrance, RawInput
from ingest.model.pool import Quarantine, Reason, Taken
from ingest.store import attention
from ingest.store.pool import lock_orders
from ingest.store.reading import list_quarantine, show_quarantine
from ingest.store.save import save
from ingest.store.terms import load_directory
from runtime.api import (
    Conflict,
    Invalid,
    NotFound,
    Page,
    Paging,
    Perform,
    Read,
    StrictRoute,
    responses,
)
from runtime.fields import Id

router = APIRouter(route_class=StrictRoute, tags=["quarantine"])

QuarantineId = Annotated[Id, Path()]


@router.get("/quarantine")
async def get_quarantine(
    read: Read,
    paging: Paging,
    reason: Annotated[Reason | None, Query()] = None,
    shop_id: Annotated[Id | None, Query()] = None,
    state: Annotated[Literal["open", "resolved"], Query()] = "open",
) -> Page[QuarantineView]:
    """List what is in quarantine, oldest first."""
    part = slice_of(paging.key(str, str), paging.items_max + 1)
    text = None if reason is None else str(reason)
    async with read() as tx:
        rows = await list_quarantine(tx, text, shop_id, part, is_resolved=state == "resolved")
    found = [QuarantineView(**row) for row in rows]
    return Page[QuarantineView].of(
        found, paging, lambda record: (record.opened_at.isoformat(), record.quarantine_id)
    )


@router.get("/quarantine/{quarantine_id}", responses=responses(404))
async def get_quarantine_record(quarantine_id: QuarantineId, read: Read) -> QuarantineView:
    """Show one record and everything that is wrong."""
    async with read() as tx:
        row = await show_quarantine(tx, quarantine_id)
    if row is None:
        raise NotFound(f"there is no quarantine record {quarantine_id}")
    return QuarantineView(**row)


@router.get("/quarantine/{quarantine_id}/raw", responses=responses(404))
async def get_raw_input(quarantine_id: QuarantineId, read: Read) -> Response:
    """Return the bytes as they came; they may hold personal data."""
    async with read() as tx:
        row = await show_quarantine(tx, quarantine_id)
        found = None if row is None else await attention.find_raw(tx, row["raw_id"] or "")
    if found is None:
        raise NotFound(f"there is no quarantine record {quarantine_id}")
    return Response(found.content, media_type="application/octet-stream")


@router.post(
    "/quarantine/{quarantine_id}/resubmit",
    response_model=OrderTaken,
    responses=responses(404, 409),
)
async def resubmit_order(
    quarantine_id: QuarantineId, body: ResubmissionBody, perform: Perform
) -> Response:
    """Bring an order back: corrected, waived, or just judged again.

    A record that blocks nothing is dismissed when there is no content.
    """

    async def command(tx: Transaction, now: datetime) -> Outcome[Taken]:
        record = await attention.lock_quarantine(tx, quarantine_id)
        if record is None:
            if await show_quarantine(tx, quarantine_id) is None:
                raise NotFound(f"there is no quarantine record {quarantine_id}")
            raise Conflict(f"quarantine record {quarantine_id} is closed", kind="closed")
        if body.content is not None:
            return await _correct(tx, record, body.content, body.resubmitted_by, now)
        return await _judge_again(tx, record, body, now)

    return respond_taken(await perform(command))


async def _correct(
    tx: Transaction, record: Quarantine, content: CanonicalOrder, actor: str, now: datetime
) -> Outcome[Taken]:
    order = content.order()
    if record.order_id not in {None, order.order_id}:
        raise Invalid(f"the content is order {order.order_id}, not {record.order_id}")
    corrected = replace(submission(order, content.buyer(), _raw(content), actor), replaces=True)
    pool = await lock_orders(tx, [order.order_id])
    directory = await load_directory(tx, [order, *orders_in(pool)])
    known = pool.get(order.order_id)
    answer, decision = resubmit(record, corrected, known, directory, now)
    await save(tx, decision, now)
    return Outcome(answer, decision.events)


async def _judge_again(
    tx: Transaction, record: Quarantine, body: ResubmissionBody, now: datetime
) -> Outcome[Taken]:
    if record.order_id is None:
        raise Invalid("these bytes make no order: send `content`")
    pool = await lock_orders(tx, [record.order_id])
    known = pool.get(record.order_id)
    if known is None or not record.blocking:
        actor = body.resubmitted_by
        await attention.resolve_quarantine(tx, record.quarantine_id, actor, "dismissed", now)
        version = 0 if known is None else known.order_version
        return Outcome(Taken("amended", record.order_id, "dismissed", version))
    directory = await load_directory(tx, orders_in(pool))
    answer, decision = waive(known, body.waive, body.resubmitted_by, directory, now)
    await save(tx, decision, now)
    return Outcome(answer, decision.events)


def _raw(content: CanonicalOrder) -> RawInput:
    shop = (content.channel, content.shop_id)
    return raw_input(Entrance.RESUBMISSION, shop, content.model_dump_json().encode())
