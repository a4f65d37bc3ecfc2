"""The money of one order: how it was divided and what was booked."""

from fastapi import APIRouter

from runtime.api import NotFound, Read, StrictRoute, responses
from runtime.fields import Id
from settlement.api.bodies import (
    JournalsView,
    JournalView,
    LineView,
    ShareView,
    SplitView,
    TraceView,
)
from settlement.decide.split import read_trace, why
from settlement.store import ledger
from settlement.store import orders as order_store

JOURNALS_MAX = 1_000

router = APIRouter(route_class=StrictRoute, tags=["orders"])


@router.get("/orders/{order_id}/split", responses=responses(404, 422, 503))
async def get_split(order_id: Id, read: Read) -> SplitView:
    """Return who gets what of an order, what of it is earned or taken back, and why."""
    async with read() as tx:
        found = await order_store.find_split(tx, order_id)
    if found is None:
        raise NotFound(f"order {order_id} is not planned")
    plan, trace_json, lines, shares = found
    trace = read_trace(trace_json)
    reasons = {(traced.payee_id, traced.component): why(traced) for traced in trace}
    return SplitView(
        order_id=plan.order_id,
        plan_id=plan.plan_id,
        plan_hash=plan.plan_hash,
        agreement_id=plan.agreement_id,
        agreement_version=plan.agreement_version,
        currency=plan.currency,
        total_minor=plan.total_minor,
        earned_on=plan.earned_on,
        home_book_id=plan.home_book_id,
        lines=[LineView.of(line) for line in lines],
        shares=[ShareView.of(share, reasons) for share in shares],
        trace=[TraceView.of(traced) for traced in trace],
    )


@router.get("/orders/{order_id}/journals", responses=responses(404, 422, 503))
async def list_journals(order_id: Id, read: Read) -> JournalsView:
    """Return the journals of an order, at most 1,000, in the order of booking."""
    async with read() as tx:
        planned = await order_store.find_planned(tx, [order_id])
        journals = await ledger.list_journals(tx, order_id, JOURNALS_MAX)
    if not planned:
        raise NotFound(f"order {order_id} is not planned")
    shown = [JournalView.of(journal) for journal in journals]
    return JournalsView(order_id=order_id, journals=shown)
