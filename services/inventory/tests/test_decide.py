"""The rules of stock, without a database or a broker."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inventory_builders import (
    about,
    cancelled,
    conflicted,
    parcel,
    picked,
    planned,
    rejected,
    returned,
    routed,
    shipped,
    voided,
)

from contracts.availability import AvailabilityChanged
from contracts.fulfilments import Disposition
from contracts.reservations import Shortage, StockReserved, StockShort
from contracts.values import Grade
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
from testbed.clock import START

O1 = about("o1")
TEA = StockKey("hangzhou", "tea", Condition.SELLABLE)
CUP = StockKey("hangzhou", "cup", Condition.SELLABLE)
TEA_QUARANTINED = TEA._replace(condition=Condition.QUARANTINE)
COUNT = Cause(CauseKind.ADJUSTMENT, "count-1")


def fact(event: Any) -> Fact[Any]:
    return Fact(event, "event-1")


def held(units: int, **changes: int) -> Reservation:
    row = Reservation("o1-1", "tea", "o1", 1, "hangzhou", units)
    return replace(row, **changes)


def level(on_hand: int, reserved: int = 0, missing: int = 0) -> StockLevel:
    return StockLevel(on_hand, reserved, missing, version=7)


def fulfil(
    event: decide.FulfilmentEvent,
    stock: Mapping[StockKey, StockLevel],
    reservations: Sequence[Reservation] = (),
) -> Decision:
    return decide.fulfil([fact(event)], stock, reservations, START)


def available(decision: Decision) -> dict[str, int]:
    return {
        event.goods_id: event.available_units
        for event in decision.events
        if isinstance(event, AvailabilityChanged)
    }


def test_covers_attempts_in_arrival_order_until_stock_runs_out() -> None:
    facts = [fact(routed(order_id, tea=3)) for order_id in ("o1", "o2")]
    decision = decide.reserve(facts, {TEA: level(5)}, {}, START)
    held_answer, short_answer, availability = decision.events
    assert isinstance(held_answer, StockReserved)
    assert isinstance(short_answer, StockShort)
    assert short_answer.shortages == (
        Shortage(node_id="hangzhou", goods_id="tea", wanted_units=3, available_units=2),
    )
    assert isinstance(availability, AvailabilityChanged)
    assert (availability.available_units, availability.stock_version) == (2, 8)


def test_holds_all_parcels_of_an_attempt_or_none() -> None:
    plan = planned("o1", parcel("p1", tea=1), parcel("p2", cup=1))
    decision = decide.reserve([fact(plan)], {TEA: level(9), CUP: level(0)}, {}, START)
    assert [type(event) for event in decision.events] == [StockShort]
    assert not decision.movements
    assert not decision.reservations


def test_sums_parcels_that_want_the_same_goods_before_checking() -> None:
    plan = planned("o1", parcel("p1", tea=3), parcel("p2", tea=3))
    decision = decide.reserve([fact(plan)], {TEA: level(5)}, {}, START)
    (short,) = decision.events
    assert isinstance(short, StockShort)
    assert short.shortages[0].wanted_units == 6


def test_treats_unknown_goods_as_empty() -> None:
    decision = decide.reserve([fact(routed("o1", tea=1))], {}, {}, START)
    assert isinstance(decision.events[0], StockShort)


@pytest.mark.parametrize("attempt", [1, 2])
def test_ignores_an_attempt_that_was_seen_or_voided(attempt: int) -> None:
    plan = planned("o1", parcel("p1", tea=1), attempt=attempt)
    decision = decide.reserve([fact(plan)], {TEA: level(5)}, {"o1": 2}, START)
    assert not decision.events
    assert not decision.movements


def test_a_later_attempt_of_the_same_batch_is_answered_too() -> None:
    facts = [
        fact(routed("o1", tea=9)),
        fact(routed("o1", 2, tea=2)),
        fact(routed("o1", tea=1)),
    ]
    decision = decide.reserve(facts, {TEA: level(5)}, {}, START)
    kinds = [type(event) for event in decision.events]
    assert kinds == [StockShort, StockReserved, AvailabilityChanged]


def test_a_rejected_parcel_gives_all_back_and_corrects_what_was_not_found() -> None:
    decision = fulfil(rejected(O1, tea=2), {TEA: level(10, 5)}, [held(3)])
    assert decision.stock[TEA] == StockLevel(8, 2, 0, version=9)
    assert decision.reservations == [held(3, released_units=3)]
    assert available(decision) == {"tea": 6}


def test_a_correction_never_takes_what_others_were_promised() -> None:
    decision = fulfil(rejected(O1, tea=4), {TEA: level(5, 5)}, [held(2)])
    assert decision.stock[TEA] == StockLevel(3, 3, 2, version=9)
    assert not decision.events


def test_missing_units_are_taken_off_when_promises_end() -> None:
    stock = {TEA: level(3, 3, missing=2)}
    decision = fulfil(cancelled(O1, Disposition.RELEASE, tea=3), stock, [held(3)])
    assert decision.stock[TEA] == StockLevel(1, 0, 0, version=8)
    assert available(decision) == {"tea": 1}


def test_missing_units_are_taken_off_what_arrives() -> None:
    cause = Cause(CauseKind.RECEIPT, "r1")
    stock = {TEA: level(3, 3, missing=2)}
    decision = decide.receive([StockLine(TEA, 5)], stock, cause, START)
    assert decision.stock[TEA] == StockLevel(6, 3, 0, version=8)


def test_a_shipment_disproves_that_units_were_missing() -> None:
    decision = fulfil(shipped(O1, tea=3), {TEA: level(3, 3, missing=2)}, [held(3)])
    assert decision.stock[TEA] == StockLevel(0, 0, 0, version=8)
    assert decision.movements[0].change.excess_units == 2


def test_a_short_pick_takes_the_units_off_promise_and_count() -> None:
    decision = fulfil(picked(O1, tea=1), {TEA: level(10, 5)}, [held(3)])
    assert decision.stock[TEA] == StockLevel(9, 4, 0, version=8)
    assert decision.reservations == [held(3, released_units=1)]
    assert not decision.events


def test_a_complete_pick_moves_no_stock() -> None:
    decision = fulfil(picked(O1), {}, [held(3)])
    assert not decision.movements


def test_a_shipment_consumes_what_was_held() -> None:
    decision = fulfil(shipped(O1, tea=3), {TEA: level(10, 5)}, [held(3)])
    assert decision.stock[TEA] == StockLevel(7, 2, 0, version=8)
    assert decision.reservations == [held(3, consumed_units=3)]
    assert not decision.events, "what can be promised is the same"


def test_a_cancelled_pick_goes_to_quarantine() -> None:
    event = cancelled(O1, Disposition.QUARANTINE, tea=2)
    decision = fulfil(event, {TEA: level(10, 5)}, [held(3)])
    assert decision.stock[TEA] == StockLevel(8, 3, 0, version=8)
    assert decision.stock[TEA_QUARANTINED] == StockLevel(2, 0, 0, version=1)
    assert decision.reservations == [held(3, quarantined_units=2)]


def test_a_voided_attempt_gives_back_exactly_what_it_holds() -> None:
    other = Reservation("p0", "tea", "o1", 1, "hangzhou", 2)
    waiting = Reservation("p9", "tea", "o1", 2, "hangzhou", 3)
    decision = fulfil(voided("o1", 2), {TEA: level(10, 5)}, [other, waiting])
    assert decision.stock[TEA].reserved_units == 2
    assert [row.parcel_id for row in decision.reservations] == ["p9"]


def test_a_cancellation_gives_back_no_more_than_is_held() -> None:
    event = cancelled(O1, Disposition.RELEASE, tea=5)
    decision = fulfil(event, {TEA: level(10, 3)}, [held(3, consumed_units=2)])
    assert decision.stock[TEA].reserved_units == 2
    assert sum(movement.change.excess_units for movement in decision.movements) == 4


def test_a_second_cancellation_of_the_same_units_gives_nothing_back() -> None:
    event = cancelled(O1, Disposition.RELEASE, tea=3)
    decision = decide.fulfil([fact(event), fact(event)], {TEA: level(10, 5)}, [held(3)], START)
    assert decision.stock[TEA].reserved_units == 2
    assert decision.reservations == [held(3, released_units=3)]


def test_a_shipment_after_cancellation_takes_what_nobody_was_promised() -> None:
    decision = fulfil(conflicted(O1, tea=3), {TEA: level(10, 2)}, [held(3, released_units=3)])
    assert decision.stock[TEA] == StockLevel(7, 2, 0, version=8)
    assert decision.reservations == [held(3, released_units=3, conflicted_units=3)]
    assert decision.movements[0].source.operation is Operation.CONFLICT


def test_a_shipment_after_cancellation_takes_its_units_out_of_quarantine() -> None:
    stock = {TEA: level(7), TEA_QUARANTINED: level(9)}
    decision = fulfil(
        conflicted(O1, tea=3), stock, [held(3, quarantined_units=2, released_units=1)]
    )
    assert decision.stock[TEA_QUARANTINED].on_hand_units == 7
    assert decision.stock[TEA].on_hand_units == 6


def test_a_shipment_of_units_promised_to_others_makes_them_missing() -> None:
    decision = fulfil(conflicted(O1, tea=3), {TEA: level(4, 4)}, [held(3, released_units=3)])
    assert decision.stock[TEA] == StockLevel(4, 4, 3, version=8)


def test_a_shipment_of_units_that_the_books_never_had_is_kept_as_excess() -> None:
    decision = fulfil(shipped(O1, tea=3), {})
    assert decision.stock[TEA] == StockLevel(0, 0, 0, version=1)
    assert decision.movements[0].change.excess_units == 3


def test_returned_units_are_stocked_by_their_grade() -> None:
    decision = fulfil(returned(O1, *Grade, tea=2), {TEA: level(1)})
    assert {key.condition: each.on_hand_units for key, each in decision.stock.items()} == {
        Condition.SELLABLE: 3,
        Condition.DAMAGED: 2,
        Condition.INSPECTION: 2,
    }
    assert available(decision) == {"tea": 3}


def test_an_adjustment_of_promised_units_is_kept_as_missing() -> None:
    decision = decide.adjust([StockLine(TEA, -4)], {TEA: level(10, 8)}, COUNT, START)
    assert isinstance(decision, Decision)
    assert decision.stock[TEA] == StockLevel(8, 8, 2, version=8)


def test_an_adjustment_cannot_take_more_than_is_there() -> None:
    lines = [StockLine(TEA, -5), StockLine(TEA, -4)]
    refusal = decide.adjust(lines, {TEA: level(8, 8)}, COUNT, START)
    assert isinstance(refusal, Refusal)
    assert refusal.line_index == 1
    assert "3 sellable units of tea" in refusal.explanation


def test_a_put_away_moves_units_back_on_the_shelf() -> None:
    cause = Cause(CauseKind.PUT_AWAY, "a1")
    stock = {TEA: level(1), TEA_QUARANTINED: level(2)}
    decision = decide.put_away([PutAwayLine(TEA_QUARANTINED, TEA, 2)], stock, cause, START)
    assert isinstance(decision, Decision)
    assert decision.stock[TEA].on_hand_units == 3
    assert decision.stock[TEA_QUARANTINED].on_hand_units == 0
    refusal = decide.put_away([PutAwayLine(TEA_QUARANTINED, TEA, 3)], stock, cause, START)
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
    events = [
        routed("o1", tea=units),
        rejected(O1, tea=units),
        picked(O1, tea=units),
        shipped(O1, tea=units),
        conflicted(O1, tea=units),
        returned(O1, Grade.SELLABLE, tea=units),
        cancelled(O1, Disposition.RELEASE, tea=units),
    ]
    for event in events:
        assert decide.contradiction(event) == f"{units} units of tea for order o1"
    assert decide.contradiction(routed("o1", 0)) == "attempt 0 of order o1"
    assert decide.contradiction(shipped(O1, tea=1)) is None


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), max_size=12), st.integers(0, 40))
def test_never_reserves_more_than_there_is(wanted: list[tuple[int, int]], on_hand: int) -> None:
    facts = [
        fact(
            planned(
                f"o{number}", parcel(f"p{number}a", tea=first), parcel(f"p{number}b", tea=second)
            )
        )
        for number, (first, second) in enumerate(wanted)
    ]
    decision = decide.reserve(facts, {TEA: level(on_hand)}, {}, START)
    reserved_units = sum(row.quantity_units for row in decision.reservations)
    assert reserved_units <= on_hand
    assert decision.stock.get(TEA, level(on_hand)).reserved_units == reserved_units
    answers = [e for e in decision.events if isinstance(e, StockReserved | StockShort)]
    assert len(answers) == len(facts)
