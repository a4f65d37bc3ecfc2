"""CloudEvents headers of our records (binary mode of the CloudEvents binding for Kafka)."""

import base64
import json
import re
from collections.abc import Sequence
from datetime import datetime

from contracts.event import Event
from contracts.ids import event_id
from contracts.topics import Topic

SPECVERSION = b"1.0"
SOURCE_PREFIX = "yipan/"
EVENT_ID = re.compile(rb"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
# W3C Trace Context, version 00
TRACEPARENT = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
SEQUENCE_MAX = 2**63 - 1

Headers = list[tuple[str, bytes]]


def dataschema_of(event_type: type[Event]) -> str:
    """Return `<Type>/<version>`, which says how a payload is to be read."""
    return f"{event_type.__name__}/{event_type.version}"


def source_of(service: str) -> bytes:
    """Return the `ce_source` of a service's events."""
    return f"{SOURCE_PREFIX}{service}".encode()


def write_headers(
    lane: tuple[str, int], sequence: int, dataschema: str, envelope: tuple[bytes, bytes]
) -> Headers:
    """Return the headers of one event; `envelope` is its source and time, alike in a chunk."""
    source, recorded_at = envelope
    return [
        ("ce_specversion", SPECVERSION),
        ("ce_id", event_id(*lane, sequence).encode()),
        ("ce_type", dataschema.partition("/")[0].encode()),
        ("ce_source", source),
        ("ce_time", recorded_at),
        ("ce_sequence", b"%d" % sequence),
        ("ce_dataschema", dataschema.encode()),
    ]


def headers_for(
    event: Event, topic: Topic, partition: int, sequence: int, now: datetime
) -> Headers:
    """Return the headers that the relay of the topic's producer gives to an event."""
    envelope = (source_of(topic.producer), now.isoformat().encode())
    return write_headers((topic.name, partition), sequence, dataschema_of(type(event)), envelope)


def pack_headers(headers: Sequence[tuple[str, bytes | None]]) -> str:
    """Return headers as JSON that people can read; values that are not UTF-8 become base64."""
    return json.dumps([[name, _readable(value)] for name, value in headers])


def unpack_headers(packed: str) -> list[tuple[str, bytes | None]]:
    """Return what `pack_headers` was given."""
    return [(name, _original(value)) for name, value in json.loads(packed)]


def _readable(value: bytes | None) -> str | dict[str, str] | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _original(value: str | dict[str, str] | None) -> bytes | None:
    match value:
        case None:
            return None
        case str():
            return value.encode()
        case _:
            return base64.b64decode(value["base64"])
