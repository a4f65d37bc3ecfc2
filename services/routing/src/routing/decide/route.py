"""Who ships what: plans for the orders of a batch, one after the other over what is left."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from contracts.event import Event
from contracts.ids import derive_id
from contracts.plans import OrderRouted, OrderUnroutable, PlannedParcel, UnroutableReason
from routing.decide.contents import goods_of, line_units
from routing.decide.outlook import Choice, choose, look
from routing.decide.record import record_of
from routing.decide.search import Draft, Plan, Wanted
from routing.decide.supply import Supply
from routing.model.fulfilment import (
    Decision,
    Execution,
    Negotiation,
    Order,
    Parcel,
    ParcelLine,
)
from routing.model.world import Code, DecisionRecord, Policy, Prospect, Reference

WAITABLE = frozenset({Code.STOCK, Code.CAPACITY})
"""Eliminations that may be gone a moment later, as may having no nodes at all."""


@dataclass(frozen=True, slots=True)
class Routed:
    """Orders with their plans, what is published, and why."""

    orders: tuple[Order, ...]
    events: tuple[Event, ...]
    records: tuple[DecisionRecord, ...] = ()


def wants_plan(order: Order) -> bool:
    """Tell whether units of an order may be planned now: no plan of it waits for its stock."""
    return order.is_granted and not order.planned_attempt and bool(order.uncovered())


def route(decision: Decision, reference: Reference, prospect: Prospect, now: datetime) -> Routed:
    """Plan what no parcel covers yet, in the order of the decision's orders.

    What nobody has waits for stock once, for the policy's time; what nobody can ship for another
    reason, and what is still missing then, is unroutable. Events of the decision come first.
    """
    supply = Supply(reference, prospect, now)
    orders: list[Order] = []
    events = list(decision.events)
    records: list[DecisionRecord] = []
    for order in decision.orders:
        if not wants_plan(order):
            orders.append(_at_rest(order))
            continue
        choice = choose(order, look(order, reference, prospect, supply))
        if choice.plan:
            supply.take(choice.plan, choice.outlook.wanted)
        routed = _publish(order, choice, reference.policy, now)
        orders += routed.orders
        events += routed.events
        records += routed.records
    return Routed(tuple(orders), tuple(events), tuple(records))


def _at_rest(order: Order) -> Order:
    """End the wait of an order that has nothing left to wait for, such as a cancelled one."""
    return replace(order, retry_at=None) if order.retry_at and not order.uncovered() else order


def _publish(order: Order, choice: Choice, policy: Policy, now: datetime) -> Routed:
    waits_until = _waits_until(order, choice, policy, now)
    given_up: Mapping[str, int] = {} if waits_until else choice.left
    order = replace(order, retry_at=waits_until)
    if not choice.plan and not given_up:
        return Routed((order,), ())
    order = replace(order, attempt=order.attempt + 1)
    record = DecisionRecord(
        decision_id=derive_id("decision", order.order_id, order.attempt),
        order_id=order.order_id,
        attempt=order.attempt,
        decided_at=now,
        record=record_of(order.uncovered(), choice, policy),
    )
    events: list[Event] = []
    if choice.plan:
        order, routed = _plan(order, choice.plan, choice.outlook.wanted, now)
        events.append(routed)
    if given_up:
        order, unroutable = _give_up(order, choice, given_up, now)
        events.append(unroutable)
    return Routed((order,), tuple(events), (record,))


def _waits_until(order: Order, choice: Choice, policy: Policy, now: datetime) -> datetime | None:
    eliminated = choice.outlook.eliminated
    if not choice.left or (eliminated and WAITABLE.isdisjoint(eliminated)):
        return None
    if order.retry_at is None and policy.stock_wait_s:
        return now + timedelta(seconds=policy.stock_wait_s)
    return order.retry_at if order.retry_at and now < order.retry_at else None


def _plan(
    order: Order, plan: Plan, wanted: tuple[Wanted, ...], now: datetime
) -> tuple[Order, OrderRouted]:
    parcels = tuple(_parcel(order, draft, wanted) for draft in plan.drafts)
    event = OrderRouted(
        occurred_at=now,
        order_id=order.order_id,
        attempt=order.attempt,
        decision_id=derive_id("decision", order.order_id, order.attempt),
        currency=order.currency,
        cost_minor=plan.cost_minor,
        parcels=tuple(
            PlannedParcel(
                parcel_id=parcel.parcel_id,
                node_id=parcel.node_id,
                lines=parcel.content,
                goods=goods_of(order, parcel.content),
                promised_at=parcel.promised_at,
                freight_minor=parcel.freight_minor,
                handling_minor=parcel.handling_minor,
            )
            for parcel in parcels
        ),
    )
    planned = replace(order, planned_attempt=order.attempt, parcels=(*order.parcels, *parcels))
    return planned, event


def _parcel(order: Order, draft: Draft, wanted: tuple[Wanted, ...]) -> Parcel:
    node = draft.leg.node
    return Parcel(
        parcel_id=derive_id("parcel", order.order_id, order.attempt, node.node_id),
        attempt=order.attempt,
        node_id=node.node_id,
        execution=Execution.PLANNED,
        negotiation=Negotiation.UNSENT,
        lines=tuple(
            ParcelLine(want.line_id, units)
            for want, units in zip(wanted, draft.units, strict=True)
            if units
        ),
        promised_at=draft.slot.promised_at,
        promised_on=draft.slot.promised_on,
        freight_minor=draft.freight_minor,
        handling_minor=node.handling_minor,
    )


def _give_up(
    order: Order, choice: Choice, given_up: Mapping[str, int], now: datetime
) -> tuple[Order, OrderUnroutable]:
    lines = tuple(
        replace(line, unroutable_units=line.unroutable_units + given_up.get(line.line_id, 0))
        for line in order.lines
    )
    order = replace(order, lines=lines)
    event = OrderUnroutable(
        occurred_at=now,
        order_id=order.order_id,
        attempt=order.attempt,
        decision_id=derive_id("decision", order.order_id, order.attempt),
        lines=line_units(given_up.items()),
        reasons=tuple(
            UnroutableReason(code=code, nodes=len(nodes))
            for code, nodes in choice.outlook.eliminated.items()
        ),
        order_done=order.is_done,
    )
    return order, event
