"""What is asked of an order: before it comes, while it waits, when it is under way, too late."""

import asyncio

import pytest
from ingest_builders import JSON, ORDER_ID, Api, line, order, shipped

from contracts.fulfilments import ParcelReturned, ReturnedLine
from contracts.orders import CancellationRequested, OrderAccepted, ReturnRequested
from contracts.values import Grade
from ingest.consume import consumer
from ingest.schedule import schedule
from testbed.clock import START, Clock

CANCEL: JSON = {"request_id": "c-1", "reason": "changed mind", "requested_by": "agent-1"}
PAY: JSON = {
    "payment_id": "p-1",
    "amount_minor": 20_800,
    "currency": "CNY",
    "paid_at": "2026-01-15T07:05:00Z",
    "recorded_by": "connector-1",
}
HOLD: JSON = {"hold_id": "h-1", "reason": "fraud", "placed_by": "agent-1"}
UNPAID = order(paid_at=None)


def path(what: str) -> str:
    return f"/orders/{ORDER_ID}/{what}"


async def test_a_cancellation_before_its_order_keeps_it_from_the_flow(api: Api) -> None:
    response = await api.post(path("cancellations"), CANCEL)
    assert (response.status_code, response.json()["state"]) == (202, "parked")
    assert (await api.client.get(f"/orders/{ORDER_ID}")).status_code == 404
    created = await api.post("/orders", order())
    assert (created.status_code, created.json()["state"]) == (201, "cancelled")
    assert await api.apply.outgoing() == []
    assert await api.status() == "cancelled"


async def test_cancellation_and_order_at_the_same_instant_agree(api: Api) -> None:
    await asyncio.gather(
        *(
            request
            for number in range(20)
            for request in (
                api.post("/orders", order(order_number=f"r{number}")),
                api.post(
                    f"/orders/{_id(f'r{number}')}/cancellations",
                    {**CANCEL, "request_id": f"c-{number}"},
                ),
            )
        )
    )
    events = await api.apply.outgoing()
    accepted = {event.order_id for event in events if isinstance(event, OrderAccepted)}
    asked = {event.order_id for event in events if isinstance(event, CancellationRequested)}
    assert accepted == asked
    for number in range(20):
        order_id = _id(f"r{number}")
        state = await api.status(order_id)
        assert state == ("accepted" if order_id in accepted else "cancelled")


def _id(number: str) -> str:
    from contracts.ids import order_id  # noqa: PLC0415 the builders take the short name

    return order_id("shopify", "shop-1", number)


async def test_cancelling_twice_asks_once(api: Api) -> None:
    await api.post("/orders", order())
    first = await api.post(path("cancellations"), CANCEL)
    again = await api.post(path("cancellations"), CANCEL)
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert first.json()["state"] == "requested"
    _, asked = await api.apply.outgoing()
    assert isinstance(asked, CancellationRequested)
    assert (asked.lines, asked.request_id) == (None, first.json()["subject_id"])
    other = await api.post(path("cancellations"), CANCEL | {"reason": "another"})
    assert other.status_code == 409


async def test_an_order_that_waits_is_cancelled_at_once(api: Api) -> None:
    await api.post("/orders", UNPAID)
    assert (await api.post(path("cancellations"), CANCEL)).json()["state"] == "cancelled"
    assert await api.status() == "cancelled"
    assert (await api.post(path("payments"), PAY)).status_code == 409
    assert await api.apply.outgoing() == []


async def test_a_partial_cancellation_of_a_waiting_order_follows_its_acceptance(api: Api) -> None:
    await api.post("/orders", UNPAID)
    partly = CANCEL | {"lines": [{"line_id": "1", "quantity_units": 1}]}
    response = await api.post(path("cancellations"), partly)
    assert response.json()["state"] == "waits_for_acceptance"
    await api.post(path("payments"), PAY)
    accepted, asked = await api.apply.outgoing()
    assert isinstance(accepted, OrderAccepted)
    assert isinstance(asked, CancellationRequested)
    assert asked.lines is not None
    assert asked.lines[0].quantity_units == 1


