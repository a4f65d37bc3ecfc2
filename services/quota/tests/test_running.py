"""The service as a process of its own, on the real broker."""

from typing import Any

import httpx

from contracts.holds import QuotaCaptured, QuotaGranted, QuotaRefused
from contracts.topics import QUOTA_HOLDS
from testbed.broker import Broker
from testbed.running import RunningService


async def test_orders_come_in_and_grants_go_out_across_a_crash(
    broker: Broker, running_service: RunningService, facts: Any
) -> None:
    async with httpx.AsyncClient(base_url=running_service.url) as http:
        account = {"party_id": "party", "currency": "CNY"}
        (await http.put("/accounts/dealer", json=account)).raise_for_status()
        limit = {"limit_id": "l", "amount_minor": 1_000}
        (await http.post("/accounts/dealer/limits", json=limit)).raise_for_status()
        await broker.publish([facts.order("a", 8), facts.order("b", 5)])
        first = await broker.collect(QUOTA_HOLDS, 2)
        assert {type(event) for event in first} == {QuotaGranted, QuotaRefused}
        running_service.kill()
        await broker.publish([facts.shipped("a", 8)])
        await running_service.start()
        top_up = {"top_up_id": "t", "amount_minor": 300}
        (await http.post("/accounts/dealer/top-ups", json=top_up)).raise_for_status()
        events = await broker.collect(QUOTA_HOLDS, 4)
        assert sum(isinstance(event, QuotaGranted) for event in events) == 2
        assert sum(isinstance(event, QuotaCaptured) for event in events) == 1
        view = (await http.get("/accounts/dealer")).json()
    assert (view["settled_minor"], view["held_minor"]) == (-500, 500)
