"""Facts of all services become counters, stories and statuses, in whatever order they come."""

import json
from itertools import permutations

import pytest
from ingest_builders import JSON, ORDER_ID, Api, line, order, shipped

from contracts.event import Event
from contracts.fulfilments import (
    CancelledParcel,
    Disposition,
    OrderCancelled,
    ParcelDelivered,
    ParcelPicked,
    ParcelRejected,
    ParcelReleased,
    RejectionReason,
)
from contracts.holds import QuotaExpired, QuotaGranted, QuotaRefused, RefusalReason
from contracts.orders import CancellationRequested, OrderAccepted
from contracts.plans import OrderRouted, OrderUnroutable, PlannedParcel
from contracts.reservations import ReservedParcel, StockReserved
from contracts.topics import CONNECTORS_ORDERS
from contracts.values import ExecutionStep, GoodsUnits, LineUnits
from ingest.consume import consumer
from testbed.clock import START

LINES = (LineUnits(line_id="1", quantity_units=2),)
GOODS = (GoodsUnits(goods_id="cup-red", quantity_units=2),)


def routed(attempt: int = 1, order_id: str = ORDER_ID) -> OrderRouted:
    parcel = PlannedParcel(
        parcel_id=f"parcel-{attempt}",
        node_id="node-1",
        lines=LINES,
        goods=GOODS,
        promised_at=START,
        freight_minor=600,
        handling_minor=100,
    )
    return OrderRouted(
        occurred_at=START,
        order_id=order_id,
        attempt=attempt,
        decision_id="decision-1",
        currency="CNY",
        cost_minor=700,
        parcels=(parcel,),
    )


def reserved(attempt: int = 1, order_id: str = ORDER_ID) -> StockReserved:
    held = (ReservedParcel(parcel_id=f"parcel-{attempt}", reservation_id="r"),)
    return StockReserved(occurred_at=START, order_id=order_id, attempt=attempt, parcels=held)


def released() -> ParcelReleased:
    return ParcelReleased(
        occurred_at=START,
        order_id=ORDER_ID,
        parcel_id="parcel-1",
        attempt=1,
        node_id="node-1",
        lines=LINES,
        goods=GOODS,
        promised_at=START,
    )


def cancelled(
    voided_attempt: int = 0,
    parcels: tuple[CancelledParcel, ...] = (),
    order_id: str = ORDER_ID,
) -> OrderCancelled:
    return OrderCancelled(
        occurred_at=START,
        order_id=order_id,
        request_id="c",
        lines=LINES,
        parcels=parcels,
        voided_attempt=voided_attempt,
        step=ExecutionStep.PLANNED,
        order_done=True,
    )


async def counters(api: Api, order_id: str = ORDER_ID) -> JSON:
    shown = await api.get(f"/orders/{order_id}")
    assert shown["lines"][0]["counters"] == shown["counters"]  # one line: it is the whole order
    return {name: units for name, units in shown["counters"].items() if units}


@pytest.fixture
async def accepted(api: Api) -> Api:
    await api.post("/orders", order())
    await api.apply(consumer, await api.apply.outgoing())
    return api


async def test_an_order_is_followed_to_its_door(accepted: Api) -> None:
    granted = QuotaGranted(
        occurred_at=START,
        order_id=ORDER_ID,
        hold_id="h",
        account_id="account-1",
        amount_minor=14_000,
        currency="CNY",
    )
    delivered = ParcelDelivered(
        occurred_at=START,
        order_id=ORDER_ID,
        parcel_id="parcel-1",
        attempt=1,
        node_id="node-1",
        actor="courier-1",
        lines=LINES,
    )
    steps: list[tuple[Event, str]] = [
        (granted, "accepted"),
        (routed(), "accepted"),
        (reserved(), "reserved"),
        (released(), "released"),
        (shipped(1), "partly_shipped"),
        (shipped(1, "parcel-2"), "shipped"),
        (delivered, "delivered"),
    ]
    for event, status in steps:
        await accepted.apply(consumer, [event])
        assert await accepted.status() == status
    assert await accepted.story() == [
        "order_received",
        "order_accepted",
        "quota_granted",
        "order_routed",
        "stock_reserved",
        "parcel_released",
        "parcel_shipped",
        "parcel_shipped",
        "parcel_delivered",
    ]
    items = (await accepted.get(f"/orders/{ORDER_ID}/timeline"))["items"]
    assert [item["event_id"] is None for item in items] == [True, *[False] * 8]
    assert items[6]["actor"] == "picker-7"
    assert items[6]["detail"]["waybill"] == "SF1"


async def test_pages_of_a_story_follow_each_other(accepted: Api) -> None:
    await accepted.apply(consumer, [routed(), reserved(), released()])
    first = await accepted.get(f"/orders/{ORDER_ID}/timeline?limit=3")
    rest = await accepted.get(f"/orders/{ORDER_ID}/timeline?after={first['next']}")
    assert len(first["items"]) + len(rest["items"]) == 5
    assert rest["next"] is None


