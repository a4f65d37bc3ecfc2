"""The rules of stock, without a database or a broker."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.availability import AvailabilityChanged
from contracts.fulfilments import (
    CancelledParcel,
    Disposition,
    OrderCancelled,
    ParcelPicked,
    ParcelRejected,
    ParcelReturned,
    ParcelShipped,
    RejectionReason,
    ReturnedGoods,
    ShipmentConflicted,
)
from contracts.plans import OrderRouted, PlannedParcel
from contracts.reservations import Shortage, StockReserved, StockShort
from contracts.values import ExecutionStep, GoodsUnits, Grade
from inventory import decide
from inventory.model import (
    Cause,
    CauseKind,
    Condition,
    Decision,
    Fact,
    Operation,
    PutAwayLine,
    Refusal,
    Reservation,
    ReservationState,
    StockKey,
    StockLevel,
    StockLine,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TEA = StockKey("hangzhou", "tea", Condition.SELLABLE)
CUP = StockKey("hangzhou", "cup", Condition.SELLABLE)
TEA_QUARANTINED = TEA._replace(condition=Condition.QUARANTINE)
COUNT = Cause(CauseKind.ADJUSTMENT, "count-1")


def goods(**units: int) -> tuple[GoodsUnits, ...]:
    return tuple(
        GoodsUnits(goods_id=goods_id, quantity_units=each) for goods_id, each in units.items()
    )


def parcel(parcel_id: str, node_id: str = "hangzhou", **units: int) -> PlannedParcel:
    return PlannedParcel(
        parcel_id=parcel_id,
        node_id=node_id,
        lines=(),
        goods=goods(**units),
        promised_at=NOW,
        freight_minor=600,
        handling_minor=100,
    )


def routed(order_id: str, *parcels: PlannedParcel, attempt: int = 1) -> Fact[OrderRouted]:
    event = OrderRouted(
        occurred_at=NOW,
        order_id=order_id,
        attempt=attempt,
        decision_id=f"decision-{order_id}",
        currency="CNY",
        cost_minor=700,
        parcels=parcels,
    )
    return Fact(event, f"{order_id}-routed-{attempt}")


def held(units: int, **changes: int) -> Reservation:
    row = Reservation("p1", "tea", "o1", 1, "hangzhou", units)
    return replace(row, **changes)


def level(on_hand: int, reserved: int = 0, missing: int = 0) -> StockLevel:
    return StockLevel(on_hand, reserved, missing, version=7)


def rejected(**missing: int) -> Fact[decide.FulfilmentEvent]:
    event = ParcelRejected(
        occurred_at=NOW,
        order_id="o1",
        parcel_id="p1",
        attempt=1,
        node_id="hangzhou",
        actor="picker-7",
        reason=RejectionReason.NOT_ON_SHELF,
        lines=(),
        missing=goods(**missing),
    )
    return Fact(event, "o1-rejected")


def picked(**short: int) -> Fact[decide.FulfilmentEvent]:
    event = ParcelPicked(
        occurred_at=NOW,
        order_id="o1",
        parcel_id="p1",
        attempt=1,
        node_id="hangzhou",
        actor="picker-7",
        lines=(),
        goods=(),
        short_goods=goods(**short),
    )
    return Fact(event, "o1-picked")


def shipped(**units: int) -> Fact[decide.FulfilmentEvent]:
    event = ParcelShipped(
        occurred_at=NOW,
        order_id="o1",
        parcel_id="p1",
        attempt=1,
        node_id="hangzhou",
        actor="dock-2",
        lines=(),
        goods=goods(**units),
        carrier_id="sf",
        waybill="SF100",
        freight_minor=600,
        currency="CNY",
    )
    return Fact(event, "o1-shipped")


def conflicted(**units: int) -> Fact[decide.FulfilmentEvent]:
    event = ShipmentConflicted(
        occurred_at=NOW,
        order_id="o1",
        parcel_id="p1",
        attempt=1,
        node_id="hangzhou",
        actor="dock-2",
        lines=(),
        goods=goods(**units),
        carrier_id="sf",
        waybill="SF100",
    )
    return Fact(event, "o1-conflicted")


def cancelled(*parcels: CancelledParcel, voided_attempt: int = 0) -> Fact[decide.FulfilmentEvent]:
    event = OrderCancelled(
        occurred_at=NOW,
        order_id="o1",
        request_id="r1",
        lines=(),
        parcels=parcels,
        voided_attempt=voided_attempt,
        step=ExecutionStep.PICKED,
        order_done=True,
    )
    return Fact(event, "o1-cancelled")


def taken_out(disposition: Disposition, **units: int) -> CancelledParcel:
    return CancelledParcel(
        parcel_id="p1",
        node_id="hangzhou",
        lines=(),
        goods=goods(**units),
        disposition=disposition,
    )


def fulfil(
    fact: Fact[decide.FulfilmentEvent],
    stock: Mapping[StockKey, StockLevel],
    reservations: Sequence[Reservation] = (),
) -> Decision:
    return decide.fulfil([fact], stock, reservations, NOW)


def available(decision: Decision) -> dict[str, int]:
    return {
        event.goods_id: event.available_units
        for event in decision.events
        if isinstance(event, AvailabilityChanged)
    }


def test_covers_attempts_in_arrival_order_until_stock_runs_out() -> None:
    facts = [routed(order_id, parcel(f"p-{order_id}", tea=3)) for order_id in ("o1", "o2")]
    decision = decide.reserve(facts, {TEA: level(5)}, {}, NOW)
    held_answer, short_answer, availability = decision.events
    assert isinstance(held_answer, StockReserved)
    assert isinstance(short_answer, StockShort)
    assert short_answer.shortages == (
        Shortage(node_id="hangzhou", goods_id="tea", wanted_units=3, available_units=2),
    )
    assert isinstance(availability, AvailabilityChanged)
    assert (availability.available_units, availability.stock_version) == (2, 8)


def test_holds_all_parcels_of_an_attempt_or_none() -> None:
    fact = routed("o1", parcel("p1", tea=1), parcel("p2", cup=1))
    decision = decide.reserve([fact], {TEA: level(9), CUP: level(0)}, {}, NOW)
    assert [type(event) for event in decision.events] == [StockShort]
    assert not decision.movements
    assert not decision.reservations


def test_sums_parcels_that_want_the_same_goods_before_checking() -> None:
    fact = routed("o1", parcel("p1", tea=3), parcel("p2", tea=3))
    decision = decide.reserve([fact], {TEA: level(5)}, {}, NOW)
    (short,) = decision.events
    assert isinstance(short, StockShort)
    assert short.shortages[0].wanted_units == 6


def test_treats_unknown_goods_as_empty() -> None:
    decision = decide.reserve([routed("o1", parcel("p1", tea=1))], {}, {}, NOW)
    assert isinstance(decision.events[0], StockShort)


@pytest.mark.parametrize("attempt", [1, 2])
def test_ignores_an_attempt_that_was_seen_or_voided(attempt: int) -> None:
    fact = routed("o1", parcel("p1", tea=1), attempt=attempt)
    decision = decide.reserve([fact], {TEA: level(5)}, {"o1": 2}, NOW)
    assert not decision.events
    assert not decision.movements


def test_a_later_attempt_of_the_same_batch_is_answered_too() -> None:
    facts = [
        routed("o1", parcel("p1", tea=9)),
        routed("o1", parcel("p2", tea=2), attempt=2),
        routed("o1", parcel("p1", tea=1)),
    ]
    decision = decide.reserve(facts, {TEA: level(5)}, {}, NOW)
    kinds = [type(event) for event in decision.events]
    assert kinds == [StockShort, StockReserved, AvailabilityChanged]


def test_a_rejected_parcel_gives_all_back_and_corrects_what_was_not_found() -> None:
    decision = fulfil(rejected(tea=2), {TEA: level(10, 5)}, [held(3)])
    assert decision.stock[TEA] == StockLevel(8, 2, 0, version=9)
    assert decision.reservations == [held(3, released_units=3)]
    assert available(decision) == {"tea": 6}


def test_a_correction_never_takes_what_others_were_promised() -> None:
    decision = fulfil(rejected(tea=4), {TEA: level(5, 5)}, [held(2)])
    assert decision.stock[TEA] == StockLevel(3, 3, 2, version=9)
    assert not decision.events


def test_missing_units_are_taken_off_when_promises_end() -> None:
    stock = {TEA: level(3, 3, missing=2)}
    decision = fulfil(cancelled(taken_out(Disposition.RELEASE, tea=3)), stock, [held(3)])
    assert decision.stock[TEA] == StockLevel(1, 0, 0, version=8)
    assert available(decision) == {"tea": 1}


def test_missing_units_are_taken_off_what_arrives() -> None:
    cause = Cause(CauseKind.RECEIPT, "r1")
    stock = {TEA: level(3, 3, missing=2)}
    decision = decide.receive([StockLine(TEA, 5)], stock, cause, NOW)
    assert decision.stock[TEA] == StockLevel(6, 3, 0, version=8)


def test_a_shipment_disproves_that_units_were_missing() -> None:
    decision = fulfil(shipped(tea=3), {TEA: level(3, 3, missing=2)}, [held(3)])
    assert decision.stock[TEA] == StockLevel(0, 0, 0, version=8)
    assert decision.movements[0].change.excess_units == 2


def test_a_short_pick_takes_the_units_off_promise_and_count() -> None:
    decision = fulfil(picked(tea=1), {TEA: level(10, 5)}, [held(3)])
    assert decision.stock[TEA] == StockLevel(9, 4, 0, version=8)
    assert decision.reservations == [held(3, released_units=1)]
    assert not decision.events


def test_a_complete_pick_moves_no_stock() -> None:
    decision = fulfil(picked(), {}, [held(3)])
    assert not decision.movements


def test_a_shipment_consumes_what_was_held() -> None:
    decision = fulfil(shipped(tea=3), {TEA: level(10, 5)}, [held(3)])
    assert decision.stock[TEA] == StockLevel(7, 2, 0, version=8)
    assert decision.reservations == [held(3, consumed_units=3)]
    assert not decision.events, "what can be promised is the same"


def test_a_cancelled_pick_goes_to_quarantine() -> None:
    fact = cancelled(taken_out(Disposition.QUARANTINE, tea=2))
    decision = fulfil(fact, {TEA: level(10, 5)}, [held(3)])
    assert decision.stock[TEA] == StockLevel(8, 3, 0, version=8)
    assert decision.stock[TEA_QUARANTINED] == StockLevel(2, 0, 0, version=1)
    assert decision.reservations == [held(3, quarantined_units=2)]


def test_a_voided_attempt_gives_back_exactly_what_it_holds() -> None:
    other = Reservation("p0", "tea", "o1", 1, "hangzhou", 2)
    voided = Reservation("p9", "tea", "o1", 2, "hangzhou", 3)
    decision = fulfil(cancelled(voided_attempt=2), {TEA: level(10, 5)}, [other, voided])
    assert decision.stock[TEA].reserved_units == 2
    assert [row.parcel_id for row in decision.reservations] == ["p9"]


def test_a_cancellation_gives_back_no_more_than_is_held() -> None:
    fact = cancelled(taken_out(Disposition.RELEASE, tea=5))
    decision = fulfil(fact, {TEA: level(10, 3)}, [held(3, consumed_units=2)])
    assert decision.stock[TEA].reserved_units == 2
    assert sum(movement.change.excess_units for movement in decision.movements) == 4


def test_a_second_cancellation_of_the_same_units_gives_nothing_back() -> None:
    fact = cancelled(taken_out(Disposition.RELEASE, tea=3))
    decision = decide.fulfil([fact, fact], {TEA: level(10, 5)}, [held(3)], NOW)
    assert decision.stock[TEA].reserved_units == 2
    assert decision.reservations == [held(3, released_units=3)]


def test_a_shipment_after_cancellation_takes_what_nobody_was_promised() -> None:
    decision = fulfil(conflicted(tea=3), {TEA: level(10, 2)}, [held(3, released_units=3)])
    assert decision.stock[TEA] == StockLevel(7, 2, 0, version=8)
    assert decision.reservations == [held(3, released_units=3, conflicted_units=3)]
    assert decision.movements[0].source.operation is Operation.CONFLICT


def test_a_shipment_after_cancellation_takes_its_units_out_of_quarantine() -> None:
    stock = {TEA: level(7), TEA_QUARANTINED: level(9)}
    decision = fulfil(conflicted(tea=3), stock, [held(3, quarantined_units=2, released_units=1)])
    assert decision.stock[TEA_QUARANTINED].on_hand_units == 7
    assert decision.stock[TEA].on_hand_units == 6


def test_a_shipment_of_units_promised_to_others_makes_them_missing() -> None:
    decision = fulfil(conflicted(tea=3), {TEA: level(4, 4)}, [held(3, released_units=3)])
    assert decision.stock[TEA] == StockLevel(4, 4, 3, version=8)


def test_a_shipment_of_units_that_the_books_never_had_is_kept_as_excess() -> None:
    decision = fulfil(shipped(tea=3), {})
    assert decision.stock[TEA] == StockLevel(0, 0, 0, version=1)
    assert decision.movements[0].change.excess_units == 3


def test_returned_units_are_stocked_by_their_grade() -> None:
    event = ParcelReturned(
        occurred_at=NOW,
        order_id="o1",
        parcel_id="p1",
        attempt=1,
        node_id="hangzhou",
        actor="dock-2",
        return_id="r1",
        lines=(),
        goods=tuple(
            ReturnedGoods(goods_id="tea", quantity_units=2, grade=grade) for grade in Grade
        ),
    )
    decision = fulfil(Fact(event, "o1-returned"), {TEA: level(1)})
    assert {key.condition: each.on_hand_units for key, each in decision.stock.items()} == {
        Condition.SELLABLE: 3,
        Condition.DAMAGED: 2,
        Condition.INSPECTION: 2,
    }
    assert available(decision) == {"tea": 3}


def test_an_adjustment_of_promised_units_is_kept_as_missing() -> None:
    decision = decide.adjust([StockLine(TEA, -4)], {TEA: level(10, 8)}, COUNT, NOW)
    assert isinstance(decision, Decision)
    assert decision.stock[TEA] == StockLevel(8, 8, 2, version=8)


def test_an_adjustment_cannot_take_more_than_is_there() -> None:
    lines = [StockLine(TEA, -5), StockLine(TEA, -4)]
    refusal = decide.adjust(lines, {TEA: level(8, 8)}, COUNT, NOW)
    assert isinstance(refusal, Refusal)
    assert refusal.line_index == 1
    assert "3 sellable units of tea" in refusal.explanation


def test_a_put_away_moves_units_back_on_the_shelf() -> None:
    cause = Cause(CauseKind.PUT_AWAY, "a1")
    stock = {TEA: level(1), TEA_QUARANTINED: level(2)}
    decision = decide.put_away([PutAwayLine(TEA_QUARANTINED, TEA, 2)], stock, cause, NOW)
    assert isinstance(decision, Decision)
    assert decision.stock[TEA].on_hand_units == 3
    assert decision.stock[TEA_QUARANTINED].on_hand_units == 0
    refusal = decide.put_away([PutAwayLine(TEA_QUARANTINED, TEA, 3)], stock, cause, NOW)
    assert isinstance(refusal, Refusal)


@pytest.mark.parametrize(
    ("row", "state"),
    [
        (held(3), ReservationState.HELD),
        (held(3, released_units=1), ReservationState.HELD),
        (held(3, consumed_units=1), ReservationState.PART_CONSUMED),
        (held(3, consumed_units=1, released_units=2), ReservationState.CONSUMED),
        (held(3, quarantined_units=1, released_units=2), ReservationState.QUARANTINED),
        (held(3, released_units=3), ReservationState.RELEASED),
    ],
)
def test_the_state_of_a_reservation_is_read_off_its_units(
    row: Reservation, state: ReservationState
) -> None:
    assert decide.state_of(row) is state


@pytest.mark.parametrize("units", [0, -1])
def test_an_event_with_units_that_are_not_positive_is_impossible(units: int) -> None:
    facts = [
        routed("o1", parcel("p1", tea=units)),
        rejected(tea=units),
        picked(tea=units),
        shipped(tea=units),
        conflicted(tea=units),
        cancelled(taken_out(Disposition.RELEASE, tea=units)),
    ]
    for fact in facts:
        assert decide.contradiction(fact.event) == f"{units} units of tea for order o1"
    assert decide.contradiction(routed("o1", attempt=0).event) == "attempt 0 of order o1"
    assert decide.contradiction(shipped(tea=1).event) is None


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), max_size=12), st.integers(0, 40))
def test_never_reserves_more_than_there_is(wanted: list[tuple[int, int]], on_hand: int) -> None:
    facts = [
        routed(f"o{number}", parcel(f"p{number}a", tea=first), parcel(f"p{number}b", tea=second))
        for number, (first, second) in enumerate(wanted)
    ]
    decision = decide.reserve(facts, {TEA: level(on_hand)}, {}, NOW)
    reserved_units = sum(row.quantity_units for row in decision.reservations)
    assert reserved_units <= on_hand
    assert decision.stock.get(TEA, level(on_hand)).reserved_units == reserved_units
    answers = [e for e in decision.events if isinstance(e, StockReserved | StockShort)]
    assert len(answers) == len(facts)
