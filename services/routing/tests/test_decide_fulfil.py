"""What nodes say and what becomes of it, without a database."""

from dataclasses import replace
from datetime import timedelta

import pytest
from routing_builders import NOW, cancellation, command, line, order, plan, ship

from contracts.event import Event
from contracts.fulfilments import (
    CancellationRefused,
    Disposition,
    OrderCancelled,
    ParcelPicked,
    ParcelRejected,
    ParcelReturned,
    ParcelShipped,
    RejectionReason,
    ReturnedLine,
    ShipmentConflicted,
)
from contracts.reservations import ReservedParcel, Shortage, StockReserved, StockShort
from contracts.values import ExecutionStep, GoodsUnits, Grade, LineUnits
from routing.decide.cancel import cancel
from routing.decide.changes import changes_of
from routing.decide.fulfil import hear
from routing.decide.plans import answer_plans
from routing.decide.route import wants_plan
from routing.decide.steps import time_out
from routing.model.commands import (
    Action,
    Answer,
    AnswerCancel,
    Command,
    Hearing,
    Pick,
    Reject,
    Remembered,
    Return,
    Ship,
    Verdict,
)
from routing.model.fulfilment import Decision, Execution, Line, Negotiation, Order
from routing.model.world import Policy

POLICY = Policy()
STOCK = {goods_id: {"shanghai": 50} for goods_id in ("tea", "cup", "pot")}


def planned(*lines: Line) -> Order:
    return plan(order(*lines), stock=STOCK).orders[0]


def released(*lines: Line) -> Order:
    each = planned(*lines)
    parcels = tuple(ReservedParcel(parcel_id=p.parcel_id, reservation_id="r") for p in each.parcels)
    answer = StockReserved(occurred_at=NOW, order_id=each.order_id, attempt=1, parcels=parcels)
    return answer_plans({each.order_id: each}, [answer], POLICY, NOW).orders[0]


def parcel_id(each: Order) -> str:
    return each.parcels[0].parcel_id


def say(each: Order, *commands: Command) -> tuple[Order, list[Event], list[Answer]]:
    order_ids = {parcel.parcel_id: each.order_id for parcel in each.parcels}
    heard = hear(commands, Hearing({each.order_id: each}, order_ids, {}), NOW)
    return heard.decision.orders[0], list(heard.decision.events), list(heard.answers)


def advance(each: Order, *actions: Action) -> Order:
    for action in actions:
        word = command(parcel_id(each), action)
        if action is Action.SHIP:
            word = ship(parcel_id(each))
        each, _, answers = say(each, word)
        assert answers[0].verdict is Verdict.APPLIED, answers[0].detail
    return each


def ask(each: Order, request_id: str = "request-1", **units: int) -> tuple[Order, list[Event]]:
    request = cancellation(each.order_id, request_id, units)
    decision = cancel({each.order_id: each}, [request], POLICY, NOW)
    return decision.orders[0], list(decision.events)


def test_a_parcel_goes_from_the_offer_to_the_door() -> None:
    each = released(line(units=2))
    steps = (Action.ACCEPT, Action.START_PICK, Action.PICK, Action.PACK, Action.SHIP)
    shipped = advance(each, *steps)
    assert shipped.lines[0].shipped_units == 2
    assert shipped.is_done
    assert advance(shipped, Action.DELIVER).parcels[0].execution is Execution.DELIVERED


def test_a_wrong_attempt_is_fenced() -> None:
    each = released()
    after, events, (answer,) = say(
        each, replace(command(parcel_id(each), Action.ACCEPT), attempt=2)
    )
    assert (answer.verdict, after, events) == (Verdict.FENCED, each, [])


def test_what_is_not_its_turn_is_illegal_and_says_the_state() -> None:
    each = released()
    _, events, (answer,) = say(each, command(parcel_id(each), Action.PACK))
    assert answer.verdict is Verdict.ILLEGAL
    assert answer.detail == "cannot pack: the parcel is released, sent"
    assert events == []


