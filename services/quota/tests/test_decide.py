"""The rules of order limits, without a database or a broker."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from contracts.event import Event
from contracts.fulfilments import (
    OrderCancelled,
    ParcelReturned,
    ParcelShipped,
    ReturnedLine,
)
from contracts.holds import (
    QuotaCaptured,
    QuotaExpired,
    QuotaGranted,
    QuotaRefused,
    QuotaReleased,
    QuotaReversed,
    RefusalReason,
)
from contracts.orders import OrderAccepted, OrderLine, Scenario
from contracts.plans import OrderUnroutable
from contracts.values import ExecutionStep, Grade, LinePart, LineUnits, Place, Service
from quota import decide
from quota.model import Account, Book, Decision, EntryKind, Hold, HoldLine, Limit, TopUp

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
DEALER = Account("dealer", "party", "CNY", 0, 72, 0, 0, 1_000, is_blocked=False, entry_sequence=0)


def order(
    order_id: str,
    *prices_minor: int,
    priority: int = 0,
    minute: int = 0,
    account: str | None = "dealer",
) -> OrderAccepted:
    return OrderAccepted(
        occurred_at=NOW,
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
        limit_account_id=account,
        currency="CNY",
        lines=tuple(
            OrderLine(
                line_id=str(index),
                goods_id="goods",
                quantity_units=2,
                unit_price_minor=price,
                discount_minor=0,
                freight_minor=0,
                supply_price_minor=price,
                parts=(LinePart(goods_id="goods", units_each=1),),
            )
            for index, price in enumerate(prices_minor, start=1)
        ),
        service=Service.SHIP,
        place=Place(region_code="CN-310109"),
        consumer_ref="consumer",
        placed_at=NOW + timedelta(minutes=minute),
        paid_at=NOW,
        priority=priority,
    )


def shipped(order_id: str, line_id: str, units: int) -> ParcelShipped:
    return ParcelShipped(
        occurred_at=NOW,
        order_id=order_id,
        parcel_id="parcel",
        attempt=1,
        node_id="node",
        actor="clerk",
        lines=(LineUnits(line_id=line_id, quantity_units=units),),
        goods=(),
        carrier_id="carrier",
        waybill="1",
        freight_minor=0,
        currency="CNY",
    )


def cancelled(order_id: str, **units: int) -> OrderCancelled:
    return OrderCancelled(
        occurred_at=NOW,
        order_id=order_id,
        request_id="request",
        lines=tuple(LineUnits(line_id=key[1:], quantity_units=n) for key, n in units.items()),
        parcels=(),
        voided_attempt=0,
        step=ExecutionStep.WAITING,
        order_done=True,
    )


def returned(order_id: str, line_id: str, units: int) -> ParcelReturned:
    return ParcelReturned(
        occurred_at=NOW,
        order_id=order_id,
        parcel_id="parcel",
        attempt=1,
        node_id="node",
        actor="clerk",
        return_id="return",
        lines=(ReturnedLine(line_id=line_id, quantity_units=units, grade=Grade.SELLABLE),),
        goods=(),
    )


def unroutable(order_id: str, line_id: str, units: int) -> OrderUnroutable:
    return OrderUnroutable(
        occurred_at=NOW,
        order_id=order_id,
        attempt=1,
        decision_id="decision",
        lines=(LineUnits(line_id=line_id, quantity_units=units),),
        reasons=(),
        order_done=False,
    )


def book(*accounts: Account) -> Book:
    return Book({each.account_id: each for each in accounts or (DEALER,)}, {}, frozenset(), {}, {})


def after(before: Book, decision: Decision) -> Book:
    """Return the book that the next decision reads, when all of it is stored and loaded again."""
    accounts = {**before.accounts, **{each.account_id: each for each in decision.accounts}}
    changed = (*decision.opened, *decision.changed)
    holds = {**before.holds, **{each.order_id: each for each in changed}}
    lines = {key: {line.line_id: line for line in each} for key, each in before.lines.items()}
    for line in (*decision.opened_lines, *decision.changed_lines):
        lines.setdefault(line.order_id, {})[line.line_id] = line
    waiting = sorted(
        (each for each in holds.values() if each.waits_until is not None),
        key=lambda each: (-each.priority, each.placed_at, each.order_id),
    )
    queues = {
        account: queue
        for account in accounts
        if (queue := [each for each in waiting if each.account_id == account])
    }
    stored_lines = {key: list(each.values()) for key, each in lines.items()}
    return Book(accounts, queues, frozenset(), holds, stored_lines)


def taken(start: Book, *orders: OrderAccepted) -> tuple[Book, Sequence[Event]]:
    decision = decide.hold(start, orders, NOW)
    return after(start, decision), decision.events


def granted(events: Sequence[Event]) -> list[str]:
    return [event.order_id for event in events if isinstance(event, QuotaGranted)]


def test_holds_at_supply_price_up_to_exactly_the_limit() -> None:
    state, events = taken(book(), order("a", 500))
    (event,) = events
    assert isinstance(event, QuotaGranted)
    assert (event.account_id, event.amount_minor) == ("dealer", 1_000)
    assert state.accounts["dealer"].held_minor == 1_000
    assert state.accounts["dealer"].available_minor == 0


def test_one_unit_over_the_limit_is_refused_and_holds_nothing() -> None:
    state, events = taken(book(replace(DEALER, limit_minor=999)), order("a", 500))
    (event,) = events
    assert isinstance(event, QuotaRefused)
    assert (event.shortfall_minor, event.reason) == (1, RefusalReason.OVER_LIMIT)
    assert event.waits_until == NOW + timedelta(hours=72)
    assert state.accounts["dealer"] == replace(DEALER, limit_minor=999)


def test_an_order_without_an_account_is_granted_with_amount_0() -> None:
    decision = decide.hold(book(), [order("a", 500, account=None)], NOW)
    (event,) = decision.events
    assert isinstance(event, QuotaGranted)
    assert (event.account_id, event.amount_minor) == (None, 0)
    assert not decision.accounts
    assert not decision.entries


def test_an_order_of_gifts_alone_goes_on_though_the_account_is_used_up() -> None:
    _, events = taken(book(replace(DEALER, limit_minor=-5)), order("a", 0))
    assert granted(events) == ["a"]


def test_the_same_order_again_changes_nothing() -> None:
    state, _ = taken(book(), order("a", 10))
    decision = decide.hold(state, [order("a", 10), order("a", 10)], NOW)
    assert decision == Decision([], [], [], [], [], [], [])


def test_an_order_behind_others_is_queued_though_it_would_fit() -> None:
    _, events = taken(book(), order("big", 501), order("small", 1, minute=1))
    assert [type(event) for event in events] == [QuotaRefused, QuotaRefused]
    small = events[1]
    assert isinstance(small, QuotaRefused)
    assert (small.reason, small.shortfall_minor) == (RefusalReason.QUEUED, 0)


def test_a_higher_priority_goes_before_those_that_wait() -> None:
    _, events = taken(book(), order("big", 501), order("urgent", 1, minute=1, priority=5))
    assert granted(events) == ["urgent"]


def test_a_blocked_account_refuses_and_grants_in_order_when_opened() -> None:
    blocked = book(replace(DEALER, is_blocked=True))
    state, events = taken(blocked, order("later", 10, minute=9), order("sooner", 10))
    assert [event.reason for event in events if isinstance(event, QuotaRefused)] == [
        RefusalReason.ACCOUNT_BLOCKED
    ] * 2
    opened = decide.block(state, "dealer", NOW, is_blocked=False, reason="paid")
    assert granted(opened.events) == ["sooner", "later"]
    assert [entry.kind for entry in opened.entries] == [
        EntryKind.UNBLOCK,
        EntryKind.HOLD,
        EntryKind.HOLD,
    ]


def test_blocking_twice_leaves_one_entry() -> None:
    state = after(book(), decide.block(book(), "dealer", NOW, is_blocked=True, reason="overdue"))
    again = decide.block(state, "dealer", NOW, is_blocked=True, reason="overdue")
    assert not again.entries


def test_a_top_up_grants_by_priority_then_age_then_id_and_stops_at_what_does_not_fit() -> None:
    waiting = [
        order("young", 100, minute=5),
        order("b", 100),
        order("a", 100),
        order("first", 100, priority=1, minute=7),
        order("large", 1_000, minute=3),
    ]
    state, _ = taken(book(replace(DEALER, limit_minor=0)), *waiting)
    decision = decide.top_up(state, [TopUp("dealer", "t1", 1_000)], NOW)
    assert granted(decision.events) == ["first", "a", "b"]
    assert after(state, decision).accounts["dealer"].available_minor == 400


def test_skip_to_fit_passes_an_order_at_most_so_often() -> None:
    dealer = replace(DEALER, skips_max=2, limit_minor=100)
    state, events = taken(
        book(dealer), order("big", 400), *(order(f"s{n}", 1, minute=n) for n in range(1, 5))
    )
    assert granted(events) == ["s1", "s2"]
    assert state.holds["big"].skips == 2
    reasons = [event.reason for event in events if isinstance(event, QuotaRefused)]
    assert reasons == [RefusalReason.OVER_LIMIT, RefusalReason.QUEUED, RefusalReason.QUEUED]


def test_a_raised_limit_counts_at_once_and_a_future_one_does_not() -> None:
    state, _ = taken(book(), order("a", 600))
    later = NOW + timedelta(days=1)
    decision, _ = decide.limit(state, [Limit("dealer", "l", 5_000, later, None)], NOW)
    assert not granted(decision.events)
    decision, numbered = decide.limit(state, [Limit("dealer", "l", 1_200, NOW, later)], NOW)
    assert granted(decision.events) == ["a"]
    assert [each.entry_sequence for each in numbered] == [1]


def test_a_limit_that_has_become_valid_is_drained() -> None:
    state, _ = taken(book(), order("a", 600))
    state = replace(state, accounts={"dealer": replace(DEALER, limit_minor=1_200)})
    assert granted(decide.drain(state, NOW).events) == ["a"]


def test_a_lowered_limit_blocks_new_holds_and_fails_no_capture() -> None:
    state, _ = taken(book(), order("a", 400))
    state = after(state, decide.limit(state, [Limit("dealer", "l", 0, NOW, None)], NOW)[0])
    assert state.accounts["dealer"].available_minor == -800
    _, events = taken(state, order("b", 1))
    assert not granted(events)
    decision = decide.apply(state, [shipped("a", "1", 2)], NOW)
    (event,) = decision.events
    assert isinstance(event, QuotaCaptured)
    assert event.amount_minor == 800
    account = after(state, decision).accounts["dealer"]
    assert (account.settled_minor, account.held_minor) == (-800, 0)


def test_captures_per_line_and_keeps_the_rest_held() -> None:
    state, _ = taken(book(), order("a", 100, 30))
    state = after(state, decide.apply(state, [shipped("a", "1", 1), shipped("a", "2", 2)], NOW))
    account, held = state.accounts["dealer"], state.holds["a"]
    assert (account.settled_minor, account.held_minor) == (-160, 100)
    assert (held.captured_minor, held.open_minor) == (160, 100)


def test_nothing_beyond_what_is_there_is_captured_released_or_reversed() -> None:
    state, _ = taken(book(), order("a", 100))
    facts = [
        shipped("a", "1", 9),
        cancelled("a", l1=9),
        returned("a", "1", 9),
        returned("a", "1", 9),
    ]
    decision = decide.apply(state, facts, NOW)
    assert [type(event) for event in decision.events] == [QuotaCaptured, QuotaReversed]
    account = after(state, decision).accounts["dealer"]
    assert (account.settled_minor, account.held_minor) == (0, 0)


def test_a_release_and_a_return_let_waiting_orders_go_on() -> None:
    state, _ = taken(book(), order("a", 500), order("b", 200, minute=1), order("c", 300, minute=2))
    released = decide.apply(state, [unroutable("a", "1", 1)], NOW)
    assert granted(released.events) == ["b"]
    assert isinstance(released.events[0], QuotaReleased)
    state = after(state, released)
    state = after(state, decide.apply(state, [shipped("a", "1", 1)], NOW))
    assert granted(decide.apply(state, [returned("a", "1", 1)], NOW).events) == ["c"]


def test_a_cancelled_waiting_order_leaves_and_unblocks_the_queue() -> None:
    state, _ = taken(book(), order("big", 501), order("small", 1, minute=1))
    decision = decide.apply(state, [cancelled("big", l1=2)], NOW)
    assert granted(decision.events) == ["small"]
    assert not [event for event in decision.events if isinstance(event, QuotaReleased)]
    gone = after(state, decision).holds["big"]
    assert (gone.waits_until, gone.granted_at, gone.open_minor) == (None, None, 0)


def test_a_waiting_order_that_lost_units_may_fit() -> None:
    state, _ = taken(book(), order("big", 501))
    decision = decide.apply(state, [cancelled("big", l1=1)], NOW)
    (event,) = decision.events
    assert isinstance(event, QuotaGranted)
    assert event.amount_minor == 501


def test_a_waiting_order_left_with_gifts_alone_goes_on() -> None:
    state, _ = taken(book(), order("big", 501, 0))
    decision = decide.apply(state, [cancelled("big", l1=2)], NOW)
    (event,) = decision.events
    assert isinstance(event, QuotaGranted)
    assert event.amount_minor == 0


def test_a_wait_ends_once_and_the_next_go_on() -> None:
    state, _ = taken(book(), order("big", 501), order("small", 1, minute=1))
    assert not decide.expire(state, ["big"], NOW).events
    end = NOW + timedelta(hours=72)
    decision = decide.expire(state, ["big"], end)
    assert [type(event) for event in decision.events] == [QuotaExpired, QuotaGranted]
    state = after(state, decision)
    assert not decide.expire(state, ["big"], end).events
    assert not decide.apply(state, [cancelled("big", l1=2)], end).events


def test_orders_behind_the_front_that_was_loaded_wait_without_being_looked_at() -> None:
    state, _ = taken(book(replace(DEALER, limit_minor=0)), order("front", 100))
    opened = {"dealer": replace(DEALER, limit_minor=5_000)}
    deep = replace(state, accounts=opened, deep=frozenset({"dealer"}))
    decision = decide.hold(deep, [order("behind", 1, minute=1)], NOW)
    assert granted(decision.events) == ["front"]
    refused = [event for event in decision.events if isinstance(event, QuotaRefused)]
    assert [event.order_id for event in refused] == ["behind"]


def test_a_line_that_the_order_has_not_is_an_error() -> None:
    state, _ = taken(book(), order("a", 100))
    with pytest.raises(LookupError, match="order a has no line 7"):
        decide.apply(state, [shipped("a", "7", 1)], NOW)


def test_every_entry_continues_the_one_before_it() -> None:
    state, _ = taken(book(), order("a", 100), order("b", 50))
    decision = decide.apply(state, [shipped("a", "1", 1), cancelled("b", l1=1)], NOW)
    assert [entry.entry_sequence for entry in decision.entries] == [3, 4]
    last = decision.entries[-1]
    account = after(state, decision).accounts["dealer"]
    assert (last.settled_minor, last.held_minor) == (account.settled_minor, account.held_minor)


def test_models_say_what_is_open() -> None:
    line = HoldLine("a", "1", 5, 10, captured_units=3, released_units=2)
    assert line.open_units == 5
    held = Hold("a", "h", "dealer", "CNY", 50, 0, NOW, captured_minor=15, released_minor=10)
    assert held.open_minor == 25
