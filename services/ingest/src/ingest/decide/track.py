"""Folds the facts of all services into the story and the counters of each order."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain

from contracts.event import Event
from contracts.fulfilments import (
    OrderCancelled,
    ParcelDelivered,
    ParcelPicked,
    ParcelRejected,
    ParcelReleased,
    ParcelReturned,
    ParcelShipped,
    ReturnedLine,
)
from contracts.holds import QuotaExpired, QuotaGranted, QuotaRefused
from contracts.plans import OrderRouted, OrderUnroutable
from contracts.reservations import StockReserved
from contracts.topics import topic_of
from contracts.values import LineUnits
from ingest.decide.advance import cancellation_event
from ingest.model.pool import Counters, TimelineEntry, WantedCancellation
from ingest.model.track import Plan, Projection

PlanKey = tuple[str, int]
# What a reader of the timeline needs of an event; amounts and ids, no personal data.
DETAILS = (
    "attempt",
    "parcel_id",
    "node_id",
    "carrier_id",
    "waybill",
    "promised_at",
    "lines",
    "short_lines",
    "reason",
    "reasons",
    "request_id",
    "return_id",
    "step",
    "decision_id",
    "cost_minor",
    "hold_id",
    "account_id",
    "amount_minor",
    "shortfall_minor",
    "agreement_id",
    "agreement_version",
    "plan_id",
    "total_minor",
    "journal_id",
    "book_id",
    "kind",
    "currency",
)
GIVEN_BACK = {"released_units": -1, "reserved_units": -1}
COUNTED: Mapping[type[Event], str] = {
    OrderUnroutable: "unroutable_units",
    ParcelReleased: "released_units",
    ParcelShipped: "shipped_units",
    ParcelDelivered: "delivered_units",
    ParcelReturned: "returned_units",
}
WORD = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(slots=True)
class _Draft:
    timeline: list[TimelineEntry] = field(default_factory=list[TimelineEntry])
    changes: dict[tuple[str, str], Counters] = field(
        default_factory=dict[tuple[str, str], Counters]
    )
    plans: dict[PlanKey, Plan] = field(default_factory=dict[PlanKey, Plan])
    limit_waits: dict[str, bool] = field(default_factory=dict[str, bool])
    events: list[Event] = field(default_factory=list[Event])


def plan_keys(events: Iterable[Event]) -> set[PlanKey]:
    """Return the plans (order, attempt) that events speak of."""
    keys: set[PlanKey] = set()
    for event in events:
        match event:
            case OrderRouted() | StockReserved():
                keys.add((event.order_id, event.attempt))
            case OrderCancelled() if event.voided_attempt > 0:
                keys.add((event.order_id, event.voided_attempt))
            case _:
                pass
    return keys


def project(
    facts: Sequence[tuple[str, Event]], plans: Mapping[PlanKey, Plan], now: datetime
) -> Projection:
    """Fold facts, each with its event id, into changes.

    Changes are sums, so facts of different topics may come in any order. An event of a type that
    changes no counter only enters the timeline.
    """
    draft = _Draft(plans=dict(plans))
    for event_id, event in facts:
        draft.timeline.append(_entry(event_id, event))
        _count(event, draft)
        _follow(event, now, draft)
    changed = [plan for key, plan in draft.plans.items() if plans.get(key) != plan]
    return Projection(draft.timeline, draft.changes, changed, draft.limit_waits, draft.events)


def _entry(event_id: str, event: Event) -> TimelineEntry:
    name = type(event).__name__
    order_id: str = getattr(event, "order_id")  # noqa: B009 the base has none; tracked events do
    service = f"yipan/{topic_of(type(event)).producer}"
    actor: str = getattr(event, "actor", None) or getattr(event, "requested_by", None) or service
    detail = {key: getattr(event, key) for key in DETAILS if getattr(event, key, None)}
    if name == "OrderAccepted":
        detail.pop("lines", None)  # the order itself shows them
    return TimelineEntry(
        order_id, event.occurred_at, actor, WORD.sub("_", name).lower(), detail, event_id
    )


def _count(event: Event, draft: _Draft) -> None:
    """Add the event's units to the counters; what leaves a parcel is no longer held for it."""
    match event:
        case OrderCancelled():
            _add(draft, event.order_id, event.lines, {"cancelled_units": 1})
            taken_out = list(chain.from_iterable(parcel.lines for parcel in event.parcels))
            _add(draft, event.order_id, taken_out, GIVEN_BACK)
        case ParcelPicked():
            _add(draft, event.order_id, event.short_lines, GIVEN_BACK)
        case ParcelRejected():
            _add(draft, event.order_id, event.lines, GIVEN_BACK)
        case (
            OrderUnroutable()
            | ParcelReleased()
            | ParcelShipped()
            | ParcelDelivered()
            | ParcelReturned()
        ):
            _add(draft, event.order_id, event.lines, {COUNTED[type(event)]: 1})
        case _:
            pass


def _follow(event: Event, now: datetime, draft: _Draft) -> None:
    """Keep what several facts decide together: a plan and its answer, the wait for a limit."""
    match event:
        case OrderRouted():
            lines: dict[str, int] = {}
            for line in chain.from_iterable(parcel.lines for parcel in event.parcels):
                lines[line.line_id] = lines.get(line.line_id, 0) + line.quantity_units
            _replan(draft, replace(_plan(draft, event.order_id, event.attempt), lines=lines))
        case StockReserved():
            _replan(draft, replace(_plan(draft, event.order_id, event.attempt), reserved=True))
        case OrderCancelled() if event.voided_attempt > 0:
            plan = _plan(draft, event.order_id, event.voided_attempt)
            _replan(draft, replace(plan, voided=True))
        case QuotaRefused():
            draft.limit_waits[event.order_id] = True
        case QuotaGranted():
            draft.limit_waits[event.order_id] = False
        case QuotaExpired():
            draft.limit_waits[event.order_id] = False
            draft.events.append(_credit_expired(event, now))
        case _:
            pass


def _credit_expired(event: QuotaExpired, now: datetime) -> Event:
    """Ask for the cancellation that nobody else will ask for; an order waits in vain only once."""
    wanted = WantedCancellation("credit_expired", None, "credit_expired", "yipan/quota")
    return cancellation_event(event.order_id, wanted, now)


def _plan(draft: _Draft, order_id: str, attempt: int) -> Plan:
    return draft.plans.get((order_id, attempt), Plan(order_id, attempt))


def _replan(draft: _Draft, plan: Plan) -> None:
    """Put a plan in the place of what was known of it, and count the difference."""
    before = _plan(draft, plan.order_id, plan.attempt).held_units
    after = plan.held_units
    for line_id in {*before, *after}:
        units = after.get(line_id, 0) - before.get(line_id, 0)
        key = (plan.order_id, line_id)
        known = draft.changes.get(key, Counters())
        draft.changes[key] = replace(known, reserved_units=known.reserved_units + units)
    draft.plans[plan.order_id, plan.attempt] = plan


def _add(
    draft: _Draft,
    order_id: str,
    lines: Sequence[LineUnits] | Sequence[ReturnedLine],
    signs: Mapping[str, int],
) -> None:
    for line in lines:
        key = (order_id, line.line_id)
        known = draft.changes.get(key, Counters())
        moved = {
            name: getattr(known, name) + sign * line.quantity_units for name, sign in signs.items()
        }
        draft.changes[key] = replace(known, **moved)
