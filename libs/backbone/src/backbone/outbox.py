"""Appends events to the outbox inside the transaction that makes them true."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import msgspec

from backbone.headers import dataschema_of
from backbone.records import Lane
from backbone.transaction import Transaction
from contracts.event import Event
from contracts.topics import Topic, topic_of

PAYLOAD_BYTES_MAX = 256 * 1024
CHUNK_EVENTS_MAX = 1_000
CHUNK_BYTES_MAX = 4 * 1024 * 1024

# Sorted, so that transactions that write to several lanes cannot deadlock. The row stays locked
# until COMMIT: sequences have no gap and follow the order of commits.
TAKE_SEQUENCES = """
INSERT INTO outbound AS o (topic, partition, last_seq)
SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[]) ORDER BY 1, 2
ON CONFLICT (topic, partition) DO UPDATE SET last_seq = o.last_seq + excluded.last_seq
RETURNING topic, partition, last_seq
"""
SAVE_CHUNK = """
INSERT INTO outbox (topic, partition, seq, n, size_bytes, keys, dataschemas, payloads,
                    traceparents, recorded_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""


class Staged(NamedTuple):
    """An event ready to be stored: encoded, keyed and placed on its lane."""

    lane: Lane
    key: bytes
    dataschema: str
    payload: bytes
    traceparent: str | None


@dataclass(slots=True)
class Chunk:
    """Events of one transaction and lane, with sequences from `seq` on."""

    lane: Lane
    seq: int
    keys: list[bytes]
    dataschemas: list[str]
    payloads: list[bytes]
    traceparents: list[str | None] | None
    recorded_at: datetime
    size_bytes: int


class Outbox:
    """What one service publishes. `find_topic` gives the topic of an event type."""

    def __init__(self, service: str, find_topic: Callable[[type[Event]], Topic] = topic_of) -> None:
        self.service = service
        self._find_topic = find_topic
        self._routes: dict[type[Event], tuple[Topic, str]] = {}
        self._encode = msgspec.json.Encoder().encode

    def stage(
        self,
        events: Iterable[Event],
        traceparents: Mapping[str, str] | None = None,
        traceparent: str | None = None,
    ) -> list[Staged]:
        """Encode and place events, in the given order.

        An event carries the traceparent of its key in `traceparents`, else `traceparent`.
        ValueError for an event of another service's topic or of more than PAYLOAD_BYTES_MAX bytes.
        """
        staged: list[Staged] = []
        for event in events:
            topic, dataschema = self._routes.get(type(event)) or self._route(type(event))
            key = topic.key_of(event)
            payload = self._encode(event)
            if len(payload) > PAYLOAD_BYTES_MAX:
                raise ValueError(f"{dataschema} of {key} has {len(payload)} bytes")
            lane = (topic.name, topic.partition_of(key))
            trace = traceparents.get(key, traceparent) if traceparents else traceparent
            staged.append(Staged(lane, key.encode(), dataschema, payload, trace))
        return staged

    async def append(self, tx: Transaction, staged: Sequence[Staged], now: datetime) -> list[Chunk]:
        """Store staged events as the last thing of a transaction; return what was stored.

        Last, because it locks the counters of the lanes, which other transactions wait for.
        """
        if not staged:
            return []
        lanes: dict[Lane, list[Staged]] = {}
        for each in staged:
            lanes.setdefault(each.lane, []).append(each)
        order = sorted(lanes)
        taken = await tx.fetch(
            TAKE_SEQUENCES,
            [topic for topic, _ in order],
            [partition for _, partition in order],
            [len(lanes[lane]) for lane in order],
        )
        chunks: list[Chunk] = []
        for topic, partition, last_seq in taken:
            of_lane = lanes[topic, partition]
            chunks += _cut(of_lane, last_seq - len(of_lane) + 1, now)
        await tx.executemany(SAVE_CHUNK, [_row(chunk) for chunk in chunks])
        return chunks

    def _route(self, event_type: type[Event]) -> tuple[Topic, str]:
        topic = self._find_topic(event_type)
        if topic.producer != self.service:
            raise ValueError(
                f"{self.service} must not publish {event_type.__name__}: "
                f"{topic.name} is written by {topic.producer}"
            )
        self._routes[event_type] = route = (topic, dataschema_of(event_type))
        return route


def _cut(staged: Sequence[Staged], seq: int, now: datetime) -> list[Chunk]:
    """Cut the events of a lane into chunks that the relay can hold in memory."""
    chunks: list[Chunk] = []
    start = size_bytes = 0
    for place, each in enumerate(staged):
        full = place - start >= CHUNK_EVENTS_MAX or size_bytes + len(each.payload) > CHUNK_BYTES_MAX
        if full:
            chunks.append(_chunk(staged[start:place], seq + start, now, size_bytes))
            start, size_bytes = place, 0
        size_bytes += len(each.payload)
    chunks.append(_chunk(staged[start:], seq + start, now, size_bytes))
    return chunks


def _chunk(staged: Sequence[Staged], seq: int, now: datetime, size_bytes: int) -> Chunk:
    lanes, keys, dataschemas, payloads, traces = map(list, zip(*staged, strict=True))
    traced = traces if any(traces) else None
    return Chunk(lanes[0], seq, keys, dataschemas, payloads, traced, now, size_bytes)


def _row(chunk: Chunk) -> tuple[object, ...]:
    return (
        *chunk.lane,
        chunk.seq,
        len(chunk.keys),
        chunk.size_bytes,
        chunk.keys,
        chunk.dataschemas,
        chunk.payloads,
        chunk.traceparents,
        chunk.recorded_at,
    )
