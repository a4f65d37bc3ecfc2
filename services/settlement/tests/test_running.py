"""The service as a process of its own, on the real broker."""

import asyncio
from collections import Counter

import httpx
import pytest
from settlement_builders import delivered, order, reference_data, returned, shipped, units

from contracts.topics import SETTLEMENT_POSTINGS, SETTLEMENT_STATEMENTS
from testbed.broker import Broker
from testbed.running import RunningService


async def test_orders_are_settled_and_stated_across_a_crash(
    broker: Broker, running_service: RunningService
) -> None:
    # Facts first: they wait for orders, which wait for reference data.
    ids = [f"o{number}" for number in range(20)]
    await broker.publish(
        [shipped(*units(l1=2), order_id=each, parcel_id=f"p-{each}") for each in ids]
    )
    await broker.publish([order(order_id=each) for each in ids])
    await broker.publish(reference_data())
    # A plan with two journals and one for the freight, each.
    await broker.collect(SETTLEMENT_POSTINGS, 20 * 4)
    running_service.kill()
    await broker.publish(
        [delivered(*units(l1=2), order_id=each, parcel_id=f"p-{each}") for each in ids]
    )
    await running_service.start()
    await broker.publish([returned(*units(l1=2), order_id="o3", parcel_id="p-o3")])
    async with httpx.AsyncClient(base_url=running_service.url) as http:
        await until_settled(http, 19 * 5_000)
        verified = (await http.get("/verify")).json()
        assert verified["violations_count"] == 0, verified
        body = {"party_id": "dealer-7", "period": "2026-01-01/2026-02-01"}
        assert (await http.post("/statements", json=body)).status_code == 201
        journals = (await http.get("/orders/o3/journals")).json()["journals"]
        assert Counter(journal["kind"] for journal in journals) == {
            "split_planned": 2,
            "freight_charged": 1,
            "split_earned": 2,
            "earned_reversed": 2,
        }
    await broker.collect(SETTLEMENT_STATEMENTS, 1)


async def until_settled(http: httpx.AsyncClient, settled_minor: int) -> None:
    """Return when all that the dealer has is earned, and is this amount."""
    book: dict[str, int] = {}
    for _ in range(300):
        (book,) = (await http.get("/parties/dealer-7/balance")).json()["books"]
        if (book["pending_minor"], book["settled_minor"]) == (0, settled_minor):
            return
        await asyncio.sleep(0.1)
    pytest.fail(f"still {book}")
