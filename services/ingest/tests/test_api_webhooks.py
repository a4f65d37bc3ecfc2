"""Webhooks: only what is signed, each order once, nothing authentic refused."""

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from channel_builders import (
    SECRET,
    douyin_detail,
    douyin_headers,
    douyin_push,
    shopify_headers,
    shopify_order,
    taobao_query,
    taobao_trade,
)
from ingest_builders import JSON, Api, shop

from contracts.ids import order_id
from contracts.orders import CancellationRequested, OrderAccepted
from ingest.api import webhooks
from ingest.consume import consumer
from ingest.gateway.secrets import Secrets

PAYLOADS = Path(__file__).parents[4] / "shared" / "data" / "channel_payloads"
SHOPIFY = order_id("shopify", "shop-1", "820982911946154508")
DOUYIN = order_id("douyin", "shop-2", "6936476692437000001")
TAOBAO = order_id("taobao", "shop-3", "500009083")


@pytest.fixture(autouse=True)
def secrets_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "secrets.json"
    write(path)
    monkeypatch.setattr(webhooks, "secrets", Secrets(path))
    return path


def write(path: Path, **changes: Any) -> None:
    shops: JSON = {
        "shopify/shop-1": {"secrets": [{"secret": SECRET}]},
        "douyin/shop-2": {"method": "md5", "app_key": "app-1", "secrets": [{"secret": SECRET}]},
        "taobao/shop-3": {"app_key": "app-1", "secrets": [{"secret": SECRET}]},
    }
    path.write_text(json.dumps(shops | changes), encoding="utf-8")


@pytest.fixture
async def hooks(api: Api) -> Api:
    """The API with a shop of each channel; they share shop-1's listings by their own rows."""
    from ingest_builders import listing  # noqa: PLC0415

    await api.apply(
        consumer,
        [
            shop("shop-2", channel="douyin"),
            shop("shop-3", channel="taobao"),
            listing("CUP-RED", "cup-red", shop_id="shop-2"),
            listing("CUP-RED", "cup-red", shop_id="shop-3"),
        ],
    )
    return api


async def shopify(api: Api, order: JSON, **headers: Any) -> httpx.Response:
    body = json.dumps(order).encode()
    return await api.post("/webhooks/shopify/shop-1", body, shopify_headers(body, **headers))


async def test_a_shopify_order_is_accepted_once(hooks: Api) -> None:
    for _ in range(2):  # the second delivery has the same time of update
        response = await shopify(hooks, shopify_order())
        assert (response.status_code, response.json()) == (200, {})
    (accepted,) = await hooks.apply.outgoing()
    assert isinstance(accepted, OrderAccepted)
    assert accepted.order_id == SHOPIFY
    assert accepted.paid_minor == 19_800
    assert accepted.place.region_code == "CA-ON-M5H1A1"
    assert (accepted.place.latitude, accepted.place.longitude) == (43.65, -79.38)


async def test_shopify_updates_change_an_order_until_it_is_accepted(hooks: Api) -> None:
    await shopify(hooks, shopify_order(financial_status="pending"))
    assert await hooks.status(SHOPIFY) == "waiting_for_payment"
    paid = shopify_order(updated_at="2026-01-15T02:06:00-05:00")
    await shopify(hooks, paid, topic="orders/paid")
    assert await hooks.status(SHOPIFY) == "accepted"
    older = shopify_order(updated_at="2026-01-15T02:04:00-05:00", note="older")
    await shopify(hooks, older, topic="orders/updated")
    assert (await hooks.get("/quarantine"))["items"] == []
    same_time = paid | {"note": "same time"}
    await shopify(hooks, same_time, topic="orders/updated")
    later = shopify_order(updated_at="2026-01-15T02:07:00-05:00", note="too late")
    await shopify(hooks, later, topic="orders/updated")
    reasons = [record["reason"] for record in (await hooks.get("/quarantine"))["items"]]
    assert sorted(reasons) == ["changed_too_late", "version_conflict"]
    assert await hooks.status(SHOPIFY) == "accepted"


async def test_a_shopify_order_that_arrives_cancelled_reserves_nothing(hooks: Api) -> None:
    await shopify(hooks, shopify_order(cancelled_at="2026-01-15T02:05:00-05:00"))
    assert await hooks.status(SHOPIFY) == "cancelled"
    assert await hooks.apply.outgoing() == []


async def test_a_shopify_cancellation_is_asked_for_once(hooks: Api) -> None:
    await shopify(hooks, shopify_order())
    gone = shopify_order(
        cancelled_at="2026-01-15T02:08:00-05:00",
        updated_at="2026-01-15T02:08:00-05:00",
        cancel_reason="customer",
    )
    for _ in range(2):
        await shopify(hooks, gone, topic="orders/cancelled")
    _, asked = await hooks.apply.outgoing()
    assert isinstance(asked, CancellationRequested)
    assert asked.reason == "customer"


