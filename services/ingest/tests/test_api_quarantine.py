"""The ways out of quarantine: mapped, corrected, waived, dismissed."""

import asyncio
from datetime import timedelta

import pytest
from ingest_builders import (
    JSON,
    ORDER_ID,
    Api,
    agreement,
    goods,
    line,
    listing,
    order,
    shop,
)

from contracts.entries import SupplyPrice
from contracts.ids import order_id
from contracts.orders import OrderAccepted
from ingest.consume import consumer
from ingest.schedule import schedule
from testbed.clock import START

MUG = order(lines=[line(sku="MUG")])


async def _quarantined(api: Api, body: JSON) -> str:
    response = await api.post("/orders", body)
    assert response.status_code == 422, response.text
    quarantine_id: str = response.json()["quarantine_id"]
    return quarantine_id


async def test_a_listing_that_comes_later_releases_the_order(api: Api) -> None:
    await _quarantined(api, MUG)
    await _quarantined(api, MUG | {"order_number": "1002"})
    alarms = await api.get("/alarms")
    assert [alarm["subject"] for alarm in alarms["items"]] == ["listing/shop-1/MUG"]
    await api.apply(consumer, [listing("MUG", "mug"), goods("mug")])
    assert await api.apply.tick(schedule) == []  # the agreement has no price for it yet
    priced = agreement(
        2,
        valid_from=START - timedelta(days=30),
        supply_prices=(SupplyPrice(goods_id="mug", price_minor=5_000),),
    )
    await api.apply(consumer, [priced])
    released = await api.apply.tick(schedule)
    assert {type(event) for event in released} == {OrderAccepted}
    assert len(released) == 2
    assert (await api.get("/quarantine"))["items"] == []
    resolved = await api.get("/quarantine?state=resolved")
    assert {record["resolution"] for record in resolved["items"]} == {"mended"}
    assert [alarm["kind"] for alarm in (await api.get("/alarms?state=cleared"))["items"]] == [
        "unknown_sku"
    ]


async def test_an_entry_and_an_order_never_miss_each_other(api: Api) -> None:
    numbers = [f"r{number}" for number in range(30)]
    orders = [api.post("/orders", MUG | {"order_number": number}) for number in numbers]
    entry = api.apply(consumer, [listing("MUG", "cup-red")])
    await asyncio.gather(*orders[:15], entry, *orders[15:])
    await api.apply.tick(schedule)
    for number in numbers:
        assert await api.status(order_id("shopify", "shop-1", number)) == "accepted"


async def test_disabled_and_foreign_goods_read_like_unknown_ones(api: Api) -> None:
    entries = [
        listing("OFF", "cup-red", enabled=False),
        listing("THEIRS", "theirs"),
        goods("theirs", brand_id="brand-2"),
    ]
    await api.apply(consumer, entries)
    details: set[str] = set()
    for sku in ("OFF", "THEIRS", "NONE"):
        body = order(order_number=sku, lines=[line(sku=sku)])
        response = await api.post("/orders", body)
        details.add(response.json()["errors"][0]["message"].replace(sku, "?"))
    assert len(details) == 1


async def test_an_agreement_bounds_what_is_sold_where(api: Api) -> None:
    narrow = agreement(2, coverage=("CN-44",), product_lines=("tableware",))
    await api.apply(consumer, [narrow])
    response = await api.post("/orders", order())
    assert response.json()["errors"][0]["field"] == "outside_range"
    south = order(order_number="1002", place={"region_code": "CN-440305"})
    assert (await api.post("/orders", south)).status_code == 201


async def test_terms_are_those_of_the_paid_time(api: Api) -> None:
    ended = agreement(1, valid_to=START - timedelta(days=1))
    other = agreement(
        2, agreement_id="agreement-2", valid_from=START - timedelta(days=1), valid_to=None
    )
    old = agreement(1, agreement_id="agreement-2", valid_to=START - timedelta(days=1))
    await api.apply(
        consumer, [ended, other, old, shop(entry_version=2, agreement_id="agreement-2")]
    )
    before = order(placed_at="2026-01-13T00:00:00Z", paid_at="2026-01-13T00:00:00Z")
    await api.post("/orders", before)
    await api.post("/orders", order(order_number="1002"))
    versions = [
        event.agreement_version
        for event in await api.apply.outgoing()
        if isinstance(event, OrderAccepted)
    ]
    assert sorted(versions) == [1, 2]


async def test_an_older_entry_changes_nothing(api: Api) -> None:
    await api.apply(consumer, [listing("CUP-RED", "set", entry_version=3)])
    await api.apply(consumer, [listing("CUP-RED", "cup-red", entry_version=2)])
    lines = [line(quantity_units=1, unit_price_minor=20_000)]
    await api.post("/orders", order(lines=lines))
    (accepted,) = await api.apply.outgoing()
    assert isinstance(accepted, OrderAccepted)
    assert accepted.lines[0].goods_id == "set"


async def test_a_corrected_order_goes_on(api: Api) -> None:
    quarantine_id = await _quarantined(api, order(total_minor=20_801))
    body: JSON = {"content": order(), "resubmitted_by": "agent-1"}
    response = await api.post(f"/quarantine/{quarantine_id}/resubmit", body)
    assert (response.status_code, response.json()["state"]) == (200, "accepted")
    assert len(await api.apply.outgoing()) == 1
    again = await api.post(f"/quarantine/{quarantine_id}/resubmit", body)
    assert again.status_code == 409
    assert "order_corrected" in await api.story()


async def test_a_correction_that_is_wrong_itself_stays(api: Api) -> None:
    quarantine_id = await _quarantined(api, order(total_minor=20_801))
    body: JSON = {"content": order(total_minor=20_802), "resubmitted_by": "agent-1"}
    response = await api.post(f"/quarantine/{quarantine_id}/resubmit", body)
    assert response.status_code == 422
    assert response.json()["quarantine_id"] != quarantine_id
    opened = await api.get("/quarantine")
    assert len(opened["items"]) == 1


async def test_a_person_can_answer_for_a_price_but_not_for_a_sum(api: Api) -> None:
    cheap = order(lines=[line(unit_price_minor=100)], total_minor=1_000)
    path = f"/quarantine/{await _quarantined(api, cheap)}/resubmit"
    unchanged = await api.post(path, {"resubmitted_by": "agent-1"})
    assert unchanged.status_code == 422
    refused = await api.post(path, {"waive": ["total_mismatch"], "resubmitted_by": "agent-1"})
    assert refused.status_code == 422
    waived = await api.post(path, {"waive": ["price_outlier"], "resubmitted_by": "agent-1"})
    assert waived.json()["state"] == "accepted"
    assert "complaints_waived" in await api.story()


@pytest.mark.parametrize("changes", [{"total_minor": 1}, {"lines": []}])
async def test_a_quarantined_order_can_be_cancelled(api: Api, changes: JSON) -> None:
    await _quarantined(api, order(**changes))
    body = {"request_id": "c", "reason": "x", "requested_by": "agent-1"}
    await api.post(f"/orders/{ORDER_ID}/cancellations", body)
    assert await api.status() == "cancelled"
    assert (await api.get("/quarantine"))["items"] == []


async def test_missing_records_are_not_found(api: Api) -> None:
    for path in ("", "/raw"):
        assert (await api.client.get(f"/quarantine/nope{path}")).status_code == 404
    response = await api.post("/quarantine/nope/resubmit", {"resubmitted_by": "agent-1"})
    assert response.status_code == 404
