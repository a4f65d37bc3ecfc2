"""Ids that follow from their cause, so that a replay makes the same ones."""

from hashlib import sha1
from uuid import NAMESPACE_URL, uuid5

NAMESPACE_YIPAN = uuid5(NAMESPACE_URL, "urn:yipan")
_HASHED = sha1(NAMESPACE_YIPAN.bytes, usedforsecurity=False)
# The two highest bits of this hexadecimal digit are the variant, 10.
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def derive_id(kind: str, *causes: str | int) -> str:
    """Return the version 5 UUID (RFC 9562) of a kind of thing and what it follows from, as text.

    The parts are joined with `/`; callers pass ids, which never contain one.
    """
    # `uuid5` gives the same in two and a half times the time, and every event names several ids.
    hashed = _HASHED.copy()
    hashed.update("/".join((kind, *map(str, causes))).encode())
    text = hashed.hexdigest()
    variant = _VARIANTS[text[16]]
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"


def order_id(channel: str, shop_id: str, channel_order_number: str) -> str:
    """Return the id of an order, which is the same whichever entrance it came through."""
    return derive_id("order", channel, shop_id, channel_order_number)


def event_id(topic: str, partition: int, sequence: int) -> str:
    """Return the id of the event at one place of a lane."""
    return derive_id("event", topic, partition, sequence)