@pytest.mark.parametrize(
    "changes",
    [
        {"total_price": "198.001"},
        {"total_price": 198.0},
        {"currency": "cny"},
        {"line_items": []},
        {"line_items": [{"id": 1, "quantity": "2", "price": "1.00"}]},
        {"created_at": "2026-01-15 02:00:00"},
    ],
)
async def test_authentic_bytes_that_fit_nothing_are_kept_for_a_person(
    hooks: Api, changes: JSON
) -> None:
    assert (await shopify(hooks, shopify_order(**changes))).status_code == 200
    (record,) = (await hooks.get("/quarantine"))["items"]
    assert (record["reason"], record["blocking"]) == ("malformed", False)
    raw = await hooks.client.get(f"/quarantine/{record['quarantine_id']}/raw")
    assert json.loads(raw.content) == shopify_order(**changes)


async def test_bytes_that_are_no_json_are_kept_too(hooks: Api) -> None:
    body = b'{"id": 1, "id": 2}'
    response = await hooks.post("/webhooks/shopify/shop-1", body, shopify_headers(body))
    assert response.status_code == 200
    (record,) = (await hooks.get("/quarantine"))["items"]
    content = {"content": None, "resubmitted_by": "agent-1"}
    path = f"/quarantine/{record['quarantine_id']}/resubmit"
    assert (await hooks.post(path, content)).status_code == 422


async def test_a_person_can_bring_the_order_that_bytes_meant(hooks: Api) -> None:
    from ingest_builders import order  # noqa: PLC0415

    await shopify(hooks, shopify_order(line_items=[]))
    (record,) = (await hooks.get("/quarantine"))["items"]
    body: JSON = {"content": order(), "resubmitted_by": "agent-1"}
    response = await hooks.post(f"/quarantine/{record['quarantine_id']}/resubmit", body)
    assert response.json()["state"] == "accepted"
    assert (await hooks.get("/quarantine"))["items"] == []


async def test_topics_we_do_not_take_are_kept_and_named(hooks: Api) -> None:
    await shopify(hooks, shopify_order(), topic="products/update")
    (record,) = (await hooks.get("/quarantine"))["items"]
    assert record["reason"] == "unsupported"


async def test_what_is_not_signed_by_the_shop_is_refused(hooks: Api) -> None:
    body = json.dumps(shopify_order()).encode()
    good = shopify_headers(body)
    name = "X-Shopify-Hmac-SHA256"
    wrong = "A" + good[name][1:] if good[name][0] != "A" else "B" + good[name][1:]
    tries = [
        ("shopify/shop-1", body, {"X-Shopify-Topic": "orders/create"}),
        ("shopify/shop-1", body, good | {name: wrong}),
        ("shopify/shop-1", body, good | {name: "é"}),
        ("shopify/shop-1", body, shopify_headers(body, secret="other shop's")),  # noqa: S106
        ("shopify/shop-1", json.dumps(shopify_order(), indent=1).encode(), good),
        ("shopify/shop-9", body, good),
        ("unheard-of/shop-1", body, good),
    ]
    answers: set[str] = set()
    for path, content, headers in tries:
        sent = {key.encode(): str(value).encode() for key, value in headers.items()}
        response = await hooks.client.post(f"/webhooks/{path}", content=content, headers=sent)
        assert response.status_code == 401
        answers.add(response.json()["detail"])
    assert len(answers) == 1
    assert (await hooks.get("/quarantine"))["items"] == []


async def test_a_rotated_secret_counts_until_its_end(hooks: Api, secrets_file: Path) -> None:
    old: JSON = {"secret": SECRET, "until": "2099-01-01T00:00:00Z"}
    write(secrets_file, **{"shopify/shop-1": {"secrets": [{"secret": "new"}, old]}})
    assert (await shopify(hooks, shopify_order())).status_code == 200
    assert (await shopify(hooks, shopify_order(), secret="new")).status_code == 200  # noqa: S106
    ended = old | {"until": "2026-01-01T00:00:00Z"}
    write(secrets_file, **{"shopify/shop-1": {"secrets": [{"secret": "new"}, ended]}})
    assert (await shopify(hooks, shopify_order())).status_code == 401


async def douyin(api: Api, body: bytes, **how: str) -> httpx.Response:
    return await api.post("/webhooks/douyin/shop-2", body, douyin_headers(body, **how))


async def test_a_douyin_order_with_its_detail_is_accepted(hooks: Api) -> None:
    body = douyin_push("101", {"shop_order_detail": douyin_detail()})
    response = await douyin(hooks, body)
    assert response.json() == {"code": 0, "msg": "success"}
    (accepted,) = await hooks.apply.outgoing()
    assert isinstance(accepted, OrderAccepted)
    assert accepted.place.region_code == "CN-350203"
    assert accepted.paid_minor == 10_300
    assert [each.gift for each in accepted.lines] == [False, True]
    shown = await hooks.get(f"/orders/{DOUYIN}/consumer")
    assert shown["street"] == "##detail##"


