"""Any sequence of plans, answers, commands and cancellations keeps the units of an order."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from routing_builders import NOW, SUZHOU, line, order, prospect, world

from contracts.event import Event
from contracts.fulfilments import (
    CancellationRefused,
    CancelledParcel,
    OrderCancelled,
    ParcelReturned,
    ParcelShipped,
    RejectionReason,
    ReturnedLine,
    ShipmentConflicted,
)
from contracts.orders import CancellationRequested
from contracts.plans import OrderUnroutable
from contracts.reservations import Shortage, StockReserved, StockShort
from contracts.values import Grade, LineUnits
from routing.decide.cancel import asked_of, cancel
from routing.decide.changes import changes_of
from routing.decide.fulfil import hear
from routing.decide.plans import answer_plans
from routing.decide.route import route
from routing.decide.steps import time_out
from routing.decide.transitions import next_step
from routing.model.commands import (
    Action,
    AnswerCancel,
    Command,
    Details,
    Hearing,
    Pick,
    Plain,
    Reject,
    Return,
    Ship,
    Verdict,
)
from routing.model.fulfilment import HOLDING, Decision, Execution, Order, Parcel
from routing.model.world import Policy

NODES = tuple(replace(SUZHOU, node_id=f"node-{number}") for number in range(4))
STOCK = {goods_id: {node.node_id: 4 for node in NODES} for goods_id in ("tea", "cup")}
WORLD = world(*NODES, policy=Policy(stock_wait_s=1))
REQUESTS_MAX = 3
LINES = st.sampled_from(["1", "2"])
UNITS: st.SearchStrategy[dict[str, int]] = st.dictionaries(LINES, st.integers(1, 2), min_size=1)
NO_UNITS: dict[str, int] = {}
WORK = HOLDING - {Execution.PLANNED} | {Execution.SHIPPED, Execution.DELIVERED}
ANYTHING = tuple(Action)
PROGRESS = (Action.ACCEPT, Action.PICK, Action.PACK, Action.SHIP, Action.DELIVER, Action.RETURN)


class Fulfilment(RuleBasedStateMachine):
    """One order, everything that may happen to it, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.requests_count = 0
        self.facts: Counter[tuple[str, str]] = Counter()
        self.cancelled_in: Counter[tuple[str, str]] = Counter()
        self.shipped_in: Counter[tuple[str, str]] = Counter()

    @initialize(tea=st.integers(1, 6), kits=st.integers(1, 6), granted=st.integers(0, 4))
    def begin(self, tea: int, kits: int, granted: int) -> None:
        """Accept an order of tea and of kits of two cups."""
        kit = line("2", "set", kits, cup=2)
        self.apply(
            Decision((replace(order(line("1", "tea", tea), kit), is_granted=granted > 0),), ())
        )

    @precondition(lambda self: not self.order.is_granted)
    @rule()
    def grant(self) -> None:
        """Grant its limit."""
        self.apply(Decision((replace(self.order, is_granted=True),), ()))

    @precondition(lambda self: self.order.planned_attempt)
    @rule(stale=st.booleans())
    def reserve(self, stale: bool) -> None:  # noqa: FBT001 Hypothesis draws it by name
        """Hold the stock of the plan, or answer an older one."""
        attempt = self.order.planned_attempt - stale
        answer = StockReserved(
            occurred_at=self.now, order_id="order-1", attempt=attempt, parcels=()
        )
        self.apply(answer_plans({"order-1": self.order}, [answer], WORLD.policy, self.now))

    @precondition(lambda self: self.order.planned_attempt and self.order.failures_count < 2)
    @rule(available=st.integers(0, 3))
    def run_short(self, available: int) -> None:
        """Answer that tea is short."""
        parcel = next(p for p in self.order.parcels if p.execution is Execution.PLANNED)
        shortage = Shortage(
            node_id=parcel.node_id, goods_id="tea", wanted_units=9, available_units=available
        )
        answer = StockShort(
            occurred_at=self.now,
            order_id="order-1",
            attempt=self.order.planned_attempt,
            shortages=(shortage,),
        )
        self.apply(answer_plans({"order-1": self.order}, [answer], WORLD.policy, self.now))

    @precondition(lambda self: any(p.execution in WORK for p in self.order.parcels))
    @rule(draw=st.data())
    def work(self, draw: st.DataObject) -> None:
        """Do the next step of some parcel."""
        at_work = [p for p in self.order.parcels if p.execution in WORK]
        self.tell(draw, draw.draw(st.sampled_from(at_work)), PROGRESS)

    @precondition(lambda self: self.order.parcels)
    @rule(draw=st.data())
    def say(self, draw: st.DataObject) -> None:
        """Say anything about any parcel."""
        parcel = draw.draw(st.sampled_from(self.order.parcels))
        self.tell(draw, parcel, ANYTHING)

    def tell(self, draw: st.DataObject, parcel: Parcel, actions: tuple[Action, ...]) -> None:
        """Say something about a parcel twice; where it is possible something legal."""
        legal = [action for action in actions if next_step(action, parcel)]
        action = draw.draw(st.sampled_from(legal or list(Action)))
        details = draw.draw(_details(action, parcel))
        attempt = parcel.attempt + (actions is ANYTHING and draw.draw(st.booleans()))
        word = Command(parcel.parcel_id, action, attempt, "worker", None, details)
        hearing = Hearing({"order-1": self.order}, {parcel.parcel_id: "order-1"}, {})
        heard = hear([word, word], hearing, self.now)
        first, second = heard.answers
        assert first == second
        if first.verdict not in (Verdict.APPLIED, Verdict.CONFLICTED):
            assert heard.decision == Decision((self.order,), ())
        self.apply(heard.decision)

    @precondition(lambda self: self.requests_count < REQUESTS_MAX)
    @rule(units=UNITS | st.just(NO_UNITS))
    def cancel(self, units: dict[str, int]) -> None:
        """Ask to cancel some units, or all."""
        self.requests_count += 1
        wanted = tuple(
            LineUnits(line_id=line_id, quantity_units=count) for line_id, count in units.items()
        )
        request = CancellationRequested(
            occurred_at=self.now,
            order_id="order-1",
            request_id=f"request-{self.requests_count}",
            lines=wanted or None,
            reason="",
            requested_by="",
        )
        asks_before = sum(sum(asked_of(p).values()) for p in self.order.parcels)
        decision = cancel({"order-1": self.order}, [request], WORLD.policy, self.now)
        asks_after = sum(sum(asked_of(p).values()) for p in decision.orders[0].parcels)
        assert decision.events or asks_after > asks_before
        if units:
            said = sum(
                each.quantity_units
                for event in decision.events
                if isinstance(event, OrderCancelled | CancellationRefused)
                for each in event.lines
            )
            assert said + asks_after - asks_before == sum(units.values())
        self.apply(decision)

    @rule(hours=st.sampled_from([0.001, 2, 48]))
    def wait(self, hours: float) -> None:
        """Let time pass: answers fail to come, waits end."""
        self.now += timedelta(hours=hours)
        self.apply(time_out([self.order], self.now))

    def apply(self, decision: Decision) -> None:
        """Plan what wants a plan, and count what is published."""
        # Stock never changes here: what is held of it is inventory's business.
        routed = route(decision, WORLD, prospect(STOCK), self.now)
        before = getattr(self, "order", decision.orders[0])
        changes_of({"order-1": before}, routed.orders)
        self.order: Order = routed.orders[0]
        for event in routed.events:
            self.count(event)

    def count(self, event: Event) -> None:
        """Add what a fact says to the sums."""
        match event:
            case OrderCancelled(lines=lines, parcels=parcels):
                self.add("cancelled", lines)
                self.cancelled_in.update(_units_in(parcels))
            case OrderUnroutable(lines=lines):
                self.add("unroutable", lines)
            case ParcelShipped(lines=lines, parcel_id=parcel_id):
                self.add("shipped", lines)
                self.shipped_in.update({(parcel_id, e.line_id): e.quantity_units for e in lines})
            case ParcelReturned(lines=lines):
                self.add("returned", lines)
            case ShipmentConflicted(parcel_id=parcel_id):
                assert parcel_id not in {shipped for shipped, _ in self.shipped_in}
            case _:
                return

    def add(self, counter: str, lines: Iterable[LineUnits | ReturnedLine]) -> None:
        """Add units of lines to one counter."""
        for each in lines:
            self.facts[counter, each.line_id] += each.quantity_units

    @invariant()
    def counters_are_the_sum_of_the_published_facts(self) -> None:
        """Every counter can be told from the events alone."""
        for each in self.order.lines:
            assert each.open_units >= 0
            assert each.cancelled_units == self.facts["cancelled", each.line_id]
            assert each.unroutable_units == self.facts["unroutable", each.line_id]
            assert each.shipped_units == self.facts["shipped", each.line_id]
            assert each.returned_units == self.facts["returned", each.line_id]
            assert each.returned_units <= each.shipped_units

    @invariant()
    def each_open_unit_is_in_one_parcel_at_most(self) -> None:
        """Parcels never hold more than is open."""
        assert all(units > 0 for units in self.order.uncovered().values())

    @invariant()
    def no_parcel_ships_what_was_cancelled_in_it(self) -> None:
        """What left a parcel is not shipped from it."""
        for parcel in self.order.parcels:
            for each in parcel.lines:
                key = (parcel.parcel_id, each.line_id)
                assert self.cancelled_in[key] == each.cancelled_units
                assert self.shipped_in[key] == each.shipped_units
                assert each.shipped_units in (0, each.content_units)
            asked = asked_of(parcel)
            assert not asked or parcel.execution in (Execution.PICKING, Execution.PICKED)
            assert all(asked.get(e.line_id, 0) <= e.content_units for e in parcel.lines)

    @invariant()
    def nothing_is_forgotten(self) -> None:
        """Units that no parcel holds have a plan in flight or a time to try again."""
        if not self.order.is_granted:
            return
        planned = any(p.execution is Execution.PLANNED for p in self.order.parcels)
        assert planned == bool(self.order.planned_attempt)
        if self.order.uncovered():
            assert self.order.planned_attempt or self.order.retry_at


