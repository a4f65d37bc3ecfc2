"""Any sequence of orders, facts, top-ups and moving limits: never overspent, nothing lost, fair."""

# ruff: noqa: D102 - the names of rules and invariants say it

from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from contracts.fulfilments import OrderCancelled, ParcelReturned, ParcelShipped, ReturnedLine
from contracts.orders import OrderAccepted, OrderLine, Scenario
from contracts.values import ExecutionStep, Grade, LinePart, LineUnits, Place, Service
from quota import decide
from quota.decide.queue import place_of
from quota.model import Account, Book, Decision, Entry, EntryKind, Hold, HoldLine, Limit, TopUp

START = datetime(2026, 3, 1, tzinfo=UTC)
UNITS = st.integers(1, 4)


class AccountMachine(RuleBasedStateMachine):
    """One account; the machine keeps the rows as the tables would, and loads a short front."""

    @initialize(
        skips_max=st.integers(0, 2), limit_minor=st.integers(0, 60), front=st.integers(1, 4)
    )
    def open_account(self, skips_max: int, limit_minor: int, front: int) -> None:
        self.now = START
        self.front = front
        self.was_deep = False
        self.account = Account(
            "dealer", "party", "CNY", skips_max, 5, 0, 0, 0, is_blocked=False, entry_sequence=0
        )
        self.holds: dict[str, Hold] = {}
        self.lines: dict[tuple[str, str], HoldLine] = {}
        self.entries: list[Entry] = []
        self.limits: list[Limit] = []
        self.paid_minor = 0
        self.set_limit(limit_minor, 0, None)

    @rule(price=st.integers(0, 12), units=UNITS, priority=st.integers(0, 1), age=st.integers(0, 9))
    def accept(self, price: int, units: int, priority: int, age: int) -> None:
        number = str(len(self.holds))
        placed_at = START - timedelta(minutes=age)
        order = _order(number, (price, units, priority), placed_at)
        self._store(decide.hold(self._book(), [order], self.now))

    @rule(data=st.data(), units=UNITS)
    def ship(self, data: st.DataObject, units: int) -> None:
        going = [each.order_id for each in self.holds.values() if each.granted_at]
        if going:
            order_id = data.draw(st.sampled_from(going))
            self._store(decide.apply(self._book(), [_shipped(order_id, units)], self.now))

    @rule(data=st.data(), units=UNITS)
    def take_back(self, data: st.DataObject, units: int) -> None:
        if self.holds:
            order_id = data.draw(st.sampled_from(sorted(self.holds)))
            self._store(decide.apply(self._book(), [_returned(order_id, units)], self.now))

    @rule(data=st.data(), units=UNITS)
    def cancel(self, data: st.DataObject, units: int) -> None:
        if self.holds:
            order_id = data.draw(st.sampled_from(sorted(self.holds)))
            self._store(decide.apply(self._book(), [_cancelled(order_id, units)], self.now))

    @rule(amount_minor=st.integers(1, 30))
    def top_up(self, amount_minor: int) -> None:
        self.paid_minor += amount_minor
        paid = TopUp("dealer", str(self.paid_minor), amount_minor)
        self._store(decide.top_up(self._book(), [paid], self.now))

    @rule(amount=st.integers(0, 60), start=st.integers(0, 3), hours=st.none() | st.integers(1, 4))
    def set_limit(self, amount: int, start: int, hours: int | None) -> None:
        begin = self.now + timedelta(hours=start)
        end = None if hours is None else begin + timedelta(hours=hours)
        wanted = Limit("dealer", str(len(self.limits)), amount, begin, end)
        decision, numbered = decide.limit(self._book(), [wanted], self.now)
        self.limits.extend(numbered)
        self._store(decision)

    @rule(is_blocked=st.booleans())
    def block(self, is_blocked: bool) -> None:  # noqa: FBT001 Hypothesis draws it by name
        self._store(
            decide.block(self._book(), "dealer", self.now, is_blocked=is_blocked, reason="person")
        )

    @rule(hours=st.integers(1, 3))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self._load_limit()
        self._store(decide.expire(self._book(every=True), sorted(self.holds), self.now))
        # As the schedule does: look again until a look grants nothing.
        while (decision := decide.drain(self._book(), self.now)).events:
            self._store(decision)
        self.was_deep = False

    @invariant()
    def never_overspent(self) -> None:
        for entry in getattr(self, "entries", []):
            if entry.kind is EntryKind.HOLD:
                assert entry.held_minor - entry.settled_minor <= entry.limit_minor
                assert entry.limit_minor == self._limit_at(entry)

    @invariant()
    def conserved(self) -> None:
        if not hasattr(self, "holds"):
            return
        granted = [each for each in self.holds.values() if each.granted_at]
        captured = sum(each.captured_minor - each.reversed_minor for each in granted)
        assert self.account.held_minor == sum(each.open_minor for each in granted)
        assert self.account.settled_minor == self.paid_minor - captured
        assert all(each.open_minor >= 0 for each in self.holds.values())
        assert all(0 <= line.reversed_units <= line.captured_units for line in self.lines.values())
        assert all(line.open_units >= 0 for line in self.lines.values())

    @invariant()
    def entries_continue_each_other(self) -> None:
        settled_minor = held_minor = 0
        for sequence, entry in enumerate(getattr(self, "entries", []), start=1):
            settled_minor += entry.settled_change_minor
            held_minor += entry.held_change_minor
            assert entry.entry_sequence == sequence
            assert (entry.settled_minor, entry.held_minor) == (settled_minor, held_minor)

    @invariant()
    def nobody_waits_who_could_go_nor_is_passed_too_often(self) -> None:
        if not hasattr(self, "holds"):
            return
        queue = self._queue()
        assert all(each.skips <= self.account.skips_max for each in queue)
        # Where a front did not show all, the schedule's looks decide: see `wait`.
        if queue and not self.account.is_blocked and not self.was_deep:
            assert queue[0].open_minor > self.account.available_minor

    def _queue(self) -> list[Hold]:
        return sorted((each for each in self.holds.values() if each.waits_until), key=place_of)

    def _book(self, *, every: bool = False) -> Book:
        queue = self._queue()
        front = len(queue) if every else self.front
        deep = frozenset({"dealer"} if len(queue) > front else ())
        self.was_deep = self.was_deep or bool(deep)
        lines: dict[str, list[HoldLine]] = {order_id: [] for order_id in self.holds}
        for line in self.lines.values():
            lines[line.order_id].append(line)
        queues = {"dealer": queue[:front]} if queue else {}
        return Book({"dealer": self.account}, queues, deep, self.holds, lines)

    def _store(self, decision: Decision) -> None:
        for account in decision.accounts:
            self.account = account
        self.holds |= {each.order_id: each for each in (*decision.opened, *decision.changed)}
        for line in (*decision.opened_lines, *decision.changed_lines):
            self.lines[line.order_id, line.line_id] = line
        self.entries.extend(decision.entries)

    def _load_limit(self) -> None:
        in_force = [each for each in self.limits if _covers(each, self.now)]
        amount_minor = in_force[-1].amount_minor if in_force else 0
        self.account = replace(self.account, limit_minor=amount_minor)

    def _limit_at(self, entry: Entry) -> int:
        known = [each for each in self.limits if each.entry_sequence < entry.entry_sequence]
        in_force = [each for each in known if _covers(each, entry.recorded_at)]
        return in_force[-1].amount_minor if in_force else 0


