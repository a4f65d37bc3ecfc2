"""The split of an accepted order: shares by agreement, frozen, with the pending journals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import msgspec

from contracts.event import Event
from contracts.ids import derive_id
from contracts.orders import OrderAccepted
from contracts.postings import Share as PublishedShare
from contracts.postings import SplitPlanned
from settlement.decide.journal import Chart, Portion, Posting, legs_of_shares, post
from settlement.decide.split import PlanRefusedError, Step, Traced, check, run, steps_of
from settlement.model import (
    Cause,
    Journal,
    Kind,
    Line,
    NewPlan,
    Plan,
    Planned,
    Share,
    Terms,
)

_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Agreed:
    """An agreement version ready to be applied: its checked steps and the book that collects."""

    terms: Terms
    steps: tuple[Step, ...]
    home_book_id: str


def agree(terms: Terms) -> Agreed:
    """Return an agreement's steps, checked; PlanRefusedError when they cannot divide an order.

    The seller's book collects what the buyer pays, or the brand's when the seller keeps none.
    """
    steps = steps_of(terms)
    check(steps, terms.party_ids)
    for party_id in (terms.seller_id, terms.brand_id):
        if party_id in terms.books:
            return Agreed(terms, steps, terms.books[party_id])
    where = f"agreement {terms.agreement_id} version {terms.agreement_version}"
    raise PlanRefusedError(f"{where}: neither its seller nor its brand keeps books")


def plan_orders(
    orders: Sequence[tuple[str, OrderAccepted]],
    terms: Mapping[tuple[str, int], Terms],
    now: datetime,
) -> Planned:
    """Divide each order (with the id of its event) by its agreement and post it as pending.

    PlanRefusedError for an order that its agreement cannot divide; LookupError without terms.
    """
    agreed = {key: agree(terms[key]) for key in {_terms_key(order) for _, order in orders}}
    chart = Chart()
    plans: list[NewPlan] = []
    journals: list[Journal] = []
    events: list[Event] = []
    for event_id, order in orders:
        new = _plan(order, agreed[_terms_key(order)], now)
        posting = Posting(
            order.order_id, order.currency, Kind.SPLIT_PLANNED, accepted(order, event_id)
        )
        portions = [Portion(share, share.amount_minor) for share in new.shares]
        posted = post(posting, legs_of_shares(new.plan, portions, chart), now)
        plans.append(new)
        journals += posted
        events.append(_split_planned(new, now))
        events += [journal.posted for journal in posted]
    return Planned(plans, journals, chart.accounts, events)


def accepted(order: OrderAccepted, event_id: str) -> Cause:
    """Return the cause of an order's plan."""
    return Cause("OrderAccepted", order.order_id, event_id, order.occurred_at)


def _terms_key(order: OrderAccepted) -> tuple[str, int]:
    return order.agreement_id, order.agreement_version


def _plan(order: OrderAccepted, agreed: Agreed, now: datetime) -> NewPlan:
    _check_order(order, agreed.terms)
    trace = run(agreed.steps, order.lines)
    shares = _shares(trace, agreed)
    lines = [
        Line(
            order_id=order.order_id,
            line_id=line.line_id,
            amount_minor=line.amount_minor,
            freight_minor=line.freight_minor,
            ordered_units=line.quantity_units,
        )
        for line in order.lines
    ]
    terms = agreed.terms
    plan = Plan(
        order_id=order.order_id,
        plan_id=derive_id("plan", order.order_id),
        plan_hash=_hash(order, agreed, shares),
        agreement_id=terms.agreement_id,
        agreement_version=terms.agreement_version,
        currency=order.currency,
        total_minor=order.paid_minor,
        home_book_id=agreed.home_book_id,
        clearing_party_id=terms.platform_id,
        earned_on=terms.earned_on,
        freight_bearer_id=terms.freight_bearer_id,
        freight_book_id=terms.books.get(terms.freight_bearer_id, agreed.home_book_id),
    )
    return NewPlan(plan, lines, shares, _ENCODER.encode(trace), now)


def _check_order(order: OrderAccepted, terms: Terms) -> None:
    if (order.seller_id, order.brand_id) != (terms.seller_id, terms.brand_id):
        raise PlanRefusedError(
            f"order {order.order_id} is of seller {order.seller_id} and brand {order.brand_id}, "
            f"agreement {terms.agreement_id} of {terms.seller_id} and {terms.brand_id}"
        )
    for line in order.lines:
        if min(line.amount_minor, line.freight_minor, line.supply_price_minor) < 0:
            raise PlanRefusedError(f"line {line.line_id} of order {order.order_id} is negative")
        if line.quantity_units < 1:
            raise PlanRefusedError(f"line {line.line_id} of order {order.order_id} has no units")


def _shares(trace: Sequence[Traced], agreed: Agreed) -> list[Share]:
    """Number the shares line by line; within a line in the order of steps and party ids."""
    books, home_book_id = agreed.terms.books, agreed.home_book_id
    lines_count = len(trace[0].lines)
    taken = [
        (traced.lines[index], traced.payee_id, traced.component)
        for index in range(lines_count)
        for traced in trace
    ]
    return [
        Share(
            rank=rank,
            line_id=line.line_id,
            party_id=payee_id,
            component=component,
            book_id=books.get(payee_id, home_book_id),
            amount_minor=line.amount_minor,
        )
        for rank, (line, payee_id, component) in enumerate(taken, 1)
        if line.amount_minor
    ]


def _hash(order: OrderAccepted, agreed: Agreed, shares: Sequence[Share]) -> str:
    terms = agreed.terms
    content = (
        (order.order_id, terms.agreement_id, terms.agreement_version, order.currency),
        [(type(step).__name__, step) for step in agreed.steps],
        order.lines,
        shares,
    )
    return sha256(_ENCODER.encode(content)).hexdigest()


def _split_planned(new: NewPlan, now: datetime) -> SplitPlanned:
    plan = new.plan
    return SplitPlanned(
        occurred_at=now,
        order_id=plan.order_id,
        plan_id=plan.plan_id,
        plan_hash=plan.plan_hash,
        agreement_id=plan.agreement_id,
        agreement_version=plan.agreement_version,
        currency=plan.currency,
        total_minor=plan.total_minor,
        shares=published([Portion(share, share.amount_minor) for share in new.shares]),
    )


def published(portions: Sequence[Portion]) -> tuple[PublishedShare, ...]:
    """Return portions as events carry them; those of nothing are left out."""
    return tuple(
        PublishedShare(
            line_id=share.line_id,
            party_id=share.party_id,
            component=share.component,
            amount_minor=amount_minor,
        )
        for share, amount_minor in portions
        if amount_minor
    )