async def test_what_has_shipped_is_returned_not_cancelled(api: Api) -> None:
    await api.post("/orders", order())
    await api.apply(consumer, [shipped(2)])
    response = await api.post(path("cancellations"), CANCEL)
    assert response.status_code == 409
    assert "/returns" in response.json()["detail"]
    assert await api.status() == "shipped"


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([{"line_id": "9", "quantity_units": 1}], 422),
        ([{"line_id": "1", "quantity_units": 3}], 409),
        ([{"line_id": "1", "quantity_units": 2}, {"line_id": "1", "quantity_units": 1}], 409),
        ([{"line_id": "1", "quantity_units": 0}], 422),
        ([], 422),
    ],
)
async def test_units_that_are_not_there_cannot_be_cancelled(
    api: Api, lines: list[JSON], status: int
) -> None:
    await api.post("/orders", order())
    response = await api.post(path("cancellations"), CANCEL | {"lines": lines})
    assert response.status_code == status


async def test_payments_that_reach_the_total_let_the_order_go(api: Api) -> None:
    assert (await api.post("/orders", UNPAID)).json()["state"] == "waiting_for_payment"
    assert await api.status() == "waiting_for_payment"
    deposit = PAY | {"amount_minor": 5_000}
    final = PAY | {"payment_id": "p-2", "amount_minor": 15_800, "paid_at": "2026-01-15T07:30:00Z"}
    assert (await api.post(path("payments"), deposit)).status_code == 200
    assert await api.apply.outgoing() == []
    assert (await api.post(path("payments"), deposit)).status_code == 200
    await api.post(path("payments"), final)
    (accepted,) = await api.apply.outgoing()
    assert isinstance(accepted, OrderAccepted)
    assert accepted.paid_at.isoformat() == "2026-01-15T07:30:00+00:00"


async def test_a_payment_before_its_order_waits_for_it(api: Api) -> None:
    assert (await api.post(path("payments"), PAY)).status_code == 202
    assert (await api.post("/orders", UNPAID)).json()["state"] == "accepted"


async def test_too_much_money_is_a_break_to_explain(api: Api) -> None:
    await api.post("/orders", UNPAID)
    await api.post(path("payments"), PAY | {"amount_minor": 20_801})
    assert await api.status() == "quarantined"
    wrong = await api.post(path("payments"), PAY | {"payment_id": "p-2", "currency": "USD"})
    assert wrong.status_code == 422


async def test_a_held_order_waits_until_the_hold_is_lifted(api: Api) -> None:
    await api.post("/orders", UNPAID)
    assert (await api.post(path("holds"), HOLD)).status_code == 200
    await api.post(path("payments"), PAY)
    assert await api.status() == "held"
    shown = await api.get(f"/orders/{ORDER_ID}")
    assert shown["holds"][0]["reason"] == "fraud"
    assert await api.apply.outgoing() == []
    lifted = await api.post(path("holds/h-1/lift"), {"lifted_by": "agent-2"})
    assert lifted.status_code == 200
    assert len(await api.apply.outgoing()) == 1
    assert (await api.post(path("holds"), HOLD | {"hold_id": "h-2"})).status_code == 409
    assert (await api.post(path("holds/h-9/lift"), {"lifted_by": "a"})).status_code == 404


async def test_a_hold_ends_at_its_time(api: Api, clock: Clock) -> None:
    holds = [{"reason": "memo", "until": "2026-01-15T09:00:00Z"}]
    assert (await api.post("/orders", order(holds=holds))).json()["state"] == "held"
    assert await api.apply.tick(schedule) == []
    clock.advance(seconds=3_601)
    (accepted,) = await api.apply.tick(schedule)
    assert isinstance(accepted, OrderAccepted)
    assert "hold_ended" in await api.story()


