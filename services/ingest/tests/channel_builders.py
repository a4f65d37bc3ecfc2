"""Payloads of our own in the channels' formats, and signatures as the channels make them."""

import json
from base64 import b64encode
from collections.abc import Mapping
from hashlib import md5, sha256
from hmac import digest, new
from typing import Any
from urllib.parse import urlencode

JSON = dict[str, Any]
SECRET = "s3cret"  # noqa: S105 of the tests alone


def shopify_order(**changes: Any) -> JSON:
    """Two cups for 100.00 less 10.00, shipped for 8.00 to Toronto, paid."""
    body: JSON = {
        "id": 820982911946154508,
        "name": "#1001",
        "created_at": "2026-01-15T02:00:00-05:00",
        "updated_at": "2026-01-15T02:05:00-05:00",
        "processed_at": "2026-01-15T02:01:00-05:00",
        "cancelled_at": None,
        "currency": "CNY",
        "total_price": "198.00",
        "financial_status": "paid",
        "note": "leave at the door",
        "line_items": [
            {
                "id": 466157049,
                "sku": "CUP-RED",
                "variant_id": 39072856,
                "quantity": 2,
                "price": "100.00",
                "total_discount": "0.00",
                "discount_allocations": [{"amount": "10.00"}],
                "taxable": True,
            }
        ],
        "shipping_lines": [{"price": "8.00", "title": "Standard"}],
        "shipping_address": {
            "name": "Jane Doe",
            "phone": "555-0100",
            "address1": "1 King Street",
            "city": "Toronto",
            "zip": "M5H 1A1",
            "province_code": "ON",
            "country_code": "CA",
            "latitude": 43.6481,
            "longitude": -79.3777,
        },
        "a_field_of_tomorrow": {"x": 1},
    }
    return body | changes


def shopify_headers(body: bytes, secret: str = SECRET, topic: str = "orders/create") -> JSON:
    """Sign as Shopify does."""
    return {
        "X-Shopify-Topic": topic,
        "X-Shopify-Webhook-Id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
        "X-Shopify-Hmac-SHA256": b64encode(digest(secret.encode(), body, sha256)).decode(),
    }


def douyin_detail(**changes: Any) -> JSON:
    """A cup for 100.00 less 5.00 and a free saucer, to Xiamen; amounts are fen."""
    body: JSON = {
        "order_id": "6936476692437000001",
        "order_status": 2,
        "create_time": 1768460400,
        "update_time": 1768460500,
        "pay_time": 1768460460,
        "pay_amount": 10_300,
        "buyer_words": "",
        "encrypt_post_receiver": "##receiver##",
        "encrypt_post_tel": "$$tel$1$$",
        "post_addr": {
            "province": {"name": "福建省", "id": "35"},
            "city": {"name": "厦门市", "id": "350200"},
            "town": {"name": "思明区", "id": "350203"},
            "encrypt_detail": "##detail##",
        },
        "sku_order_list": [
            {
                "order_id": "6936476692437000002",
                "code": "CUP-RED",
                "sku_id": 3410716076200001,
                "item_num": 1,
                "origin_amount": 10_000,
                "promotion_amount": 500,
                "post_amount": 800,
                "given_product_type": "",
            },
            {
                "order_id": "6936476692437000003",
                "code": "CUP-RED",
                "sku_id": 3410716076200001,
                "item_num": 1,
                "origin_amount": 0,
                "given_product_type": "FREE",
            },
        ],
    }
    return body | changes


def douyin_push(tag: str, data: object) -> bytes:
    """One message, its data as text, as the push service sends it."""
    message = {"tag": tag, "msg_id": "74385250101", "data": json.dumps(data, ensure_ascii=False)}
    return json.dumps([message], ensure_ascii=False).encode()


def douyin_headers(body: bytes, method: str = "md5", app_key: str = "app-1") -> JSON:
    """Sign as Douyin's message push does, or as a relay that pins the stronger method."""
    text = app_key.encode() + body + SECRET.encode()
    sign = md5(text, usedforsecurity=False).hexdigest()
    if method == "hmac-sha256":
        sign = new(SECRET.encode(), text, sha256).hexdigest()
    return {"app-id": app_key, "event-sign": sign}


def taobao_trade(**changes: Any) -> JSON:
    """Two cups for 100.00 each less 20.00 of the trade's own discount; amounts are yuan."""
    trade: JSON = {
        "tid": 500009083,
        "created": "2026-01-15 14:18:32",
        "modified": "2026-01-15 14:20:00",
        "pay_time": "2026-01-15 14:19:00",
        "payment": "180.00",
        "post_fee": "0.00",
        "status": "WAIT_SELLER_SEND_GOODS",
        "buyer_message": "周末配送",
        "receiver_name": "王**",
        "receiver_mobile": "133****3069",
        "receiver_address": "解放路 100 号",
        "orders": {
            "order": [
                {
                    "oid": 500009084,
                    "outer_sku_id": "CUP-RED",
                    "num": 2,
                    "price": "100.00",
                    "payment": "200.00",
                    "divide_order_fee": "180.00",
                }
            ]
        },
    }
    return {"trade_fullinfo_get_response": {"trade": trade | changes}}


def taobao_query(
    body: bytes, timestamp: str, method: str = "hmac-sha256", claimed: str | None = None
) -> str:
    """Sign as TOP does for callbacks with a body; `claimed` is the method the request names."""
    query: Mapping[str, str] = {
        "app_key": "app-1",
        "sign_method": claimed or method,
        "timestamp": timestamp,
        "v": "2.0",
    }
    text = "".join(name + query[name] for name in sorted(query)).encode() + body
    secret = SECRET.encode()
    sign = md5(secret + text + secret, usedforsecurity=False).hexdigest()
    if method == "hmac-sha256":
        sign = new(secret, text, sha256).hexdigest()
    return urlencode({**query, "sign": sign.upper()})