def test_a_repeat_is_answered_alike_and_changes_nothing() -> None:
    each = released()
    word = command(parcel_id(each), Action.ACCEPT)
    after, events, answers = say(each, word, command(parcel_id(each), Action.START_PICK), word)
    assert answers[0] == answers[2]
    assert len(events) == 1
    assert after.parcels[0].execution is Execution.PICKING


def test_an_unknown_parcel_has_no_answer_but_that() -> None:
    assert say(released(), command("ghost", Action.ACCEPT))[2][0].verdict is Verdict.UNKNOWN


def test_a_rejected_parcel_goes_elsewhere_and_corrects_the_count() -> None:
    each = released(line(units=2))
    word = command(parcel_id(each), Action.REJECT, Reject(RejectionReason.NOT_ON_SHELF, None))
    after, (event,), _ = say(each, word)
    assert isinstance(event, ParcelRejected)
    assert event.missing == (GoodsUnits(goods_id="tea", quantity_units=2),)
    assert wants_plan(after)
    elsewhere = plan(after, stock={"tea": {"shanghai": 50, "suzhou": 50}}).orders[0]
    assert elsewhere.parcels[1].node_id == "suzhou"
    assert elsewhere.parcels[1].attempt == 2


def test_more_cannot_be_missing_than_there_was() -> None:
    each = released()
    missing = (GoodsUnits(goods_id="tea", quantity_units=2),)
    word = command(parcel_id(each), Action.REJECT, Reject(RejectionReason.NOT_ON_SHELF, missing))
    assert say(each, word)[2][0].verdict is Verdict.INVALID


def test_what_a_pick_does_not_find_is_planned_again() -> None:
    each = advance(released(line(units=3)), Action.ACCEPT)
    found = Pick((LineUnits(line_id="1", quantity_units=1),))
    after, (event,), _ = say(each, command(parcel_id(each), Action.PICK, found))
    assert isinstance(event, ParcelPicked)
    assert (event.lines[0].quantity_units, event.short_goods[0].quantity_units) == (1, 2)
    assert after.uncovered() == {"1": 2}
    assert after.exclusions[0].node_id == "shanghai"


def test_a_pick_that_finds_nothing_closes_the_parcel() -> None:
    each = advance(released(), Action.ACCEPT)
    after, _, _ = say(each, command(parcel_id(each), Action.PICK, Pick(())))
    assert after.parcels[0].execution is Execution.INCOMPLETE


def test_short_stock_is_capped_and_planned_again() -> None:
    each = planned(line(units=3))
    shortage = Shortage(node_id="shanghai", goods_id="tea", wanted_units=3, available_units=1)
    answer = StockShort(occurred_at=NOW, order_id=each.order_id, attempt=1, shortages=(shortage,))
    after = answer_plans({each.order_id: each}, [answer], POLICY, NOW).orders[0]
    assert after.parcels[0].execution is Execution.INCOMPLETE
    assert after.exclusions[0].units_max == 1
    assert wants_plan(after)


def test_an_answer_to_a_voided_plan_changes_nothing() -> None:
    each, _ = ask(planned())
    answer = StockReserved(occurred_at=NOW, order_id=each.order_id, attempt=1, parcels=())
    assert answer_plans({each.order_id: each}, [answer], POLICY, NOW) == Decision((each,), ())


def test_a_cancellation_before_the_plan_is_immediate() -> None:
    after, (event,) = ask(replace(order(line(units=2)), is_granted=False))
    assert isinstance(event, OrderCancelled)
    assert (event.step, event.voided_attempt, event.order_done) == (ExecutionStep.WAITING, 0, True)
    assert after.is_done


def test_a_cancellation_voids_the_plan_in_flight_and_keeps_the_rest() -> None:
    after, (event,) = ask(planned(line(units=3)), line_1=1)
    assert isinstance(event, OrderCancelled)
    assert (event.voided_attempt, event.parcels, event.order_done) == (1, (), False)
    assert after.uncovered() == {"1": 2}
    assert plan(after, stock=STOCK).orders[0].planned_attempt == 2


