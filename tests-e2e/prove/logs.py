"""Checks Kafka's own logs against what the producers' databases say they committed (G3, G4, G8).

Reads records as bytes and shares no code with the backbone: a lane's events must be 1, 2, 3 … at
their first appearance, a repetition must be the same bytes, and the last one must be the last that
its producer's transactions committed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.topics import TOPICS
from yipan.verify.lanes import READS

if TYPE_CHECKING:
    # A client's record, for the type checker alone: aiokafka has no stubs.
    from backbone.records import KafkaRecord

LanePlace = tuple[str, int]
POLL_MS = 300
COMMITTED = "SELECT topic, partition, last_seq FROM outbound"
COUNTED = """
SELECT topic, partition, next_offset, last_seq, applied, duplicates, dead, parked FROM inbound
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One record as it lies in a log: its sequence, and what tells its bytes apart."""

    offset: int
    sequence: int | None
    digest: bytes


@dataclass(slots=True)
class LaneLog:
    """What was read of one lane: digests by sequence, the end, and what was wrong.

    `strays` are records without a sequence, which no relay writes.
    """

    digests: list[bytes] = field(default_factory=list[bytes])
    end_offset: int = 0
    repeated: int = 0
    skipped: int = 0
    strays: int = 0
    wrong: list[str] = field(default_factory=list[str])

    def take(self, entry: Entry) -> None:
        """Take the next record of the log, as a reader of the contract must.

        A higher sequence than the next is a hole that the relay will fill, so it is passed over:
        if it is not filled, the last sequence will be short.
        """
        self.end_offset = entry.offset + 1
        if entry.sequence is None:
            self.strays += 1
        elif entry.sequence == len(self.digests) + 1:
            self.digests.append(entry.digest)
        elif entry.sequence > len(self.digests):
            self.skipped += 1
        else:
            self.repeated += 1
            if entry.sequence < 1 or self.digests[entry.sequence - 1] != entry.digest:
                self.wrong.append(f"offset {entry.offset} repeats {entry.sequence} otherwise")


@dataclass(frozen=True, slots=True)
class Counted:
    """What a reader's cursor row says of a lane."""

    next_offset: int
    last_seq: int
    applied: int
    duplicates: int
    dead: int
    parked: int


def violations_of_writers(
    logs: Mapping[LanePlace, LaneLog], committed: Mapping[LanePlace, int]
) -> list[str]:
    """Compare each lane's log with the last sequence that its producer committed."""
    found = [f"{lane}: {wrong}" for lane, log in logs.items() for wrong in log.wrong]
    for lane in sorted(logs.keys() | committed.keys()):
        published = len(logs[lane].digests) if lane in logs else 0
        last = committed.get(lane, 0)
        if published < last:
            found.append(f"{lane}: {last} committed, only {published} published")
        elif published > last:
            found.append(f"{lane}: {published} published, only {last} committed")
    return found


def violations_of_reader(
    reader: str, logs: Mapping[LanePlace, LaneLog], counted: Mapping[LanePlace, Counted]
) -> list[str]:
    """Compare a reader's cursors with the logs: all read, all counted, each event once."""
    found: list[str] = []
    for lane, log in logs.items():
        if lane[0] not in READS[reader]:
            continue
        row = counted.get(lane, Counted(0, 0, 0, 0, 0, 0))
        outcomes = row.applied + row.duplicates + row.dead + row.parked
        if row.next_offset != log.end_offset or outcomes != row.next_offset:
            found.append(
                f"{reader} {lane}: {log.end_offset} records, {row.next_offset} read, "
                f"{outcomes} counted"
            )
        events = row.applied + row.dead + row.parked
        if row.last_seq != len(log.digests) or events != len(log.digests) + log.strays:
            found.append(
                f"{reader} {lane}: {len(log.digests)} events, {events} taken, last {row.last_seq}"
            )
    return found


def read_committed(url: str) -> dict[LanePlace, int]:
    """Return the last committed sequence of each lane that a service writes."""
    with psycopg.connect(url) as connection:
        return {(topic, place): last for topic, place, last in connection.execute(COMMITTED)}


def read_counted(url: str) -> dict[LanePlace, Counted]:
    """Return what the cursor rows of a service say."""
    with psycopg.connect(url) as connection:
        return {
            (topic, place): Counted(*rest) for topic, place, *rest in connection.execute(COUNTED)
        }


class Logs:
    """The logs of all our topics, read on from where the last reading ended."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self.lanes: dict[LanePlace, LaneLog] = {
            (topic.name, place): LaneLog()
            for topic in TOPICS.values()
            if topic.sequenced
            for place in range(topic.partitions)
        }

    @property
    def records(self) -> int:
        """How many records were read so far."""
        return sum(log.end_offset for log in self.lanes.values())

    @property
    def repeated(self) -> int:
        """How many records repeated an event."""
        return sum(log.repeated for log in self.lanes.values())

    async def read(self) -> None:
        """Read to the present end of every lane."""
        client = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        partitions = [TopicPartition(*lane) for lane in self.lanes]
        client.assign(partitions)
        await client.start()
        try:
            ends = await client.end_offsets(partitions)
            for lane, log in self.lanes.items():
                client.seek(TopicPartition(*lane), log.end_offset)
            while any(
                self.lanes[lane.topic, lane.partition].end_offset < ends[lane] for lane in ends
            ):
                for batch in (await client.getmany(timeout_ms=POLL_MS)).values():
                    self._take(batch)
        finally:
            await client.stop()

    def _take(self, batch: Iterable[KafkaRecord]) -> None:
        for record in batch:
            self.lanes[record.topic, record.partition].take(_entry(record))


def _entry(record: KafkaRecord) -> Entry:
    sequence = dict(record.headers).get("ce_sequence")
    content = repr((record.key, record.value)).encode()
    digest = hashlib.blake2b(content, digest_size=8).digest()
    return Entry(record.offset, int(sequence) if sequence else None, digest)
