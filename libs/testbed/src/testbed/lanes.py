"""Events as the records that a producer's relay would have written of them."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from backbone.headers import headers_for
from backbone.records import Lane, StoredRecord
from contracts.event import Event
from contracts.topics import EVENTS, Topic, topic_of


class Lanes:
    """Gives records the next sequence and offset of their lane, across all topics."""

    def __init__(self) -> None:
        self._sequences: dict[Lane, int] = {}

    def write(self, events: Iterable[Event], now: datetime) -> list[StoredRecord]:
        """Return events as records, in their order; `now` is when their producers stored them."""
        return [self._write(event, now) for event in events]

    def write_raw(
        self,
        topic: Topic,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes | None]] = (),
    ) -> StoredRecord:
        """Return what a stranger writes to a topic, on the lane of its key."""
        partition = topic.partition_of((key or b"").decode(errors="replace"))
        lane = (topic.name, partition)
        return StoredRecord(*lane, self._next(lane) - 1, key, value, headers)

    def _write(self, event: Event, now: datetime) -> StoredRecord:
        topic = topic_of(type(event))
        key = topic.key_of(event)
        lane = (topic.name, topic.partition_of(key))
        sequence = self._next(lane)
        headers = headers_for(event, topic, lane[1], sequence, now)
        return StoredRecord(
            *lane, sequence - 1, key.encode(), msgspec.json.encode(event), [*headers]
        )

    def _next(self, lane: Lane) -> int:
        self._sequences[lane] = sequence = self._sequences.get(lane, 0) + 1
        return sequence


def decode(type_name: str, payload: bytes) -> Event:
    """Return the event of a payload; LookupError for a type that no contract names."""
    return msgspec.json.decode(payload, type=EVENTS[type_name])
