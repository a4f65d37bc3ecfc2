"""Orders in over HTTP: accepted once, refused in the catalogue's words, never a bare 500."""

import asyncio
import json
from typing import Any

import pytest
from ingest_builders import JSON, ORDER_ID, Api, line, order

from contracts.ids import order_id
from contracts.orders import OrderAccepted


async def test_a_paid_order_is_accepted_with_frozen_terms(api: Api) -> None:
    response = await api.post("/orders", order())
    assert response.status_code == 201
    assert response.json() == {"order_id": ORDER_ID, "state": "accepted", "version": 1}
    (accepted,) = await api.apply.outgoing()
    assert isinstance(accepted, OrderAccepted)
    assert (accepted.seller_id, accepted.agreement_version) == ("dealer-1", 1)
    assert accepted.lines[0].supply_price_minor == 7_000
    assert accepted.lines[0].freight_minor == 800
    assert accepted.paid_minor == 20_800
    assert (accepted.place.latitude, accepted.place.longitude) == (31.22, 121.41)
    assert "李雷" not in repr(accepted)


async def test_the_same_content_is_one_order_and_one_answer(api: Api) -> None:
    first = await api.post("/orders", order())
    turned = dict(reversed(order().items()))
    again = await api.post("/orders", json.dumps(turned, indent=3).encode())
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert len(await api.apply.outgoing()) == 1


async def test_fifty_at_once_are_one_order(api: Api) -> None:
    responses = await asyncio.gather(*(api.post("/orders", order()) for _ in range(50)))
    assert {response.status_code for response in responses} == {201}
    assert len({response.text for response in responses}) == 1
    assert len(await api.apply.outgoing()) == 1


async def test_the_same_number_with_other_content_changes_nothing(api: Api) -> None:
    await api.post("/orders", order())
    response = await api.post("/orders", order(memo="other"))
    assert response.status_code == 409
    shown = await api.get(f"/orders/{ORDER_ID}/consumer")
    assert shown["memo"] == ""


async def test_an_idempotency_key_belongs_to_one_content(api: Api) -> None:
    key = {"Idempotency-Key": "k-1"}
    assert (await api.post("/orders", order(), key)).status_code == 201
    assert (await api.post("/orders", order(), key)).status_code == 201
    other = await api.post("/orders", order(order_number="1002"), key)
    assert other.status_code == 409
    elsewhere = order(order_number="1002", shop_id="shop-2")
    assert (await api.post("/orders", elsewhere, key)).status_code == 422  # the shop is unknown
    assert (await api.client.get(f"/orders/{order_id('shopify', 'shop-1', '1002')}")).status_code


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"total_minor": 20_801}, "total_mismatch"),
        ({"total_minor": 20_799}, "total_mismatch"),
        ({"lines": []}, "total_mismatch"),
        ({"lines": [], "total_minor": 800}, "amount_invalid"),
        ({"freight_minor": -1, "total_minor": 19_999}, "amount_invalid"),
        ({"lines": [line(discount_minor=20_001)], "total_minor": 799}, "amount_invalid"),
        ({"lines": [line(sku="CUP-RED ")]}, "unknown_sku"),
        ({"lines": [line(sku="CUP\u200b-RED")]}, "unknown_sku"),
        ({"lines": [line(sku="СUP-RED")]}, "unknown_sku"),  # noqa: RUF001 the homoglyph is the point
        ({"shop_id": "shop-9"}, "unknown_shop"),
        ({"consumer": {"name": "x", "street": " "}}, "address_incomplete"),
        ({"place": {"region_code": "CN-31"}}, "address_incomplete"),
        ({"place": {"region_code": "CN-310000"}}, "address_incomplete"),
        ({"place": {"region_code": "BR-SP"}}, "address_incomplete"),
        ({"placed_at": "2026-01-16T08:00:01Z"}, "time_implausible"),
        ({"placed_at": "9999-01-01T00:00:00Z"}, "time_implausible"),
        ({"paid_at": "1970-01-01T00:00:00Z"}, "time_implausible"),
        (
            {"lines": [line(unit_price_minor=1_000_000)], "total_minor": 2_000_800},
            "price_outlier",
        ),
        ({"lines": [line(unit_price_minor=100)], "total_minor": 1_000}, "price_outlier"),
        ({"lines": [line(unit_price_minor=0)], "total_minor": 800}, "price_outlier"),
        (
            {"lines": [line(discount_minor=20_000)], "freight_minor": 0, "total_minor": 0},
            "amount_invalid",
        ),
        (
            {
                "payments": [
                    {"payment_id": "p", "amount_minor": 20_799, "paid_at": "2026-01-15T07:01:00Z"}
                ]
            },
            "total_mismatch",
        ),
        ({"currency": "USD"}, "currency_mismatch"),
    ],
)
async def test_what_is_authentic_and_wrong_goes_to_quarantine(
    api: Api, changes: JSON, reason: str
) -> None:
    response = await api.post("/orders", order(**changes))
    assert response.status_code == 422, response.text
    problem = response.json()
    assert problem["errors"][0]["field"] == reason
    record = await api.get(f"/quarantine/{problem['quarantine_id']}")
    assert (record["reason"], record["blocking"]) == (reason, True)
    raw = await api.client.get(f"/quarantine/{problem['quarantine_id']}/raw")
    assert json.loads(raw.content) == order(**changes)
    assert await api.status(problem["order_id"]) == "quarantined"
    assert await api.apply.outgoing() == []
    again = await api.post("/orders", order(**changes))
    assert again.json()["quarantine_id"] == problem["quarantine_id"]