async def test_returns_are_bounded_by_what_shipped(api: Api) -> None:
    await api.post("/orders", order())
    body: JSON = {
        "request_id": "r-1",
        "lines": [{"line_id": "1", "quantity_units": 1}],
        "reason": "broken",
        "requested_by": "agent-1",
    }
    assert (await api.post(path("returns"), body)).status_code == 409
    await api.apply(consumer, [shipped(2)])
    await api.apply.outgoing()
    first = await api.post(path("returns"), body)
    assert first.status_code == 202
    assert (await api.post(path("returns"), body)).json() == first.json()
    (asked,) = await api.apply.outgoing()
    assert isinstance(asked, ReturnRequested)
    assert asked.return_id == first.json()["subject_id"]
    too_many = body | {"request_id": "r-2", "lines": [{"line_id": "1", "quantity_units": 2}]}
    assert (await api.post(path("returns"), too_many)).status_code == 409
    returned = ParcelReturned(
        occurred_at=START,
        order_id=ORDER_ID,
        parcel_id="parcel-1",
        attempt=1,
        node_id="node-2",
        actor="clerk-1",
        return_id=asked.return_id,
        lines=(ReturnedLine(line_id="1", quantity_units=2, grade=Grade.DAMAGED),),
        goods=(),
    )
    await api.apply(consumer, [returned])
    assert (await api.post(path("returns"), body | {"request_id": "r-3"})).status_code == 409
    assert await api.status() == "returned"


async def test_a_version_replaces_the_one_before_until_acceptance(api: Api) -> None:
    await api.post("/orders", UNPAID)
    changed = order(paid_at=None, version=2, lines=[line(line_id="2")])
    response = await api.post(path("amendments"), changed)
    assert (response.status_code, response.json()["version"]) == (200, 2)
    stale = await api.post(path("amendments"), order(version=1, memo="old"))
    assert stale.json()["version"] == 2
    same_version = await api.post(path("amendments"), changed | {"memo": "other"})
    assert same_version.status_code == 409
    await api.post(path("payments"), PAY)
    (accepted,) = await api.apply.outgoing()
    assert isinstance(accepted, OrderAccepted)
    assert accepted.order_version == 2
    assert [each.line_id for each in accepted.lines] == ["2"]
    shown = await api.get(f"/orders/{ORDER_ID}")
    assert shown["counters"]["ordered_units"] == 2
    too_late = await api.post(path("amendments"), order(version=3, memo="late"))
    assert too_late.status_code == 409


async def test_a_version_behind_a_gap_waits_for_it(api: Api, clock: Clock) -> None:
    await api.post("/orders", UNPAID)
    for version in (4, 2):
        body = order(paid_at=None, version=version, memo=f"v{version}")
        response = await api.post(path("amendments"), body)
        assert response.status_code == {4: 202, 2: 200}[version]
    clock.advance(seconds=16 * 60)
    await api.apply.tick(schedule)
    alarms = await api.get("/alarms")
    assert f"{ORDER_ID}/amendment/4" in {alarm["subject"] for alarm in alarms["items"]}
    await api.post(path("amendments"), order(paid_at=None, version=3, memo="v3"))
    shown = await api.get(f"/orders/{ORDER_ID}/consumer")
    assert shown["memo"] == "v4"
    await api.apply.tick(schedule)
    assert (await api.get("/alarms?state=cleared"))["items"][0]["kind"] == "parked_too_long"


async def test_versions_before_their_order_wait_for_it(api: Api) -> None:
    body = order(version=2, memo="v2")
    assert (await api.post(path("amendments"), body)).status_code == 202
    assert (await api.post("/orders", UNPAID)).json() == {
        "order_id": ORDER_ID,
        "state": "accepted",
        "version": 2,
    }
    assert (await api.post("/orders", UNPAID)).json()["version"] == 2


async def test_an_amendment_of_another_order_is_refused(api: Api) -> None:
    response = await api.post(path("amendments"), order(order_number="other"))
    assert response.status_code == 422
