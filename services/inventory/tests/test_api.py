"""Commands and views over HTTP, against the real application and a real database."""

import asyncio
from typing import Any

import httpx
import pytest

from backbone import Database
from contracts.availability import AvailabilityChanged
from inventory import store
from inventory.model import Condition, Reservation, StockKey
from testbed.bench import Bench
from testbed.clock import START

TEA = StockKey("hangzhou", "tea", Condition.SELLABLE)


def receipt(receipt_id: str = "receipt-1", **units: int) -> dict[str, Any]:
    lines = [{"goods_id": goods_id, "quantity_units": each} for goods_id, each in units.items()]
    return {"receipt_id": receipt_id, "node_id": "hangzhou", "lines": lines}


def adjustment(adjustment_id: str, **units: int) -> dict[str, Any]:
    lines = [{"goods_id": goods_id, "delta_units": each} for goods_id, each in units.items()]
    return {
        "adjustment_id": adjustment_id,
        "node_id": "hangzhou",
        "actor": "counter-3",
        "reason": "count",
        "lines": lines,
    }


async def post(client: httpx.AsyncClient, path: str, body: Any, status: int = 201) -> Any:
    response = await client.post(path, json=body)
    assert response.status_code == status, response.text
    return response.json()


async def get(client: httpx.AsyncClient, path: str, **query: str) -> Any:
    response = await client.get(path, params=query)
    assert response.status_code == 200, response.text
    return response.json()


async def hold(database: Database, units: int) -> None:
    """Promise units of tea to a parcel."""
    async with database.transaction() as tx:
        row = Reservation("p1", "tea", "o1", 1, "hangzhou", units)
        await store.save_reservations(tx, [row], START)
        await tx.execute("UPDATE stock SET reserved_units = $1 WHERE goods_id = 'tea'", units)


async def test_a_receipt_adds_stock_and_tells_what_can_be_promised(
    client: httpx.AsyncClient, apply: Bench
) -> None:
    answer = await post(client, "/receipts", receipt(tea=5, cup=2))
    assert answer["command_id"] == "receipt-1"
    assert [(row["goods_id"], row["on_hand_units"]) for row in answer["stock"]] == [
        ("cup", 2),
        ("tea", 5),
    ]
    outgoing = await apply.outgoing()
    assert {
        (event.goods_id, event.available_units, event.stock_version)
        for event in outgoing
        if isinstance(event, AvailabilityChanged)
    } == {("tea", 5, 1), ("cup", 2, 1)}


async def test_a_repeated_receipt_gets_the_first_answer_and_adds_nothing(
    client: httpx.AsyncClient, apply: Bench
) -> None:
    first = await post(client, "/receipts", receipt(tea=5))
    await post(client, "/receipts", receipt("receipt-2", tea=1))
    await apply.outgoing()
    assert await post(client, "/receipts", receipt(tea=5)) == first
    assert not await apply.outgoing()
    found = await get(client, "/stock/hangzhou/tea")
    assert found["conditions"][0]["on_hand_units"] == 6


async def test_a_receipt_sent_by_many_at_once_is_added_once(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(post(client, "/receipts", receipt(tea=5)) for _ in range(12)))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["stock"][0]["on_hand_units"] == 5


async def test_a_receipt_id_with_other_content_is_a_conflict(client: httpx.AsyncClient) -> None:
    await post(client, "/receipts", receipt(tea=5))
    problem = await post(client, "/receipts", receipt(tea=6), 409)
    assert problem["type"] == "urn:yipan:problem:conflict"
    assert "receipt-1" in problem["detail"]


async def test_thousands_of_lines_are_received_at_once(
    client: httpx.AsyncClient, apply: Bench
) -> None:
    lines = [
        {"node_id": f"node-{number % 7}", "goods_id": f"goods-{number}", "quantity_units": 3}
        for number in range(5_000)
    ]
    body = {"receipt_id": "opening", "lines": lines}
    answer = await post(client, "/receipts/bulk", body)
    assert answer == {"receipt_id": "opening", "lines_count": 5_000, "quantity_units": 15_000}
    assert len(await apply.outgoing()) == 5_000
    assert await post(client, "/receipts/bulk", body) == answer
    body["lines"] = [*lines, lines[0]]
    await post(client, "/receipts/bulk", body, 422)


async def test_an_adjustment_corrects_a_count(client: httpx.AsyncClient) -> None:
    await post(client, "/receipts", receipt(tea=5))
    answer = await post(client, "/adjustments", adjustment("count-1", tea=-2))
    assert answer["stock"][0]["on_hand_units"] == 3


async def test_an_adjustment_never_takes_what_was_promised(
    client: httpx.AsyncClient, database: Database
) -> None:
    await post(client, "/receipts", receipt(tea=5))
    await hold(database, 4)
    answer = await post(client, "/adjustments", adjustment("count-1", tea=-3))
    (row,) = answer["stock"]
    assert (row["on_hand_units"], row["available_units"], row["missing_units"]) == (4, 0, 2)
    listed = await get(client, "/stock", missing="true")
    assert listed["items"] == [row]
    received = await post(client, "/receipts", receipt("receipt-2", tea=5))
    (row,) = received["stock"]
    assert (row["on_hand_units"], row["available_units"], row["missing_units"]) == (7, 3, 0)


