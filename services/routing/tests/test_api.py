"""Nodes, orders and policy over the real application on a real database."""

from typing import Any

import httpx
import pytest
from routing_builders import accepted, available, cancellation, directory, granted, line, reserved

from contracts.event import Event
from contracts.fulfilments import ParcelShipped, ShipmentConflicted
from contracts.plans import OrderRouted
from routing.consume import consumer
from testbed.bench import Bench

SAID = {"attempt": 1, "actor": "worker-1"}
SHIPPED = {**SAID, "carrier_id": "sf", "waybill": "SF1"}


@pytest.fixture
async def parcel_id(apply: Bench) -> str:
    """A released parcel of two units of tea at node shanghai, order order-1."""
    return (await release(apply, "order-1"))[0]


async def release(apply: Bench, *order_ids: str) -> list[str]:
    stock = [available("tea", "shanghai", 500), available("tea", "suzhou", 500)]
    orders = [accepted(line(units=2), order_id=order_id) for order_id in order_ids]
    grants = [granted(order_id) for order_id in order_ids]
    routed = await apply(consumer, [*directory(), *stock, *orders, *grants])
    plans = {event.order_id: event for event in routed if isinstance(event, OrderRouted)}
    await apply(consumer, [reserved(plan) for plan in plans.values()])
    return [plans[order_id].parcels[0].parcel_id for order_id in order_ids]


async def say(
    client: httpx.AsyncClient, parcel_id: str, action: str, **body: Any
) -> httpx.Response:
    return await client.post(f"/parcels/{parcel_id}/{action}", json={**SAID, **body})


def names(events: list[Event]) -> list[str]:
    return sorted(type(event).__name__ for event in events)


async def test_a_node_works_through_its_parcel(
    client: httpx.AsyncClient, apply: Bench, parcel_id: str
) -> None:
    offers = (await client.get("/nodes/shanghai/parcels?state=released&negotiation=sent")).json()
    assert [offer["parcel_id"] for offer in offers["items"]] == [parcel_id]
    assert offers["items"][0]["goods"] == [{"goods_id": "tea", "quantity_units": 2}]
    for action, body in {
        "accept": {},
        "start-pick": {},
        "pick": {},
        "pack": {},
        "ship": {"carrier_id": "sf", "waybill": "SF1", "freight_minor": 777},
        "deliver": {},
    }.items():
        answer = await say(client, parcel_id, action, **body)
        assert answer.status_code == 200, answer.text
    returned = {"line_id": "1", "quantity_units": 1, "grade": "sellable"}
    body = {"return_id": "r1", "node_id": "suzhou", "lines": [returned]}
    assert (await say(client, parcel_id, "return", **body)).json() == {
        "parcel_id": parcel_id,
        "action": "return",
        "execution": "delivered",
        "negotiation": "accepted",
        "conflict": False,
    }
    events = await apply.outgoing()
    assert [e.freight_minor for e in events if isinstance(e, ParcelShipped)] == [777]
    order = (await client.get("/orders/order-1")).json()
    assert order["waits_for"] == "nothing"
    assert (order["lines"][0]["shipped_units"], order["lines"][0]["returned_units"]) == (2, 1)
    other = {**body, "lines": [{**returned, "grade": "damaged"}]}
    refused = await say(client, parcel_id, "return", **other)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:yipan:problem:reused-id")


async def test_a_repeat_gets_the_same_answer_and_does_nothing(
    client: httpx.AsyncClient, apply: Bench, parcel_id: str
) -> None:
    await apply.outgoing()
    first = await say(client, parcel_id, "accept")
    await say(client, parcel_id, "pick")
    again = await say(client, parcel_id, "accept")
    assert (again.status_code, again.json()) == (200, first.json())
    assert names(await apply.outgoing()) == ["ParcelAccepted", "ParcelPicked"]