async def test_a_douyin_order_under_risk_control_is_held(hooks: Api) -> None:
    detail = douyin_detail(order_status=105)
    await douyin(hooks, douyin_push("100", {"shop_order_detail": detail}))
    assert await hooks.status(DOUYIN) == "held"


async def test_thin_douyin_messages_find_their_order(hooks: Api) -> None:
    number = "6936476692437000001"
    assert (await douyin(hooks, douyin_push("0", "test"))).status_code == 200
    await douyin(hooks, douyin_push("100", {"p_id": int(number), "pay_amount": 10_300}))
    (record,) = (await hooks.get("/quarantine"))["items"]
    assert (record["reason"], record["order_number"]) == ("detail_missing", number)
    paid = {"p_id": number, "pay_amount": 10_300, "pay_time": 1768460460}
    await douyin(hooks, douyin_push("101", paid))
    unpaid = douyin_detail(order_status=1, pay_time=0)
    await douyin(hooks, douyin_push("100", {"shop_order_detail": unpaid}))
    assert await hooks.status(DOUYIN) == "accepted"
    await douyin(hooks, douyin_push("106", {"p_id": number, "cancel_reason": "no stock"}))
    _, asked = await hooks.apply.outgoing()
    assert isinstance(asked, CancellationRequested)


async def test_douyin_methods_are_the_shops(hooks: Api, secrets_file: Path) -> None:
    body = douyin_push("0", "test")
    assert (await douyin(hooks, body, method="hmac-sha256")).status_code == 401
    assert (await douyin(hooks, body, app_key="app-2")).status_code == 401
    strong: JSON = {"app_key": "app-1", "secrets": [{"secret": SECRET}]}
    write(secrets_file, **{"douyin/shop-2": strong})
    assert (await douyin(hooks, body)).status_code == 401
    assert (await douyin(hooks, body, method="hmac-sha256")).status_code == 200


def china_time(shift_s: int = 0) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + 8 * 3600 + shift_s))


async def taobao(api: Api, trade: JSON, **how: Any) -> httpx.Response:
    body = json.dumps(trade).encode()
    query = taobao_query(body, how.pop("timestamp", china_time()), **how)
    return await api.post(f"/webhooks/taobao/shop-3?{query}", body)


async def test_a_taobao_trade_waits_for_its_region(hooks: Api) -> None:
    assert (await taobao(hooks, taobao_trade())).json() == {"success": True}
    (record,) = (await hooks.get("/quarantine"))["items"]
    assert record["reason"] == "address_incomplete"
    path = f"/quarantine/{record['quarantine_id']}/resubmit"
    waived = {"waive": ["address_incomplete"], "resubmitted_by": "agent-1"}
    assert (await hooks.post(path, waived)).status_code == 200
    shown = await hooks.get(f"/orders/{TAOBAO}")
    assert (shown["status"], shown["placed_at"]) == ("accepted", "2026-01-15T06:18:32Z")
    assert shown["lines"][0]["discount_minor"] == 2_000


async def test_taobao_times_and_methods_are_checked(hooks: Api) -> None:
    assert (await taobao(hooks, taobao_trade(), timestamp=china_time(-301))).status_code == 401
    assert (await taobao(hooks, taobao_trade(), timestamp="yesterday")).status_code == 401
    assert (await taobao(hooks, taobao_trade(), method="md5")).status_code == 401
    lied = await taobao(hooks, taobao_trade(), method="md5", claimed="hmac-sha256")
    assert lied.status_code == 401
    body = json.dumps(taobao_trade()).encode()
    query = taobao_query(body, china_time())
    twice = await hooks.post(f"/webhooks/taobao/shop-3?{query}&sign=x", body)
    assert twice.status_code == 400


async def test_the_mock_trade_whose_amounts_do_not_add_up_is_found_out(hooks: Api) -> None:
    path = PAYLOADS / "taobao" / "trade_fullinfo_get.response.json"
    if not path.exists():
        pytest.skip(f"real payloads are not here: {path}")
    assert (await taobao(hooks, json.loads(path.read_text(encoding="utf-8")))).status_code == 200
    (record,) = (await hooks.get("/quarantine"))["items"]
    assert record["reason"] == "total_mismatch"


@pytest.mark.parametrize(
    ("channel", "name", "status"),
    [
        ("shopify", "shopify/order.json", "cancelled"),
        ("douyin", "douyin/order.orderDetail.response.json", "cancelled"),
    ],
)
async def test_real_payloads_are_understood(
    hooks: Api, channel: str, name: str, status: str
) -> None:
    path = PAYLOADS / name
    if not path.exists():
        pytest.skip(f"real payloads are not here: {path}")
    payload = json.loads(path.read_text(encoding="utf-8"))
    if channel == "shopify":
        await shopify(hooks, payload)
    else:
        await douyin(hooks, douyin_push("100", payload["data"]))
    (item,) = (await hooks.get("/orders"))["items"]
    assert item["status"] == status
