"""Any sequence of plans, facts and commands: never oversold, nothing lost, all explained."""

# ruff: noqa: D102 - the names of rules and invariants say it

from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from inventory_builders import (
    About,
    about,
    cancelled,
    conflicted,
    parcel,
    picked,
    planned,
    rejected,
    returned,
    shipped,
    voided,
)

from contracts.availability import AvailabilityChanged
from contracts.fulfilments import Disposition, ParcelPicked, ParcelShipped, ShipmentConflicted
from contracts.plans import OrderRouted
from contracts.reservations import StockReserved, StockShort
from contracts.values import Grade
from inventory import decide
from inventory.model import (
    Cause,
    CauseKind,
    Condition,
    Decision,
    Fact,
    Movement,
    Operation,
    PutAwayLine,
    Refusal,
    Reservation,
    StockKey,
    StockLevel,
    StockLine,
)
from testbed.clock import START

TakingAway: TypeAlias = Callable[..., ParcelPicked | ParcelShipped | ShipmentConflicted]
NODES = st.sampled_from(["hangzhou", "chengdu"])
GOODS = st.sampled_from(["tea", "cup"])
UNITS = st.integers(1, 4)
LINES = st.lists(st.tuples(NODES, GOODS, UNITS), min_size=1, max_size=3)
CONDITIONS = st.sampled_from(
    [Condition.SELLABLE, Condition.DAMAGED, Condition.INSPECTION, Condition.QUARANTINE]
)
ORDERS = st.sampled_from(["o1", "o2", "o3"])