async def test_a_wrong_attempt_is_kept_and_not_applied(
    client: httpx.AsyncClient, apply: Bench, parcel_id: str
) -> None:
    await apply.outgoing()
    answer = await say(client, parcel_id, "accept", attempt=2)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:yipan:problem:wrong-attempt")
    kept = (await client.get(f"/parcels/{parcel_id}/messages")).json()["messages"]
    assert [(each["verdict"], each["attempt"]) for each in kept] == [("fenced", 2)]
    assert await apply.outgoing() == []


async def test_what_is_too_early_is_refused_and_may_be_said_again_in_time(
    client: httpx.AsyncClient, parcel_id: str
) -> None:
    early = await say(client, parcel_id, "pack")
    assert early.status_code == 409
    assert early.json()["detail"].endswith("cannot pack: the parcel is released, sent")
    await say(client, parcel_id, "accept")
    await say(client, parcel_id, "pick")
    assert (await say(client, parcel_id, "pack")).status_code == 200


async def test_a_rejected_parcel_goes_to_another_node(
    client: httpx.AsyncClient, apply: Bench, parcel_id: str
) -> None:
    await apply.outgoing()
    answer = await say(client, parcel_id, "reject", reason="no_capacity")
    assert answer.json()["negotiation"] == "rejected"
    assert names(await apply.outgoing()) == ["OrderRouted", "ParcelRejected"]
    order = (await client.get("/orders/order-1")).json()
    assert [each["node_id"] for each in order["parcels"]] == ["shanghai", "suzhou"]
    assert order["waits_for"] == "stock_answer"
    decisions = (await client.get("/orders/order-1/decisions")).json()
    assert [each["chosen"] for each in decisions] == [["shanghai"], ["suzhou"]]
    assert (
        decisions[0]["candidates"][1]["cost_minor"] == 1200 + 150 + 100
    )  # freight, handling, a day later
    assert decisions[1]["eliminated"] == {"excluded": ["shanghai"]}


async def test_more_units_than_there_are_is_invalid(
    client: httpx.AsyncClient, parcel_id: str
) -> None:
    await say(client, parcel_id, "accept")
    found = [{"line_id": "1", "quantity_units": 3}]
    assert (await say(client, parcel_id, "pick", found=found)).status_code == 422
    assert (await say(client, parcel_id, "pick", found=found[:0])).json()["execution"] == (
        "incomplete"
    )


async def test_an_asked_node_answers_for_its_work(
    client: httpx.AsyncClient, apply: Bench, parcel_id: str
) -> None:
    await say(client, parcel_id, "accept")
    await say(client, parcel_id, "start-pick")
    await apply(consumer, [cancellation(units={"1": 1})])
    (asked,) = (await client.get("/parcels?negotiation=cancel_requested")).json()["items"]
    assert asked["asks"] == [
        {"request_id": "request-1", "lines": [{"line_id": "1", "quantity_units": 1}]}
    ]
    answer = await say(client, parcel_id, "cancel-answer", accepted=True)
    assert answer.json()["execution"] == "picking"
    assert names(await apply.outgoing()) == ["OrderCancelled"]


async def test_a_shipment_after_the_cancellation_is_a_conflict(
    client: httpx.AsyncClient, apply: Bench, parcel_id: str
) -> None:
    await apply(consumer, [cancellation()])
    for _ in range(2):
        answer = await client.post(f"/parcels/{parcel_id}/ship", json=SHIPPED)
        assert (answer.status_code, answer.json()["conflict"]) == (200, True)
    (event,) = await apply.outgoing()
    assert isinstance(event, ShipmentConflicted)
    assert (await client.get(f"/parcels/{parcel_id}")).json()["conflict"]