def test_a_cancellation_before_the_work_releases_at_once() -> None:
    after, (event,) = ask(advance(released(line(units=2)), Action.ACCEPT))
    assert isinstance(event, OrderCancelled)
    assert event.parcels[0].disposition is Disposition.RELEASE
    assert event.step is ExecutionStep.RELEASED
    assert after.parcels[0].execution is Execution.CANCELLED


@pytest.mark.parametrize("steps", [(Action.START_PICK,), (Action.START_PICK, Action.PICK)])
def test_a_node_that_has_begun_is_asked_and_its_units_are_quarantined(
    steps: tuple[Action, ...],
) -> None:
    each, events = ask(advance(released(line(units=3)), Action.ACCEPT, *steps), line_1=1)
    assert events == []
    assert each.parcels[0].negotiation is Negotiation.CANCEL_REQUESTED
    word = command(parcel_id(each), Action.ANSWER_CANCEL, AnswerCancel(None, is_accepted=True))
    after, (event,), _ = say(each, word)
    assert isinstance(event, OrderCancelled)
    assert event.parcels[0].disposition is Disposition.QUARANTINE
    assert after.parcels[0].content[0].quantity_units == 2
    assert after.parcels[0].negotiation is Negotiation.ACCEPTED


def test_a_refused_ask_is_refused_to_the_consumer() -> None:
    each, _ = ask(advance(released(), Action.ACCEPT, Action.START_PICK))
    word = command(
        parcel_id(each), Action.ANSWER_CANCEL, AnswerCancel("request-1", is_accepted=False)
    )
    after, (event,), _ = say(each, word)
    assert isinstance(event, CancellationRefused)
    assert event.step is ExecutionStep.PICKING
    assert advance(after, Action.PICK, Action.PACK, Action.SHIP).lines[0].shipped_units == 1


def test_an_answer_nobody_asked_for_is_invalid() -> None:
    each, _ = ask(advance(released(), Action.ACCEPT, Action.START_PICK))
    word = command(parcel_id(each), Action.ANSWER_CANCEL, AnswerCancel("ghost", is_accepted=True))
    assert say(each, word)[2][0].verdict is Verdict.INVALID


def test_a_node_that_packs_on_refuses_what_it_was_asked() -> None:
    each, _ = ask(advance(released(), Action.ACCEPT, Action.PICK))
    _, events, _ = say(each, command(parcel_id(each), Action.PACK))
    assert [type(event).__name__ for event in events] == ["ParcelPacked", "CancellationRefused"]


def test_asked_units_that_are_not_found_are_cancelled_not_planned() -> None:
    each, _ = ask(advance(released(line(units=2)), Action.ACCEPT, Action.START_PICK))
    found = Pick((LineUnits(line_id="1", quantity_units=1),))
    after, events, _ = say(each, command(parcel_id(each), Action.PICK, found))
    assert [type(event).__name__ for event in events] == ["ParcelPicked", "OrderCancelled"]
    assert after.uncovered() == {}
    assert after.parcels[0].asks[0].lines[0].quantity_units == 1


@pytest.mark.parametrize("steps", [(), (Action.SHIP,), (Action.SHIP, Action.DELIVER)])
def test_what_is_packed_or_gone_can_no_longer_be_cancelled(steps: tuple[Action, ...]) -> None:
    each = advance(released(), Action.ACCEPT, Action.PICK, Action.PACK, *steps)
    after, (event,) = ask(each)
    assert isinstance(event, CancellationRefused)
    assert event.lines[0].quantity_units == 1
    assert event.step == after.parcels[0].execution


def test_a_cancellation_of_an_order_without_open_units_is_refused() -> None:
    done, _ = ask(released())
    _, (event,) = ask(done, "request-2")
    assert isinstance(event, CancellationRefused)
    assert event.step is ExecutionStep.CANCELLED