def _without(*names: str) -> JSON:
    return {name: value for name, value in order().items() if name not in names}


REFUSED: list[object] = [
    order(lines=[line(quantity_units=0)]),
    order(lines=[line(quantity_units=-1)]),
    order(lines=[line(quantity_units=1.0)]),
    order(lines=[line(quantity_units="1")]),
    order(lines=[line(quantity_units=True)]),
    order(lines=[line(quantity_units=10**9)]),
    order(lines=[line(unit_price_minor=0.1)]),
    order(lines=[line(unit_price_minor="100.00")]),
    order(total_minor=2**63),
    order(currency="cny"),
    order(currency="RMB"),
    order(lines=[line(), line()]),
    order(lines=[line(line_id=str(index)) for index in range(501)]),
    order(order_number="a/b"),
    order(order_number="x" * 65),
    order(placed_at="2026-01-15T07:00:00"),
    order(placed_at="2026-01-15"),
    order(placed_at=1760000000),
    order(placed_at="1760000000"),
    order(placed_at="2026-01-15T23:59:60Z"),
    order(placed_at="2026-01-15T07:00:00+24:00"),
    order(status="shipped"),
    order(brand_id="brand-2"),
    order(memo="x" * 2001),
    order(memo="a\u0000b"),
    order(version=0),
    order(version=2**63 - 1),
    order(lines=[{**line(), "QUANTITY_UNITS": 1}]),
    _without("order_number"),
    _without("shop_id"),
    [order()],
    "order",
    None,
]


async def test_what_is_no_order_of_ours_is_refused_and_leaves_nothing(api: Api) -> None:
    for body in REFUSED:
        response = await api.post("/orders", body)
        assert response.status_code == 422, (body, response.text)
        assert response.headers["content-type"] == "application/problem+json"
    assert (await api.get("/orders"))["items"] == []
    assert (await api.get("/quarantine"))["items"] == []


TEXT = json.dumps(order())


BYTES: list[tuple[bytes, int]] = [
    (b"", 400),
    (TEXT[:-1].encode(), 400),
    (TEXT.encode() + b"x", 400),
    (TEXT.replace("20800", "NaN").encode(), 400),
    (TEXT.replace("20800", "1e400").encode(), 422),
    (TEXT.replace("20800", "9" * 5_000).encode(), 400),
    (TEXT.replace('"version": 1', '"version": 1, "version": 2').encode(), 400),
    (TEXT.encode().replace(b"1001", b"\xff\xfe"), 400),
    (TEXT.replace("1001", "\\ud800").encode(), 400),
    (TEXT.encode("utf-16"), 415),
    (b"\xef\xbb\xbf" + TEXT.encode(), 201),
    (b" " * (1024 * 1024 + 1), 413),
]


async def test_bytes_are_read_strictly(api: Api) -> None:
    for body, status in BYTES:
        response = await api.post("/orders", body)
        assert response.status_code == status, (body[:200], response.text)


TEXTS = ["🍵𠮷é́", "\u202eevil", "<script>", "=cmd()", "'; DROP TABLE", "${jndi:x}", "a\r\nb"]


async def test_any_text_is_kept_as_it_is(api: Api) -> None:
    for number, text in enumerate(TEXTS):
        consumer = {"name": text, "phone": "1" * 30, "street": text}
        body = order(order_number=str(number), consumer=consumer)
        response = await api.post("/orders", body)
        assert response.status_code == 201
        shown = await api.get(f"/orders/{response.json()['order_id']}/consumer")
        assert (shown["name"], shown["street"]) == (text, text)