async def test_an_adjustment_of_more_than_is_there_is_refused_and_its_id_stays_free(
    client: httpx.AsyncClient,
) -> None:
    await post(client, "/receipts", receipt(tea=5, cup=5))
    problem = await post(client, "/adjustments", adjustment("count-1", cup=-1, tea=-6), 409)
    assert problem["type"] == "urn:yipan:problem:too-few-units"
    assert problem["detail"].startswith("line 1: 5 sellable units of tea are at hangzhou")
    found = await get(client, "/stock/hangzhou/cup")
    assert found["conditions"][0]["on_hand_units"] == 5
    await post(client, "/adjustments", adjustment("count-1", tea=-5))


async def test_quarantined_goods_are_put_away(client: httpx.AsyncClient) -> None:
    body = receipt(tea=5)
    body["lines"][0]["condition"] = "quarantine"
    await post(client, "/receipts", body)
    put_away = {
        "put_away_id": "put-away-1",
        "node_id": "hangzhou",
        "actor": "clerk-1",
        "lines": [
            {"goods_id": "tea", "quantity_units": 3},
            {"goods_id": "tea", "quantity_units": 1, "to_condition": "damaged"},
        ],
    }
    answer = await post(client, "/put-aways", put_away)
    found = {row["condition"]: row["on_hand_units"] for row in answer["stock"]}
    assert found == {"sellable": 3, "damaged": 1, "quarantine": 1}
    put_away["put_away_id"] = "put-away-2"
    problem = await post(client, "/put-aways", put_away, 409)
    assert "1 quarantine units of tea" in problem["detail"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/receipts", receipt()),
        ("/receipts", receipt(tea=0)),
        ("/receipts", receipt(tea=-1)),
        ("/receipts", receipt("with space", tea=1)),
        ("/receipts", receipt(tea=1) | {"brand_id": "other"}),
        ("/receipts", receipt(tea=1) | {"lines": [{"goods_id": "tea", "quantity_units": "1"}]}),
        ("/receipts", receipt(tea=1) | {"lines": [{"goods_id": "tea", "quantity_units": 1.5}]}),
        ("/adjustments", adjustment("count-1", tea=0)),
        ("/adjustments", adjustment("count-1", tea=1) | {"reason": "because"}),
        ("/adjustments", adjustment("count-1", tea=1) | {"actor": ""}),
    ],
)
async def test_what_makes_no_sense_is_refused(
    client: httpx.AsyncClient, path: str, body: dict[str, Any]
) -> None:
    problem = await post(client, path, body, 422)
    assert problem["type"] == "urn:yipan:problem:invalid-input"
    assert problem["errors"]
    assert (await get(client, "/stock"))["items"] == []


async def test_stock_is_listed_page_by_page(client: httpx.AsyncClient) -> None:
    await post(
        client, "/receipts", receipt("receipt-1", **{f"goods-{number}": 1 for number in range(5)})
    )
    seen: list[str] = []
    page = await get(client, "/stock", limit="2", node_id="hangzhou")
    seen += [row["goods_id"] for row in page["items"]]
    while page["next"]:
        page = await get(client, "/stock", limit="2", node_id="hangzhou", after=page["next"])
        seen += [row["goods_id"] for row in page["items"]]
    assert seen == [f"goods-{number}" for number in range(5)]
    assert (await get(client, "/stock", goods_id="goods-3", condition="sellable"))["items"]
    assert not (await get(client, "/stock", condition="damaged"))["items"]
    response = await client.get("/stock", params={"after": "nonsense"})
    assert response.status_code == 422


async def test_the_ledger_explains_a_figure(client: httpx.AsyncClient) -> None:
    await post(client, "/receipts", receipt(tea=5))
    await post(client, "/adjustments", adjustment("count-1", tea=-2))
    page = await get(client, "/stock/hangzhou/tea/ledger", limit="1")
    (latest,) = page["items"]
    assert (latest["version"], latest["operation"], latest["cause_kind"], latest["cause_id"]) == (
        2,
        "adjust",
        "adjustment",
        "count-1",
    )
    assert latest["on_hand_delta_units"] == -2
    page = await get(client, "/stock/hangzhou/tea/ledger", limit="1", after=page["next"])
    assert page["items"][0]["cause_id"] == "receipt-1"
    assert page["next"] is None


async def test_the_reservations_of_an_order_are_shown_with_their_state(
    client: httpx.AsyncClient, database: Database
) -> None:
    await post(client, "/receipts", receipt(tea=5))
    await hold(database, 4)
    found = await get(client, "/orders/o1/reservations")
    (row,) = found["reservations"]
    assert (row["parcel_id"], row["state"], row["held_units"]) == ("p1", "held", 4)


@pytest.mark.parametrize("path", ["/stock/hangzhou/ghost", "/orders/ghost/reservations"])
async def test_what_is_unknown_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