def test_shipped_although_cancelled_is_a_conflict_recorded_once() -> None:
    each, _ = ask(advance(released(line(units=2)), Action.ACCEPT))
    words = (ship(parcel_id(each)), ship(parcel_id(each)), ship(parcel_id(each), "SF2"))
    after, (event,), answers = say(each, *words)
    assert isinstance(event, ShipmentConflicted)
    assert event.goods[0].quantity_units == 2
    verdicts = [answer.verdict for answer in answers]
    assert verdicts == [Verdict.CONFLICTED, Verdict.CONFLICTED, Verdict.ILLEGAL]
    assert after.lines[0].shipped_units == 0


def test_silence_takes_an_offer_back_and_refuses_a_cancellation() -> None:
    late = NOW + timedelta(days=2)
    decision = time_out([released()], late)
    (event,) = decision.events
    assert isinstance(event, ParcelRejected)
    assert event.reason is RejectionReason.TIMED_OUT
    assert wants_plan(decision.orders[0])
    asked, _ = ask(advance(released(), Action.ACCEPT, Action.START_PICK))
    assert isinstance(time_out([asked], late).events[0], CancellationRefused)
    assert time_out([asked], NOW).events == ()


def returning(each: Order, units: int, return_id: str = "return-1") -> Command:
    graded = ReturnedLine(line_id="1", quantity_units=units, grade=Grade.SELLABLE)
    return command(parcel_id(each), Action.RETURN, Return(return_id, "suzhou", (graded,)))


def test_units_come_back_once_and_at_any_node() -> None:
    each = advance(released(line(units=2)), Action.ACCEPT, Action.PICK, Action.PACK, Action.SHIP)
    words = (returning(each, 1), returning(each, 1), returning(each, 2), returning(each, 2, "r2"))
    after, (event,), answers = say(each, *words)
    assert isinstance(event, ParcelReturned)
    assert (event.node_id, event.goods[0].quantity_units) == ("suzhou", 1)
    assert after.lines[0].returned_units == 1
    verdicts = [answer.verdict for answer in answers]
    assert verdicts == [Verdict.APPLIED, Verdict.APPLIED, Verdict.REUSED, Verdict.INVALID]


def test_a_shipment_carries_the_planned_freight_or_the_carriers_charge() -> None:
    each = advance(released(), Action.ACCEPT, Action.PICK, Action.PACK)
    for charge, expected in ((None, 800), (1_234, 1_234)):
        word = command(parcel_id(each), Action.SHIP, Ship("sf", "SF1", charge))
        (event,) = say(each, word)[1]
        assert isinstance(event, ParcelShipped)
        assert (event.freight_minor, event.currency) == (expected, "CNY")


def test_time_is_said_but_never_the_future() -> None:
    each = released()
    for said, expected in ((NOW - timedelta(days=3),) * 2, (NOW + timedelta(days=3), NOW)):
        word = replace(command(parcel_id(each), Action.ACCEPT), occurred_at=said)
        assert say(each, word)[1][0].occurred_at == expected


def test_a_closed_parcel_gives_its_day_back_and_a_remembered_answer_stands() -> None:
    each = released()
    after, _ = ask(each)
    (count,) = changes_of({each.order_id: each}, [after]).day_parcels.values()
    assert count == -1
    word = ship(parcel_id(each))
    known = Remembered("other", Answer(Verdict.APPLIED, Execution.SHIPPED, Negotiation.ACCEPTED))
    heard = hear([word], Hearing({each.order_id: each}, {parcel_id(each): each.order_id}, {}), NOW)
    assert heard.answers[0].verdict is Verdict.ILLEGAL
    message_id = heard.messages[0].message_id
    hearing = Hearing({each.order_id: each}, {parcel_id(each): each.order_id}, {message_id: known})
    assert hear([word], hearing, NOW).answers[0].verdict is Verdict.REUSED
