"""Shopify: webhooks of orders, signed with HMAC-SHA256 over the raw body.

Signature: header X-Shopify-Hmac-SHA256 is the base64 of HMAC-SHA256 keyed with the app's secret
(shopify.dev, "Deliver webhooks through HTTPS"). It covers the body alone, so the delivery's id and
time prove nothing: repetitions are recognised by the order and its time of update.
"""

import re
from base64 import b64decode
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from hmac import compare_digest, digest
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, JsonValue

from contracts.values import Service
from ingest.gateway.canonical import rounded
from ingest.gateway.notice import Adapter, MisfitError, Notice, fit
from ingest.gateway.secrets import Credential
from ingest.model.order import Consumer, Delivery, Line, Order
from ingest.model.pool import Reason
from runtime.currency import minor_units
from runtime.fields import ChannelTimestamp, Currency, DecimalAmount, Id, Text, Units

TOPICS = frozenset(
    {"orders/create", "orders/updated", "orders/paid", "orders/cancelled", "orders/edited"}
)
PAID = frozenset({"paid", "partially_refunded", "refunded"})
NOT_ALPHANUMERIC = re.compile(r"[^A-Z0-9]")


def _number_as_text(value: object) -> object:
    return str(value) if type(value) is int else value


NumericId = Annotated[Id, BeforeValidator(_number_as_text)]


class _Allocation(BaseModel):
    amount: DecimalAmount


class _LineItem(BaseModel):
    id: NumericId
    sku: Text | None = None
    variant_id: NumericId | None = None
    quantity: Units
    price: DecimalAmount
    total_discount: DecimalAmount = "0"
    discount_allocations: Sequence[_Allocation] = ()


class _ShippingLine(BaseModel):
    price: DecimalAmount
    discounted_price: DecimalAmount | None = None


class _Address(BaseModel):
    name: Text | None = None
    phone: Text | None = None
    address1: Text | None = None
    address2: Text | None = None
    city: Text | None = None
    zip: Text | None = None
    province_code: Text | None = None
    country_code: Text | None = None
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None


class _ShopifyOrder(BaseModel):
    id: NumericId
    created_at: ChannelTimestamp
    updated_at: ChannelTimestamp
    processed_at: ChannelTimestamp | None = None
    cancelled_at: ChannelTimestamp | None = None
    cancel_reason: Text | None = None
    currency: Currency
    total_price: DecimalAmount
    financial_status: Text | None = None
    note: Text | None = None
    line_items: Annotated[list[_LineItem], Field(min_length=1, max_length=500)]
    shipping_lines: Sequence[_ShippingLine] = ()
    shipping_address: _Address | None = None


def is_authentic(notice: Notice, credential: Credential, now: datetime) -> bool:
    """Compare the signature in constant time with that of each secret that counts."""
    try:
        claimed = b64decode(notice.headers.get("x-shopify-hmac-sha256", ""), validate=True)
    except ValueError:
        return False
    return credential.method == "hmac-sha256" and any(
        compare_digest(digest(secret, notice.body, sha256), claimed)
        for secret in credential.valid(now)
    )


def read(notice: Notice, value: JsonValue) -> Sequence[Delivery]:
    """Return the order, and before it its cancellation if it is cancelled."""
    raw = notice.raw(notice.headers.get("x-shopify-webhook-id"))
    topic = notice.headers.get("x-shopify-topic", "")
    if topic not in TOPICS:
        detail = f"topic {topic[:64]!r} is not taken"
        return [notice.misunderstood(Reason.UNSUPPORTED, detail, raw)]
    # The REST API wraps the order, webhooks send it bare.
    if isinstance(value, dict) and isinstance(value.get("order"), dict):
        value = value["order"]
    found = fit(value, _ShopifyOrder)
    deliveries: list[Delivery] = []
    if found.cancelled_at is not None:
        # First, so that an order which arrives cancelled is never accepted.
        deliveries.append(notice.cancelled(found.id, found.cancel_reason or "cancelled", raw))
    order = _order(notice, found)
    deliveries.append(notice.submitted(order, _consumer(found), raw))
    return deliveries


def _order(notice: Notice, found: _ShopifyOrder) -> Order:
    address = found.shipping_address or _Address()
    is_paid = found.financial_status in PAID
    freight = [line.discounted_price or line.price for line in found.shipping_lines]
    return Order(
        channel=notice.channel,
        shop_id=notice.shop_id,
        channel_order_number=found.id,
        version=None,
        updated_at=found.updated_at,
        currency=found.currency,
        lines=[_line(item, found.currency) for item in found.line_items],
        freight_minor=sum(_minor(price, found.currency) for price in freight),
        total_minor=_minor(found.total_price, found.currency),
        payments=(),
        region_code=_region(address),
        latitude=rounded(address.latitude),
        longitude=rounded(address.longitude),
        placed_at=found.created_at,
        paid_at=(found.processed_at or found.created_at) if is_paid else None,
        service=Service.SHIP if found.shipping_address else Service.PICKUP,
    )


def _line(item: _LineItem, currency: str) -> Line:
    """Discounts of the order are allocated to the lines by Shopify and include the line's own."""
    allocated = [allocation.amount for allocation in item.discount_allocations]
    return Line(
        line_id=item.id,
        sku=item.sku or item.variant_id or "",
        quantity_units=item.quantity,
        unit_price_minor=_minor(item.price, currency),
        discount_minor=sum(
            _minor(amount, currency) for amount in (allocated or [item.total_discount])
        ),
    )


def _consumer(found: _ShopifyOrder) -> Consumer:
    address = found.shipping_address or _Address()
    street = " ".join(filter(None, (address.address1, address.address2, address.city)))
    return Consumer(
        name=address.name or "",
        phone=address.phone or "",
        street=street,
        memo=found.note or "",
        latitude=address.latitude,
        longitude=address.longitude,
    )


def _region(address: _Address) -> str:
    parts = (address.country_code, address.province_code, address.zip)
    plain = [NOT_ALPHANUMERIC.sub("", (part or "").upper()) for part in parts]
    return "-".join(filter(None, plain))


def _minor(amount: str, currency: str) -> int:
    try:
        return minor_units(amount, currency)
    except ValueError as error:
        raise MisfitError(str(error)) from None


adapter = Adapter("shopify", is_authentic, read, {})
