"""Digests that are equal when contents are: of orders, commands, raw bytes."""

from dataclasses import replace
from hashlib import sha256

import msgspec

from contracts.ids import derive_id
from ingest.model.order import Consumer, Entrance, Order, RawInput, Submission

_encode = msgspec.json.Encoder().encode


def order_digest(order: Order, consumer: Consumer) -> bytes:
    """Return the SHA-256 of an order's content, whatever its version and time of update."""
    content = replace(order, version=None, updated_at=None)
    return sha256(_encode((content, consumer))).digest()


def content_digest(content: object) -> bytes:
    """Return the SHA-256 of a dataclass in a fixed order of its fields."""
    return sha256(_encode(content)).digest()


def raw_input(
    entrance: Entrance, shop: tuple[str, str], content: bytes, delivery_id: str | None = None
) -> RawInput:
    """Return bytes as they came; the same bytes for the same channel and shop are one input."""
    channel, shop_id = shop
    digest = sha256(content).hexdigest()
    return RawInput(
        raw_id=derive_id("raw", channel, shop_id, digest),
        entrance=entrance,
        channel=channel,
        shop_id=shop_id,
        content_type="application/json",
        content=content,
        delivery_id=delivery_id,
    )


def submission(
    order: Order, consumer: Consumer, raw: RawInput, actor: str, key: str | None = None
) -> Submission:
    """Return an order handed in through our API as a creation."""
    return Submission(
        order=order,
        consumer=consumer,
        content_hash=order_digest(order, consumer),
        raw=raw,
        actor=actor,
        idempotency_key=key,
    )