async def test_odd_characters_and_times_are_flagged(api: Api) -> None:
    consumer = {"name": "\u202eevil", "street": "x"}
    body = order(consumer=consumer, placed_at="2026-01-15T10:00:00Z", paid_at=None)
    assert (await api.post("/orders", body)).status_code == 201
    shown = await api.get(f"/orders/{ORDER_ID}")
    assert shown["flags"] == ["ahead_of_time", "invisible_characters"]


async def test_two_lines_of_one_sku_and_a_gift_are_fine(api: Api) -> None:
    lines = [line(), line(line_id="2"), line(line_id="3", unit_price_minor=0, gift=True)]
    response = await api.post("/orders", order(lines=lines, total_minor=40_800))
    assert response.json()["state"] == "accepted"
    (accepted,) = await api.apply.outgoing()
    assert isinstance(accepted, OrderAccepted)
    assert [each.freight_minor for each in accepted.lines] == [400, 400, 0]


async def test_a_free_order_of_gifts_is_accepted(api: Api) -> None:
    lines = [line(unit_price_minor=0, gift=True)]
    body = order(lines=lines, freight_minor=0, total_minor=0, paid_at=None)
    assert (await api.post("/orders", body)).json()["state"] == "accepted"


async def test_a_bundle_is_accepted_with_its_parts(api: Api) -> None:
    lines = [line(sku="SET", quantity_units=1, unit_price_minor=20_000)]
    await api.post("/orders", order(lines=lines))
    (accepted,) = await api.apply.outgoing()
    assert isinstance(accepted, OrderAccepted)
    parts = [(part.goods_id, part.units_each) for part in accepted.lines[0].parts]
    assert parts == [("cup-red", 1), ("saucer", 2)]


async def test_a_bad_order_of_many_does_not_hurt_the_others(api: Api) -> None:
    orders: list[Any] = [order(order_number=str(number)) for number in range(20)]
    orders[3]["total_minor"] = 1
    orders[5] = {"channel": "shopify"}
    orders[7] = order(order_number="1", memo="other content of number one")
    orders[9] = order(order_number="0")
    response = await api.post("/orders/bulk", {"orders": orders})
    assert response.status_code == 200
    results = response.json()["results"]
    statuses = [result["status"] for result in results]
    assert statuses == [{3: 422, 5: 422, 7: 409}.get(index, 201) for index in range(20)]
    assert results[9]["order_id"] == results[0]["order_id"]
    assert results[3]["quarantine_id"] is not None
    assert len(await api.apply.outgoing()) == 16


async def test_lists_are_paged_by_cursor_and_filtered(api: Api) -> None:
    orders = [order(order_number=str(number)) for number in range(7)]
    await api.post("/orders/bulk", {"orders": orders})
    seen: list[str] = []
    path = "/orders?limit=3&shop_id=shop-1&status=accepted"
    page = await api.get(path)
    while True:
        seen += [item["order_number"] for item in page["items"]]
        if page["next"] is None:
            break
        page = await api.get(f"{path}&after={page['next']}")
    assert sorted(seen) == [str(number) for number in range(7)]
    for query in ("limit=1000000000", "sort=;drop", "after=x", "status=nope"):
        assert (await api.client.get(f"/orders?{query}")).status_code == 422
    assert (await api.client.get("/orders?limit=1&limit=2")).status_code == 400


async def test_answers_show_no_consumer_but_the_one_that_says_so(api: Api) -> None:
    await api.post("/orders", order(memo="ring twice"))
    await api.post("/orders", order(order_number="1002", total_minor=1))
    quarantine = await api.get("/quarantine")
    paths = (
        *("/orders", f"/orders/{ORDER_ID}", f"/orders/{ORDER_ID}/timeline", "/quarantine"),
        f"/quarantine/{quarantine['items'][0]['quarantine_id']}",
    )
    for path in paths:
        text = (await api.client.get(path)).text
        for secret in ("李雷", "138****1234", "延安西路", "ring twice", "31.2187"):
            assert secret not in text
    shown = await api.get(f"/orders/{ORDER_ID}/consumer")
    assert (shown["phone"], shown["latitude"]) == ("138****1234", 31.2187654)


async def test_a_missing_order_is_the_same_404_everywhere(api: Api) -> None:
    for path in ("", "/consumer", "/timeline"):
        response = await api.client.get(f"/orders/{ORDER_ID}{path}")
        assert (response.status_code, response.json()["detail"]) == (
            404,
            f"there is no order {ORDER_ID}",
        )


async def test_the_id_of_an_order_can_be_asked_for(api: Api) -> None:
    found = await api.get("/order-ids?channel=shopify&shop_id=shop-1&order_number=1001")
    assert found == {"order_id": ORDER_ID}
