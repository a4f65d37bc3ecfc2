"""What handlers see: records, batches of them, and what a command answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeAlias, TypeVar

import msgspec

from contracts.event import Event

E = TypeVar("E")
A = TypeVar("A")

Lane: TypeAlias = tuple[str, int]
"""A topic and a partition of it."""


class KafkaRecord(Protocol):
    """A record as a Kafka client reads it (aiokafka's `ConsumerRecord` is one)."""

    @property
    def topic(self) -> str:
        """Its topic."""
        ...

    @property
    def partition(self) -> int:
        """Its partition."""
        ...

    @property
    def offset(self) -> int:
        """Its place in the partition's log, from 0; a log may skip numbers."""
        ...

    @property
    def key(self) -> bytes | None:
        """Its key as bytes."""
        ...

    @property
    def value(self) -> bytes | None:
        """Its payload; None is a tombstone."""
        ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """Names and values, in the order written; names may repeat."""
        ...


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as it was read once, kept in a table or made for a test."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class Record(msgspec.Struct, Generic[E], frozen=True, gc=False):
    """One event as it was read.

    `sequence` counts on its lane from 1 (on foreign topics it is the offset), `recorded_at` is when
    the producer's transaction stored the event. A struct because one is made for every event: a
    frozen dataclass takes six times as long to construct.
    """

    event: E
    event_id: str
    topic: str
    partition: int
    sequence: int
    recorded_at: datetime
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class RawRecord:
    """What a stranger wrote to a foreign topic: bytes, to be judged by the handler."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Batch(Generic[E]):
    """Records of one handler, in sequence per lane and key, and the time of the transaction."""

    records: Sequence[Record[E]]
    now: datetime

    @property
    def events(self) -> list[E]:
        """The events alone, in the order of the records."""
        return [record.event for record in self.records]


@dataclass(frozen=True, slots=True)
class Outcome(Generic[A]):
    """What a command answers to its caller and the events that follow from it."""

    answer: A
    events: Sequence[Event] = ()
