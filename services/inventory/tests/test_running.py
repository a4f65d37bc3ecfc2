"""The service as a process of its own, on the real broker, across a crash."""

import httpx
from inventory_builders import about, picked, rejected, routed, shipped, voided

from contracts.availability import AvailabilityChanged
from contracts.reservations import StockReserved, StockShort
from contracts.topics import INVENTORY_AVAILABILITY, INVENTORY_RESERVATIONS
from testbed.broker import Broker
from testbed.running import RunningService


async def test_plans_come_in_and_answers_go_out_across_a_crash(
    broker: Broker, running_service: RunningService
) -> None:
    lines = [{"goods_id": "tea", "quantity_units": 10}]
    receipt = {"receipt_id": "opening", "node_id": "hangzhou", "lines": lines}
    async with httpx.AsyncClient(base_url=running_service.url) as http:
        (await http.post("/receipts", json=receipt)).raise_for_status()
        await broker.publish([voided("o4", 1), routed("o1", tea=4)])
        await broker.collect(INVENTORY_AVAILABILITY, 2)
        await broker.publish([routed("o2", tea=4)])
        await broker.collect(INVENTORY_AVAILABILITY, 3)
        running_service.kill()
        await broker.publish([picked(about("o1"), tea=1), shipped(about("o1"), tea=3)])
        await broker.publish([rejected(about("o2"), tea=2), routed("o4", tea=1)])
        await running_service.start()
        changes = await broker.collect(INVENTORY_AVAILABILITY, 4)
        await broker.publish([routed("o3", tea=5)])
        answers = await broker.collect(INVENTORY_RESERVATIONS, 3)
        (sellable,) = (await http.get("/stock/hangzhou/tea")).json()["conditions"]
        repeated = await http.post("/receipts", json=receipt)
    kinds = {getattr(answer, "order_id", ""): type(answer) for answer in answers}
    assert kinds == {"o1": StockReserved, "o2": StockReserved, "o3": StockShort}
    assert (sellable["on_hand_units"], sellable["reserved_units"]) == (4, 0)
    assert repeated.json()["stock"][0]["on_hand_units"] == 10
    assert [e.available_units for e in changes if isinstance(e, AvailabilityChanged)] == [
        *(10, 6, 2, 4)
    ]