async def test_hundreds_of_commands_are_answered_one_by_one(
    client: httpx.AsyncClient, apply: Bench
) -> None:
    parcel_ids = await release(apply, *(f"order-{number}" for number in range(60)))
    await apply.outgoing()
    steps = ["accept", "pick", "pack"]
    commands = [
        {**SAID, "parcel_id": parcel_id, "action": step}
        for parcel_id in parcel_ids
        for step in steps
    ]
    commands += [{**SHIPPED, "parcel_id": each, "action": "ship"} for each in parcel_ids]
    commands += [
        {**SAID, "parcel_id": "ghost", "action": "accept"},
        {**SAID, "parcel_id": parcel_ids[0], "action": "accept", "attempt": 9},
        {**SAID, "parcel_id": parcel_ids[0], "action": "start_pick"},
    ]
    answer = await client.post("/parcels/bulk", json={"commands": commands})
    results = answer.json()["results"]
    assert [each["status"] for each in results[:-3]] == [200] * 240
    assert [each["status"] for each in results[-3:]] == [404, 409, 409]
    assert names(await apply.outgoing()).count("ParcelShipped") == 60
    again = await client.post("/parcels/bulk", json={"commands": commands})
    assert again.json() == answer.json()
    assert await apply.outgoing() == []


@pytest.mark.parametrize(
    "path",
    [
        "/orders/ghost",
        "/orders/ghost/decisions",
        "/parcels/ghost",
        "/parcels/ghost/messages",
        "/nodes/ghost/parcels",
    ],
)
async def test_what_is_not_there_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"actor": "w"},
        {"attempt": "1", "actor": "w"},
        {"attempt": 0, "actor": "w"},
        {"attempt": 1, "actor": ""},
        {"attempt": 1, "actor": "w", "occurred_at": "2026-01-01"},
        {"attempt": 1, "actor": "w", "status": "delivered"},
    ],
)
async def test_bad_input_is_refused_before_anything_happens(
    client: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    assert (await client.post("/parcels/ghost/accept", json=body)).status_code == 422
    assert (await client.post("/parcels/bulk", json={"commands": [body]})).status_code == 422


async def test_lists_are_paged_by_cursor(client: httpx.AsyncClient, apply: Bench) -> None:
    parcel_ids = await release(apply, *(f"order-{number}" for number in range(5)))
    for path, key in (
        ("/orders", "order_id"),
        ("/parcels", "parcel_id"),
        ("/nodes/shanghai/parcels", "parcel_id"),
    ):
        seen: list[str] = []
        after = ""
        while True:
            page = (await client.get(f"{path}?limit=2{after}")).json()
            seen += [item[key] for item in page["items"]]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        expected = parcel_ids if key == "parcel_id" else [f"order-{n}" for n in range(5)]
        assert seen == sorted(expected)


@pytest.mark.usefixtures("parcel_id")
async def test_new_rates_and_policy_count_from_the_next_plan_on(
    client: httpx.AsyncClient, apply: Bench
) -> None:
    rate = {
        "currency": "CNY",
        "from_region": "CN-3205",
        "to_region": "CN-310115",
        "base_minor": 1,
        "base_weight_g": 1000,
        "step_minor": 0,
        "step_weight_g": 1000,
    }
    assert (await client.put("/freight-rates", json={"rates": [rate]})).status_code == 200
    assert (await client.put("/policy", json={"stock_wait_s": 0})).json()["stock_wait_s"] == 0
    (event,) = await apply(consumer, [accepted(order_id="order-2"), granted("order-2")])
    assert isinstance(event, OrderRouted)
    assert event.parcels[0].node_id == "suzhou"
    query = "currency=CNY&from_region=CN-3205&to_region=CN-310115"
    assert (await client.delete(f"/freight-rates?{query}")).status_code == 204
    assert (await client.delete(f"/freight-rates?{query}")).status_code == 404
    rates = (await client.get("/freight-rates")).json()["rates"]
    assert rate not in rates
    assert len(rates) == 62
    (event,) = await apply(consumer, [accepted(line(goods_id="cup"), order_id="o3"), granted("o3")])
    assert type(event).__name__ == "OrderUnroutable"


async def test_the_known_stock_is_shown_with_what_is_in_flight(
    client: httpx.AsyncClient, apply: Bench
) -> None:
    stock = [available("tea", "shanghai", 50)]
    await apply(consumer, [*directory(), *stock, accepted(line(units=2)), granted()])
    assert (await client.get("/goods/tea/stock")).json()["nodes"] == [
        {
            "node_id": "shanghai",
            "available_units": 50,
            "in_flight_units": 2,
            "stock_version": 1,
        }
    ]
