"""Ids that follow from their cause, so that a replay makes the same ones."""

from uuid import NAMESPACE_URL, uuid5

NAMESPACE_YIPAN = uuid5(NAMESPACE_URL, "urn:yipan")


def derive_id(kind: str, *causes: str | int) -> str:
    """Return the version 5 UUID (RFC 9562) of a kind of thing and what it follows from, as text.

    The parts are joined with `/`; callers pass ids, which never contain one.
    """
    return str(uuid5(NAMESPACE_YIPAN, "/".join((kind, *map(str, causes)))))


def order_id(channel: str, shop_id: str, channel_order_number: str) -> str:
    """Return the id of an order, which is the same whichever entrance it came through."""
    return derive_id("order", channel, shop_id, channel_order_number)


def event_id(topic: str, partition: int, sequence: int) -> str:
    """Return the id of the event at one place of a lane."""
    return derive_id("event", topic, partition, sequence)