async def test_a_rejected_and_a_short_parcel_give_back_what_was_held(accepted: Api) -> None:
    await accepted.apply(consumer, [routed(), reserved(), released()])
    rejected = ParcelRejected(
        occurred_at=START,
        order_id=ORDER_ID,
        parcel_id="parcel-1",
        attempt=1,
        node_id="node-1",
        actor="clerk",
        reason=RejectionReason.CLOSED,
        lines=LINES,
    )
    await accepted.apply(consumer, [rejected])
    assert await counters(accepted) == {"ordered_units": 2}
    picked = ParcelPicked(
        occurred_at=START,
        order_id=ORDER_ID,
        parcel_id="parcel-2",
        attempt=2,
        node_id="node-2",
        actor="clerk",
        lines=(LineUnits(line_id="1", quantity_units=1),),
        goods=(),
        short_lines=(LineUnits(line_id="1", quantity_units=1),),
    )
    again = [routed(2), reserved(2)]
    parcel = released()
    await accepted.apply(consumer, [*again, parcel, picked])
    assert await counters(accepted) == {
        "ordered_units": 2,
        "reserved_units": 1,
        "released_units": 1,
    }


async def test_a_voided_plan_holds_nothing_whatever_comes_first(api: Api) -> None:
    for number, facts in enumerate(permutations(("routed", "reserved", "voided"))):
        body = order(order_number=f"n{number}")
        order_id = (await api.post("/orders", body)).json()["order_id"]
        for fact in facts:
            event = {
                "routed": routed(order_id=order_id),
                "reserved": reserved(order_id=order_id),
                "voided": cancelled(1, order_id=order_id),
            }[fact]
            await api.apply(consumer, [event])
        assert await counters(api, order_id) == {"ordered_units": 2, "cancelled_units": 2}
        assert await api.status(order_id) == "cancelled"


async def test_cancelled_parcels_are_taken_out(accepted: Api) -> None:
    await accepted.apply(consumer, [routed(), reserved(), released()])
    parcel = CancelledParcel(
        parcel_id="parcel-1",
        node_id="node-1",
        lines=LINES,
        goods=GOODS,
        disposition=Disposition.RELEASE,
    )
    await accepted.apply(consumer, [cancelled(parcels=(parcel,))])
    assert await counters(accepted) == {"ordered_units": 2, "cancelled_units": 2}


async def test_units_that_nobody_can_ship_end_the_order(accepted: Api) -> None:
    unroutable = OrderUnroutable(
        occurred_at=START,
        order_id=ORDER_ID,
        attempt=5,
        decision_id="d",
        lines=LINES,
        reasons=(),
        order_done=True,
    )
    await accepted.apply(consumer, [unroutable])
    assert await accepted.status() == "unroutable"


async def test_an_order_that_waits_in_vain_for_its_limit_is_cancelled(accepted: Api) -> None:
    refused = QuotaRefused(
        occurred_at=START,
        order_id=ORDER_ID,
        account_id="account-1",
        amount_minor=14_000,
        currency="CNY",
        shortfall_minor=1,
        reason=RefusalReason.OVER_LIMIT,
        waits_until=START,
    )
    await accepted.apply(consumer, [refused])
    assert await accepted.status() == "waiting_for_limit"
    expired = QuotaExpired(occurred_at=START, order_id=ORDER_ID, account_id="account-1")
    (asked,) = await accepted.apply(consumer, [expired])
    assert isinstance(asked, CancellationRequested)
    assert (asked.reason, asked.lines) == ("credit_expired", None)


async def test_connectors_may_write_orders_to_kafka(api: Api) -> None:
    orders = [order(), order(), order(order_number="1002", lines=[line(sku="NONE")])]
    bad = [None, b"", b"x", b'{"channel":"a","shop_id":"b","order_number":"7"}', b"\xff" * 9]
    values = [json.dumps(each).encode() for each in orders] + bad
    events: list[Event] = []
    for value in values:
        events += await api.apply.raw(consumer, CONNECTORS_ORDERS, value)
    assert [type(event) for event in events] == [OrderAccepted]
    records = (await api.get("/quarantine"))["items"]
    reasons = [record["reason"] for record in records]
    assert sorted(reasons) == ["malformed"] * 4 + ["unknown_sku"]  # null and empty are one input
    named = [record for record in records if record["order_number"] == "7"]
    assert (named[0]["channel"], named[0]["shop_id"]) == ("a", "b")


async def test_connectors_may_send_later_versions(api: Api) -> None:
    versions = [order(paid_at=None), order(version=3, memo="v3"), order(version=2, paid_at=None)]
    events: list[Event] = []
    for body in versions:
        value = json.dumps(body).encode()
        events += await api.apply.raw(consumer, CONNECTORS_ORDERS, value)
    (accepted,) = events
    assert isinstance(accepted, OrderAccepted)
    assert accepted.order_version == 3
    other = json.dumps(order(version=3, memo="else")).encode()
    await api.apply.raw(consumer, CONNECTORS_ORDERS, other)
    (record,) = (await api.get("/quarantine"))["items"]
    assert (record["reason"], record["blocking"]) == ("version_conflict", False)
    path = f"/quarantine/{record['quarantine_id']}/resubmit"
    dismissed = await api.post(path, {"resubmitted_by": "agent-1"})
    assert dismissed.json()["state"] == "dismissed"
