"""The service as a process, on real Kafka: in by HTTP and topic, out by topic, once."""

import json

import httpx
from ingest_builders import entries, order

from contracts.orders import OrderAccepted
from contracts.topics import CONNECTORS_ORDERS, INGEST_ORDERS
from testbed.broker import Broker
from testbed.running import RunningService


async def test_orders_come_out_once_although_the_process_is_killed(
    broker: Broker, running_service: RunningService
) -> None:
    async with httpx.AsyncClient(base_url=running_service.url, timeout=20) as client:
        numbers = [str(number) for number in range(40)]
        first = {"orders": [order(order_number=number) for number in numbers[:30]]}
        await client.post("/orders/bulk", json=first)  # before the directory is known: they wait
        await broker.publish(entries())
        running_service.kill()
        await running_service.start()
        rest = {"orders": [order(order_number=number) for number in numbers[20:]]}
        response = await client.post("/orders/bulk", json=rest)
        assert response.status_code == 200
        value = json.dumps(order(order_number="topic")).encode()
        await broker.publish_raw(CONNECTORS_ORDERS, value, key=b"topic")
    events = await broker.collect(INGEST_ORDERS, 41, timeout_s=40)
    accepted = [event for event in events if isinstance(event, OrderAccepted)]
    assert {event.channel_order_number for event in accepted} == {*numbers, "topic"}
