"""CloudEvents headers of our records (binary mode of the CloudEvents binding for Kafka)."""

import base64
import json
import re
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha1
from typing import TypeAlias

from contracts.event import Event
from contracts.ids import NAMESPACE_YIPAN
from contracts.topics import Topic

SOURCE_PREFIX = "yipan/"
EVENT_ID = re.compile(rb"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
# W3C Trace Context, version 00
TRACEPARENT = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
SEQUENCE_MAX = 2**63 - 1

VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
Header: TypeAlias = tuple[str, bytes]
Headers: TypeAlias = list[Header]
SPECVERSION: Header = ("ce_specversion", b"1.0")


def dataschema_of(event_type: type[Event]) -> str:
    """Return `<Type>/<version>`, which says how a payload is to be read."""
    return f"{event_type.__name__}/{event_type.version}"


def source_of(service: str) -> bytes:
    """Return the `ce_source` of a service's events."""
    return f"{SOURCE_PREFIX}{service}".encode()


class HeaderWriter:
    """Writes the headers of the events of one chunk, which share lane, source and time.

    The ids are those of `contracts.ids.event_id`; that way takes four fifths of a relay's time, so
    here the hash of all but the sequence is taken once.
    """

    def __init__(self, lane: tuple[str, int], source: bytes, recorded_at: datetime) -> None:
        topic, partition = lane
        self._digest = sha1(NAMESPACE_YIPAN.bytes, usedforsecurity=False)
        self._digest.update(f"event/{topic}/{partition}/".encode())
        self._source = ("ce_source", source)
        self._time = ("ce_time", recorded_at.isoformat().encode())
        self._schemas: dict[str, tuple[Header, Header]] = {}

    def write(self, sequence: int, dataschema: str) -> Headers:
        """Return the headers of the event with this sequence and `<Type>/<version>`."""
        kind, schema = self._schemas.get(dataschema) or self._note(dataschema)
        text = b"%d" % sequence
        return [
            SPECVERSION,
            ("ce_id", self._id(text)),
            kind,
            self._source,
            self._time,
            ("ce_sequence", text),
            schema,
        ]

    def _id(self, sequence: bytes) -> bytes:
        """Return the version 5 UUID (RFC 9562): 128 bits of SHA-1 but for version and variant."""
        digest = self._digest.copy()
        digest.update(sequence)
        text = digest.hexdigest()
        variant = VARIANTS[text[16]]
        return (
            f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}".encode()
        )

    def _note(self, dataschema: str) -> tuple[Header, Header]:
        kind = ("ce_type", dataschema.partition("/")[0].encode())
        self._schemas[dataschema] = found = (kind, ("ce_dataschema", dataschema.encode()))
        return found


def headers_for(
    event: Event, topic: Topic, partition: int, sequence: int, now: datetime
) -> Headers:
    """Return the headers that the relay of the topic's producer gives to an event."""
    writer = HeaderWriter((topic.name, partition), source_of(topic.producer), now)
    return writer.write(sequence, dataschema_of(type(event)))


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
