"""The service as it runs, on the real broker: an order to the door across a crash."""

import asyncio

import httpx
from routing_builders import accepted, available, cancellation, directory, granted, line, reserved

from contracts.fulfilments import ParcelShipped
from contracts.plans import OrderRouted
from contracts.topics import ROUTING_FULFILMENTS, ROUTING_PLANS
from testbed.broker import Broker
from testbed.running import RunningService

SAID = {"attempt": 1, "actor": "worker-1"}


async def test_an_order_reaches_the_door_across_a_crash(
    broker: Broker, running_service: RunningService
) -> None:
    order_ids = [f"order-{number}" for number in range(20)]
    stock = [available("tea", "shanghai", 500), available("tea", "suzhou", 500)]
    orders = [accepted(line(units=2), order_id=order_id) for order_id in order_ids]
    await broker.publish([*map(granted, order_ids), *orders, *stock, *directory()])
    plans = [e for e in await broker.collect(ROUTING_PLANS, 20) if isinstance(e, OrderRouted)]
    assert sorted(plan.order_id for plan in plans) == sorted(order_ids)

    running_service.kill()
    await broker.publish(map(reserved, plans))
    await running_service.start()
    await broker.collect(ROUTING_FULFILMENTS, 20)

    steps = [{"action": "accept"}, {"action": "pick"}, {"action": "pack"}]
    steps.append({"action": "ship", "carrier_id": "sf", "waybill": "SF1"})
    commands = [
        {**SAID, **step, "parcel_id": plan.parcels[0].parcel_id} for plan in plans for step in steps
    ]
    async with httpx.AsyncClient(base_url=running_service.url, timeout=30) as http:
        answer = await http.post("/parcels/bulk", json={"commands": commands})
        assert {result["status"] for result in answer.json()["results"]} == {200}
        shipped = await broker.collect(ROUTING_FULFILMENTS, 100)
        assert sum(isinstance(event, ParcelShipped) for event in shipped) == 20
        await broker.publish([cancellation(order_ids[0])])
        await broker.collect(ROUTING_FULFILMENTS, 101)
        page = (await http.get("/orders?limit=200")).json()
        assert {order["waits_for"] for order in page["items"]} == {"nothing"}
    await asyncio.to_thread(running_service.stop)
