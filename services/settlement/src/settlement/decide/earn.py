"""Facts about parcels and cancellations turn planned money into earned money, or take it back.

Amounts follow counters of units and nothing else (see `first_units`): parcels earn from the front
of a line, units that leave unearned go from its back, a return takes what its own parcel earned.
So facts of different topics may arrive in any order and the books end the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple, TypeAlias

from contracts.entries import EarnedOn
from contracts.event import Event
from contracts.fulfilments import (
    OrderCancelled,
    ParcelDelivered,
    ParcelReturned,
    ParcelShipped,
    ReturnedLine,
)
from contracts.plans import OrderUnroutable
from contracts.postings import Layer, SplitReversed
from contracts.values import LineUnits
from settlement.decide.allocate import first_units
from settlement.decide.journal import (
    SIGNS,
    Chart,
    Leg,
    Portion,
    Posting,
    Source,
    legs_of_freight,
    legs_of_shares,
    post,
)
from settlement.decide.plan import published
from settlement.model import (
    Booked,
    Cause,
    Journal,
    Kind,
    Line,
    OrderState,
    ParcelLine,
    ShareMove,
)

FactEvent: TypeAlias = (
    ParcelShipped | ParcelDelivered | ParcelReturned | OrderCancelled | OrderUnroutable
)


class OverdrawnError(ValueError):
    """A fact about units that the order or the parcel does not have; the message names them."""


@dataclass(frozen=True, slots=True)
class Fact:
    """An event about a planned order and its id."""

    event_id: str
    event: FactEvent


class Stretch(NamedTuple):
    """Units of a line from one count to another, whose money moves."""

    line: Line
    from_units: int
    to_units: int


def book_facts(facts: Sequence[Fact], states: Mapping[str, OrderState], now: datetime) -> Booked:
    """Book facts in the order given; every order must be in `states`.

    OverdrawnError for a fact about more units than there are.
    """
    desk = Desk(states, now)
    for fact in facts:
        desk.book(fact)
    return desk.booked()


class Desk:
    """The state of a batch of orders while its facts are booked one after another."""

    def __init__(self, states: Mapping[str, OrderState], now: datetime) -> None:
        self._states = states
        self._now = now
        self._chart = Chart()
        self._lines: dict[tuple[str, str], Line] = {}
        self._parcel_lines: dict[tuple[str, str], ParcelLine] = {}
        self._moves: dict[tuple[str, int], dict[Layer, int]] = {}
        self._journals: list[Journal] = []
        self._events: list[Event] = []

    def book(self, fact: Fact) -> None:
        """Book one fact."""
        match fact.event:
            case ParcelShipped() as shipped:
                self._book_shipment(fact, shipped)
            case ParcelDelivered() as delivered:
                self._book_delivery(fact, delivered)
            case ParcelReturned() as returned:
                self._book_return(fact, returned)
            case OrderCancelled() as cancelled:
                self._book_cancellation(fact, cancelled)
            case OrderUnroutable() as unroutable:
                self._book_unroutable(fact, unroutable)

    def booked(self) -> Booked:
        """Return all that the facts changed."""
        moves = [
            ShareMove(order_id, rank, moved[Layer.PENDING], moved[Layer.SETTLED])
            for (order_id, rank), moved in self._moves.items()
        ]
        return Booked(
            lines=list(self._lines.values()),
            parcel_lines=list(self._parcel_lines.values()),
            moves=moves,
            journals=self._journals,
            accounts=self._chart.accounts,
            events=self._events,
        )

    def _book_shipment(self, fact: Fact, event: ParcelShipped) -> None:
        for line_id, units in _units_by_line(event.lines).items():
            line = self._line(event.order_id, line_id)
            self._keep(replace(line, shipped_units=line.shipped_units + units))
            self._keep_parcel(ParcelLine(event.order_id, event.parcel_id, line_id, units))
        if self._states[event.order_id].plan.earned_on is EarnedOn.SHIPPED:
            self._earn(fact, event)
        self._charge_freight(fact, event)

    def _book_delivery(self, fact: Fact, event: ParcelDelivered) -> None:
        if self._states[event.order_id].plan.earned_on is EarnedOn.DELIVERED:
            self._earn(fact, event)

    def _earn(self, fact: Fact, event: ParcelShipped | ParcelDelivered) -> None:
        """A parcel earns once, whatever of it has not come back yet."""
        stretches: list[Stretch] = []
        for line_id, named_units in _units_by_line(event.lines).items():
            parcel_line = self._parcel_line(event, line_id)
            line = self._line(event.order_id, line_id)
            if parcel_line.earned_units:
                continue
            before_units = line.earned_units
            units = min(named_units, parcel_line.unearned_units)
            stretches.append(Stretch(line, before_units, before_units + units))
            self._keep(replace(line, earned_units=before_units + units))
            self._keep_parcel(
                replace(parcel_line, earned_before_units=before_units, earned_units=units)
            )
        self._move(self._posting(event, Kind.SPLIT_EARNED, _parcel_cause(event, fact)), stretches)

    def _charge_freight(self, fact: Fact, event: ParcelShipped) -> None:
        plan = self._states[event.order_id].plan
        cause = _parcel_cause(event, fact)
        posting = Posting(event.order_id, event.currency, Kind.FREIGHT_CHARGED, cause)
        charge = (event.carrier_id, event.freight_minor, event.currency)
        self._post(posting, legs_of_freight(plan, *charge, self._chart))

    def _book_return(self, fact: Fact, event: ParcelReturned) -> None:
        """Take back what is still planned of the parcel first, then what it earned."""
        withdrawn: list[Stretch] = []
        refunded: list[Stretch] = []
        for line_id, units in _units_by_line(event.lines).items():
            parcel_line = self._parcel_line(event, line_id)
            line = self._line(event.order_id, line_id)
            unearned_units = min(units, parcel_line.unearned_units)
            earned_units = units - unearned_units
            withdrawn.append(_back_of(line, unearned_units))
            refunded.append(_earned_by(parcel_line, line, earned_units))
            self._keep(
                replace(
                    line,
                    withdrawn_units=line.withdrawn_units + unearned_units,
                    refunded_units=line.refunded_units + earned_units,
                )
            )
            self._keep_parcel(
                replace(
                    parcel_line,
                    withdrawn_units=parcel_line.withdrawn_units + unearned_units,
                    refunded_units=parcel_line.refunded_units + earned_units,
                )
            )
        self._reverse_planned(fact, event.return_id, withdrawn)
        self._reverse_earned(fact, event, refunded)

    def _book_cancellation(self, fact: Fact, event: OrderCancelled) -> None:
        stretches: list[Stretch] = []
        for line_id, units in _units_by_line(event.lines).items():
            line = self._line(event.order_id, line_id)
            stretches.append(_back_of(line, units))
            self._keep(replace(line, cancelled_units=line.cancelled_units + units))
        self._reverse_planned(fact, event.request_id, stretches)

    def _book_unroutable(self, fact: Fact, event: OrderUnroutable) -> None:
        stretches: list[Stretch] = []
        for line_id, units in _units_by_line(event.lines).items():
            line = self._line(event.order_id, line_id)
            stretches.append(_back_of(line, units))
            self._keep(replace(line, unroutable_units=line.unroutable_units + units))
        self._reverse_planned(fact, event.decision_id, stretches)

    def _reverse_planned(self, fact: Fact, cause_id: str, stretches: Sequence[Stretch]) -> None:
        event = fact.event
        reverses = Source("OrderAccepted", event.order_id, Kind.SPLIT_PLANNED)
        cause = Cause(type(event).__name__, fact.event_id, fact.event_id, event.occurred_at)
        posting = self._posting(event, Kind.PLANNED_REVERSED, cause, reverses)
        portions = self._move(posting, stretches)
        self._say_reversed(posting, cause_id, Layer.PENDING, portions)

    def _reverse_earned(
        self, fact: Fact, event: ParcelReturned, stretches: Sequence[Stretch]
    ) -> None:
        earned_by = EARNED_BY[self._states[event.order_id].plan.earned_on]
        reverses = Source(earned_by.__name__, event.parcel_id, Kind.SPLIT_EARNED)
        cause = Cause(type(event).__name__, fact.event_id, fact.event_id, event.occurred_at)
        posting = self._posting(event, Kind.EARNED_REVERSED, cause, reverses)
        portions = self._move(posting, stretches)
        self._say_reversed(posting, event.return_id, Layer.SETTLED, portions)

    def _posting(
        self, event: FactEvent, kind: Kind, cause: Cause, reverses: Source | None = None
    ) -> Posting:
        currency = self._states[event.order_id].plan.currency
        return Posting(event.order_id, currency, kind, cause, reverses)

    def _move(self, posting: Posting, stretches: Sequence[Stretch]) -> list[Portion]:
        """Move the money of stretches of units between layers, post it, and return what moved."""
        state = self._states[posting.order_id]
        portions: list[Portion] = []
        for line, from_units, to_units in stretches:
            shares = state.shares.get(line.line_id, ())
            amounts = [share.amount_minor for share in shares]
            upper = first_units(amounts, to_units, line.ordered_units)
            lower = first_units(amounts, from_units, line.ordered_units)
            portions += [
                Portion(share, high - low)
                for share, high, low in zip(shares, upper, lower, strict=True)
                if high != low
            ]
        for share, amount_minor in portions:
            moved = self._moves.setdefault(
                (posting.order_id, share.rank), {Layer.PENDING: 0, Layer.SETTLED: 0}
            )
            for layer, sign in SIGNS[posting.kind]:
                moved[layer] += sign * amount_minor
        self._post(posting, legs_of_shares(state.plan, portions, self._chart))
        return portions

    def _post(self, posting: Posting, legs: Mapping[str, Sequence[Leg]]) -> None:
        journals = post(posting, legs, self._now)
        self._journals += journals
        self._events += [journal.posted for journal in journals]

    def _say_reversed(
        self, posting: Posting, cause_id: str, layer: Layer, portions: Sequence[Portion]
    ) -> None:
        if portions:
            reversed_ = SplitReversed(
                occurred_at=self._now,
                order_id=posting.order_id,
                plan_id=self._states[posting.order_id].plan.plan_id,
                reversal_id=posting.source.group_id,
                cause_id=cause_id,
                currency=posting.currency,
                layer=layer,
                shares=published(portions),
            )
            self._events.append(reversed_)

    def _line(self, order_id: str, line_id: str) -> Line:
        line = self._lines.get((order_id, line_id)) or self._states[order_id].lines.get(line_id)
        if line is None:
            raise OverdrawnError(f"order {order_id} has no line {line_id}")
        return line

    def _parcel_line(
        self, event: ParcelShipped | ParcelDelivered | ParcelReturned, line_id: str
    ) -> ParcelLine:
        key = (event.parcel_id, line_id)
        stored = self._states[event.order_id].parcel_lines
        parcel_line = self._parcel_lines.get(key) or stored.get(key)
        if parcel_line is None:
            raise OverdrawnError(f"parcel {event.parcel_id} shipped nothing of line {line_id}")
        return parcel_line

    def _keep(self, line: Line) -> None:
        lost_units = line.cancelled_units + line.unroutable_units
        if line.pending_units < 0 or line.shipped_units + lost_units > line.ordered_units:
            raise OverdrawnError(f"line {line.line_id} of order {line.order_id}: {line}")
        self._lines[line.order_id, line.line_id] = line

    def _keep_parcel(self, parcel_line: ParcelLine) -> None:
        if parcel_line.unearned_units < 0 or parcel_line.refunded_units > parcel_line.earned_units:
            raise OverdrawnError(f"parcel {parcel_line.parcel_id}: {parcel_line}")
        self._parcel_lines[parcel_line.parcel_id, parcel_line.line_id] = parcel_line


EARNED_BY: Mapping[EarnedOn, type[FactEvent]] = {
    EarnedOn.SHIPPED: ParcelShipped,
    EarnedOn.DELIVERED: ParcelDelivered,
}


def _parcel_cause(event: ParcelShipped | ParcelDelivered, fact: Fact) -> Cause:
    return Cause(type(event).__name__, event.parcel_id, fact.event_id, event.occurred_at)


def _units_by_line(lines: Sequence[LineUnits] | Sequence[ReturnedLine]) -> dict[str, int]:
    units: dict[str, int] = {}
    for line in lines:
        units[line.line_id] = units.get(line.line_id, 0) + line.quantity_units
    return units


def _back_of(line: Line, units: int) -> Stretch:
    kept_units = line.ordered_units - line.gone_units
    return Stretch(line, kept_units - units, kept_units)


def _earned_by(parcel_line: ParcelLine, line: Line, units: int) -> Stretch:
    from_units = parcel_line.earned_before_units + parcel_line.refunded_units
    return Stretch(line, from_units, from_units + units)