class StockMachine(RuleBasedStateMachine):
    """The machine keeps the rows as the tables would, and an account of its own beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.stock: dict[StockKey, StockLevel] = {}
        self.reservations: dict[tuple[str, str], Reservation] = {}
        self.ledger: list[Movement] = []
        self.fences: Counter[str] = Counter()
        self.routed_attempts: Counter[str] = Counter()
        self.published: dict[tuple[str, str], AvailabilityChanged] = {}
        self.named_units: Counter[tuple[str, str]] = Counter()

    @rule(node_id=NODES, goods_id=GOODS, condition=CONDITIONS, units=UNITS)
    def receive(self, node_id: str, goods_id: str, condition: Condition, units: int) -> None:
        line = StockLine(StockKey(node_id, goods_id, condition), units)
        cause = Cause(CauseKind.RECEIPT, f"receipt-{len(self.ledger)}")
        self._store(decide.receive([line], self.stock, cause, START))
        self.named_units[node_id, goods_id] += units

    @rule(node_id=NODES, goods_id=GOODS, condition=CONDITIONS, units=st.integers(-4, 4))
    def adjust(self, node_id: str, goods_id: str, condition: Condition, units: int) -> None:
        line = StockLine(StockKey(node_id, goods_id, condition), units)
        cause = Cause(CauseKind.ADJUSTMENT, f"adjustment-{len(self.ledger)}")
        decision = decide.adjust([line], self.stock, cause, START)
        if isinstance(decision, Decision):
            self._store(decision)
            self.named_units[node_id, goods_id] += units

    @rule(node_id=NODES, goods_id=GOODS, units=UNITS)
    def put_away(self, node_id: str, goods_id: str, units: int) -> None:
        shelf = StockKey(node_id, goods_id, Condition.SELLABLE)
        line = PutAwayLine(shelf._replace(condition=Condition.QUARANTINE), shelf, units)
        cause = Cause(CauseKind.PUT_AWAY, f"put-away-{len(self.ledger)}")
        decision = decide.put_away([line], self.stock, cause, START)
        if not isinstance(decision, Refusal):
            self._store(decision)

    @rule(order_id=ORDERS, lines=LINES, is_new=st.booleans())
    def route(self, order_id: str, lines: list[tuple[str, str, int]], is_new: bool) -> None:  # noqa: FBT001
        self.routed_attempts[order_id] += is_new
        attempt = max(1, self.routed_attempts[order_id])
        fenced = attempt <= self.fences[order_id]
        event = _routed(order_id, attempt, lines)
        decision = decide.reserve([Fact(event, "routed")], self.stock, self.fences, START)
        self.fences[order_id] = max(self.fences[order_id], attempt)
        self._store(decision)
        answers = [e for e in decision.events if isinstance(e, StockReserved | StockShort)]
        assert len(answers) == (0 if fenced else 1)

    @rule(data=st.data(), units=st.integers(0, 3))
    def reject(self, data: st.DataObject, units: int) -> None:
        if row := self._parcel(data):
            missing = {row.goods_id: units} if units else {}
            self._fulfil(rejected(_about(row), **missing))
            self.named_units[row.node_id, row.goods_id] -= units

    @rule(data=st.data(), units=UNITS, make=st.sampled_from([picked, shipped, conflicted]))
    def take_away(self, data: st.DataObject, units: int, make: TakingAway) -> None:
        if row := self._parcel(data):
            self._fulfil(make(_about(row), **{row.goods_id: units}))
            self.named_units[row.node_id, row.goods_id] -= units

    @rule(data=st.data(), units=UNITS, grade=st.sampled_from(Grade), node_id=NODES)
    def take_back(self, data: st.DataObject, units: int, grade: Grade, node_id: str) -> None:
        if row := self._parcel(data):
            self._fulfil(returned(_about(row, node_id), grade, **{row.goods_id: units}))
            self.named_units[node_id, row.goods_id] += units

    @rule(data=st.data(), units=UNITS, disposition=st.sampled_from(Disposition))
    def cancel_released(self, data: st.DataObject, units: int, disposition: Disposition) -> None:
        if row := self._parcel(data):
            self._fulfil(cancelled(_about(row), disposition, **{row.goods_id: units}))

    @rule(order_id=ORDERS, is_ahead=st.booleans())
    def void_plan(self, order_id: str, is_ahead: bool) -> None:  # noqa: FBT001
        voided_attempt = self.routed_attempts[order_id] + is_ahead
        if voided_attempt:
            self._fulfil(voided(order_id, voided_attempt))
            self.fences[order_id] = max(self.fences[order_id], voided_attempt)
            held = [
                row.held_units
                for row in self.reservations.values()
                if (row.order_id, row.attempt) == (order_id, voided_attempt)
            ]
            assert not any(held)

    @invariant()
    def stock_is_never_oversold(self) -> None:
        for level in self.stock.values():
            assert 0 <= level.reserved_units <= level.on_hand_units
            assert 0 <= level.missing_units <= level.reserved_units
            assert level.missing_units == 0 or level.available_units == 0

    @invariant()
    def only_sellable_stock_is_reserved_and_only_by_parcels(self) -> None:
        held_units: Counter[StockKey] = Counter()
        for row in self.reservations.values():
            held_units[StockKey(row.node_id, row.goods_id, Condition.SELLABLE)] += row.held_units
            assert 0 <= row.held_units <= row.quantity_units
        for key, level in self.stock.items():
            assert level.reserved_units == held_units[key]

    @invariant()
    def the_ledger_replays_to_the_levels(self) -> None:
        replayed: dict[StockKey, StockLevel] = {}
        for movement in self.ledger:
            before = replayed.get(movement.key, StockLevel())
            assert movement.version == before.version + 1
            replayed[movement.key] = StockLevel(
                before.on_hand_units + movement.change.on_hand_units,
                before.reserved_units + movement.change.reserved_units,
                before.missing_units + movement.change.missing_units,
                movement.version,
            )
        assert replayed == self.stock

    @invariant()
    def the_ledger_explains_what_each_parcel_holds(self) -> None:
        by_parcel: Counter[tuple[str | None, str]] = Counter()
        for movement in self.ledger:
            parcel = (movement.source.parcel_id, movement.key.goods_id)
            by_parcel[parcel] += movement.change.reserved_units
        for parcel, row in self.reservations.items():
            assert by_parcel[parcel] == row.held_units

    @invariant()
    def every_unit_named_is_in_the_books_or_in_the_excess(self) -> None:
        believed_units: Counter[tuple[str, str]] = Counter()
        for key, level in self.stock.items():
            there_units = level.on_hand_units - level.missing_units
            believed_units[key.node_id, key.goods_id] += there_units
        for movement in self.ledger:
            if movement.source.operation is not Operation.RELEASE:
                pair = (movement.key.node_id, movement.key.goods_id)
                believed_units[pair] -= movement.change.excess_units
        for pair in {*believed_units, *self.named_units}:
            assert believed_units[pair] == self.named_units[pair]

    @invariant()
    def what_was_published_is_what_can_be_promised(self) -> None:
        for key, level in self.stock.items():
            if key.condition is not Condition.SELLABLE:
                continue
            last = self.published.get((key.node_id, key.goods_id))
            assert level.available_units == (last.available_units if last else 0)

    def _parcel(self, data: st.DataObject) -> Reservation | None:
        if not self.reservations:
            return None
        return self.reservations[data.draw(st.sampled_from(sorted(self.reservations)))]

    def _fulfil(self, event: decide.FulfilmentEvent) -> None:
        facts = [Fact(event, "fact")]
        voided = decide.voided_attempts(facts)
        parcel_ids = decide.parcels_of(facts)
        rows = [
            row
            for row in self.reservations.values()
            if row.parcel_id in parcel_ids or (row.order_id, row.attempt) in voided
        ]
        keys = decide.keys_to_fulfil(facts, rows)
        stock = {key: self.stock[key] for key in keys if key in self.stock}
        decision = decide.fulfil(facts, stock, rows, START)
        assert decision.stock.keys() <= keys, "only locked rows may move"
        self._store(decision)

    def _store(self, decision: Decision) -> None:
        self.stock.update(decision.stock)
        self.ledger += decision.movements
        for row in decision.reservations:
            self.reservations[row.parcel_id, row.goods_id] = row
        for event in decision.events:
            if isinstance(event, AvailabilityChanged):
                last = self.published.get((event.node_id, event.goods_id))
                assert last is None or last.stock_version < event.stock_version
                self.published[event.node_id, event.goods_id] = event


def _routed(order_id: str, attempt: int, lines: list[tuple[str, str, int]]) -> OrderRouted:
    parcels = [
        parcel(f"{order_id}-{attempt}-{number}", node_id, **{goods_id: units})
        for number, (node_id, goods_id, units) in enumerate(lines)
    ]
    return planned(order_id, *parcels, attempt=attempt)


def _about(row: Reservation, node_id: str | None = None) -> About:
    what = about(row.order_id, row.attempt, node_id or row.node_id)
    return {**what, "parcel_id": row.parcel_id}


TestStockMachine = StockMachine.TestCase
TestStockMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