def _units_in(parcels: Iterable[CancelledParcel]) -> Counter[tuple[str, str]]:
    units: Counter[tuple[str, str]] = Counter()
    for parcel in parcels:
        for each in parcel.lines:
            units[parcel.parcel_id, each.line_id] += each.quantity_units
    return units


def _details(action: Action, parcel: Parcel) -> st.SearchStrategy[Details]:
    units = st.integers(1, 4)
    match action:
        case Action.REJECT:
            return st.builds(Reject, st.sampled_from(RejectionReason), st.none())
        case Action.PICK:
            found = st.lists(
                st.builds(LineUnits, line_id=LINES, quantity_units=units),
                max_size=2,
                unique_by=lambda each: each.line_id,
            ).map(tuple)
            return st.builds(Pick, st.none() | st.none() | found)
        case Action.SHIP:
            return st.just(Ship("sf", "SF1", None))
        case Action.RETURN:
            graded = st.builds(
                ReturnedLine, line_id=LINES, quantity_units=units, grade=st.sampled_from(Grade)
            )
            return st.builds(
                Return,
                st.integers(0, 9).map(lambda number: f"return-{number}"),
                st.just("node-0"),
                st.lists(graded, min_size=1, max_size=2).map(tuple),
            )
        case Action.ANSWER_CANCEL:
            requests = [None, *(each.request_id for each in parcel.asks)]
            return st.builds(AnswerCancel, st.sampled_from(requests), st.booleans())
        case _:
            return st.just(Plain())


TestFulfilment = Fulfilment.TestCase
TestFulfilment.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