def _covers(limit: Limit, moment: datetime) -> bool:
    return limit.valid_from <= moment and (limit.valid_to is None or moment < limit.valid_to)


def _order(order_id: str, terms: tuple[int, int, int], placed_at: datetime) -> OrderAccepted:
    price_minor, units, priority = terms
    line = OrderLine(
        line_id="1",
        goods_id="goods",
        quantity_units=units,
        unit_price_minor=price_minor,
        discount_minor=0,
        freight_minor=0,
        supply_price_minor=price_minor,
        parts=(LinePart(goods_id="goods", units_each=1),),
    )
    return OrderAccepted(
        occurred_at=placed_at,
        order_id=order_id,
        order_version=1,
        brand_id="brand",
        channel="shopify",
        shop_id="shop",
        channel_order_number=order_id,
        scenario=Scenario.DROP_SHIPPING,
        seller_id="party",
        agreement_id="agreement",
        agreement_version=1,
        limit_account_id="dealer",
        currency="CNY",
        lines=(line,),
        service=Service.SHIP,
        place=Place(region_code="CN-310109"),
        consumer_ref="consumer",
        placed_at=placed_at,
        paid_at=placed_at,
        priority=priority,
    )


def _shipped(order_id: str, units: int) -> ParcelShipped:
    return ParcelShipped(
        occurred_at=START,
        order_id=order_id,
        parcel_id="parcel",
        attempt=1,
        node_id="node",
        actor="clerk",
        lines=(LineUnits(line_id="1", quantity_units=units),),
        goods=(),
        carrier_id="carrier",
        waybill="1",
        freight_minor=0,
        currency="CNY",
    )


def _returned(order_id: str, units: int) -> ParcelReturned:
    return ParcelReturned(
        occurred_at=START,
        order_id=order_id,
        parcel_id="parcel",
        attempt=1,
        node_id="node",
        actor="clerk",
        return_id="return",
        lines=(ReturnedLine(line_id="1", quantity_units=units, grade=Grade.SELLABLE),),
        goods=(),
    )


def _cancelled(order_id: str, units: int) -> OrderCancelled:
    return OrderCancelled(
        occurred_at=START,
        order_id=order_id,
        request_id="request",
        lines=(LineUnits(line_id="1", quantity_units=units),),
        parcels=(),
        voided_attempt=0,
        step=ExecutionStep.WAITING,
        order_done=True,
    )


TestAccountMachine = AccountMachine.TestCase
TestAccountMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
