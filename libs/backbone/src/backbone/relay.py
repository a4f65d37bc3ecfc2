"""Publishes what the outbox holds, each lane strictly in order; one leader per service."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import asyncpg

from backbone.failures import describe, is_transient
from backbone.headers import HeaderWriter, source_of
from backbone.kafka import KafkaError, Producer, RecordBatch, make_producer
from backbone.outbox import Chunk
from backbone.progress import Progress, RelayState
from backbone.records import Lane

log = logging.getLogger("backbone")

ROUND_CHUNKS_MAX = 64
ROUND_BYTES_MAX = 16 * 1024 * 1024
OFFERED_CHUNKS_MAX = 500
OFFERED_BYTES_MAX = 32 * 1024 * 1024
SMALL_ROUND_EVENTS = 100
LINGER_S = 0.01
IDLE_POLL_S = 0.1
STANDBY_POLL_S = 0.25
RESTART_S = 0.1
RESTART_MAX_S = 1.0
SEND_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 1.0
CONNECT_TIMEOUT_S = 5.0
RELAY_LOCK = 0x59495041_52454C41
"""Key of the advisory lock that the leader's session holds; a service has its own database."""

FIND_CHUNKS = """
SELECT topic, partition, seq, n, size_bytes FROM outbox ORDER BY topic, partition, seq LIMIT $1
"""
LOAD_CHUNKS = """
SELECT o.topic, o.partition, o.seq, o.keys, o.dataschemas, o.payloads, o.traceparents,
       o.recorded_at, o.size_bytes
FROM outbox AS o
JOIN unnest($1::text[], $2::int[], $3::bigint[]) AS u (topic, partition, seq)
  ON o.topic = u.topic AND o.partition = u.partition AND o.seq = u.seq
"""
REMOVE_CHUNKS = """
DELETE FROM outbox AS o
USING unnest($1::text[], $2::int[], $3::bigint[]) AS d (topic, partition, last_seq)
WHERE o.topic = d.topic AND o.partition = d.partition AND o.seq + o.n - 1 <= d.last_seq
"""

ChunkId = tuple[str, int, int]


class Head(NamedTuple):
    """A chunk that the outbox holds, without its payloads."""

    topic: str
    partition: int
    seq: int
    n: int
    size_bytes: int

    @property
    def chunk_id(self) -> ChunkId:
        """What identifies it."""
        return (self.topic, self.partition, self.seq)


class Sent(NamedTuple):
    """What became of one lane's batches: the last sequence acknowledged (0: none), the failure."""

    lane: Lane
    last_seq: int
    error: Exception | None


class Relay:
    """The relay of one service; every replica runs one, and one of them leads."""

    def __init__(self, service: str, dsn: str, bootstrap: str, progress: Progress) -> None:
        self._source = source_of(service)
        self._dsn = dsn
        self._bootstrap = bootstrap
        self._progress = progress
        self._wake = asyncio.Event()
        self._offered: dict[ChunkId, Chunk] = {}
        self._offered_bytes = 0

    def offer(self, chunks: Sequence[Chunk]) -> None:
        """Take chunks just committed, to spare reading them; the table stays the truth."""
        for chunk in chunks:
            is_full = (
                len(self._offered) >= OFFERED_CHUNKS_MAX
                or self._offered_bytes + chunk.size_bytes > OFFERED_BYTES_MAX
            )
            if is_full:
                break
            self._offered[(*chunk.lane, chunk.seq)] = chunk
            self._offered_bytes += chunk.size_bytes
        if chunks:
            self._wake.set()

    async def run(self) -> None:
        """Lead whenever no other replica does, for ever.

        After any failure of Kafka or the database the producer and the session are thrown away: an
        idempotent producer does not recover from a sequence that it lost.
        """
        restart_s = RESTART_S
        while True:
            try:
                await self._stand()
            except Exception as error:
                if not isinstance(error, KafkaError) and not is_transient(error):
                    raise
                log.warning("the relay starts again", extra={"reason": describe(error)})
            if self._progress.relay is not RelayState.AWAY:
                restart_s = RESTART_S
            self._progress.relay = RelayState.AWAY
            await asyncio.sleep(restart_s)
            restart_s = min(2 * restart_s, RESTART_MAX_S)

    async def _stand(self) -> None:
        connection = await asyncpg.connect(self._dsn, timeout=CONNECT_TIMEOUT_S)
        try:
            while not await connection.fetchval(
                "SELECT pg_try_advisory_lock($1)", RELAY_LOCK, timeout=CONNECT_TIMEOUT_S
            ):
                self._progress.relay = RelayState.STANDING_BY
                self._forget()
                await asyncio.sleep(STANDBY_POLL_S)
            await self._lead(connection)
        finally:
            connection.terminate()  # the end of the session releases the lock

    async def _lead(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        producer = make_producer(self._bootstrap)
        try:
            await producer.start()
            self._progress.relay = RelayState.LEADING
            while True:
                self._wake.clear()
                events = await self._publish_round(connection, producer)
                if events == 0:
                    self._forget()
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._wake.wait(), IDLE_POLL_S)
                if events < SMALL_ROUND_EVENTS:  # let some gather: the cost is per batch
                    await asyncio.sleep(LINGER_S)
        finally:
            # It would go on retrying what it holds; the outbox has it still.
            with suppress(KafkaError, TimeoutError):
                await asyncio.wait_for(producer.stop(), STOP_TIMEOUT_S)

    async def _publish_round(
        self, connection: "asyncpg.Connection[asyncpg.Record]", producer: Producer
    ) -> int:
        """Publish the oldest chunks of the outbox and remove what is acknowledged."""
        rows = await connection.fetch(FIND_CHUNKS, ROUND_CHUNKS_MAX, timeout=CONNECT_TIMEOUT_S)
        heads = _within_bytes([Head(*row) for row in rows])
        if not heads:
            return 0
        chunks = await self._take(connection, heads)
        lanes: dict[Lane, list[Chunk]] = {}
        for chunk in chunks:
            lanes.setdefault(chunk.lane, []).append(chunk)
        sent = await asyncio.gather(
            *(self._send_lane(producer, lane, of_lane) for lane, of_lane in lanes.items())
        )
        done = [each for each in sent if each.last_seq]
        if done:
            await connection.execute(
                REMOVE_CHUNKS,
                [each.lane[0] for each in done],
                [each.lane[1] for each in done],
                [each.last_seq for each in done],
                timeout=CONNECT_TIMEOUT_S,
            )
            self._progress.published_events += sum(
                len(chunk.keys)
                for chunk in chunks
                for each in done
                if chunk.lane == each.lane and chunk.seq <= each.last_seq
            )
        for each in sent:
            if each.error is not None:
                raise each.error
        return sum(len(chunk.keys) for chunk in chunks)

    async def _take(
        self, connection: "asyncpg.Connection[asyncpg.Record]", heads: Sequence[Head]
    ) -> list[Chunk]:
        """Return the chunks of heads, in their order, from memory or else from the table."""
        missing = [head for head in heads if head.chunk_id not in self._offered]
        loaded: dict[ChunkId, Chunk] = {}
        if missing:
            rows = await connection.fetch(
                LOAD_CHUNKS,
                [head.topic for head in missing],
                [head.partition for head in missing],
                [head.seq for head in missing],
                timeout=SEND_TIMEOUT_S,
            )
            for topic, partition, seq, *rest in rows:
                loaded[topic, partition, seq] = Chunk((topic, partition), seq, *rest)
        return [loaded.get(head.chunk_id) or self._withdraw(head.chunk_id) for head in heads]

    def _withdraw(self, chunk_id: ChunkId) -> Chunk:
        chunk = self._offered.pop(chunk_id)
        self._offered_bytes -= chunk.size_bytes
        return chunk

    def _forget(self) -> None:
        self._offered.clear()
        self._offered_bytes = 0

    async def _send_lane(self, producer: Producer, lane: Lane, chunks: Sequence[Chunk]) -> Sent:
        """Send a lane's chunks in order, never one past a failure."""
        batches = _Batches(producer, self._source)
        for chunk in chunks:
            batches.add(chunk)
        last_seq = 0
        try:
            for batch, end_seq in batches.built:
                batch.close()
                # One batch of a lane is under way at a time, so the loop waits for each.
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await (await producer.send_batch(batch, lane[0], partition=lane[1]))
                last_seq = end_seq or last_seq
        except (KafkaError, TimeoutError) as error:
            return Sent(lane, last_seq, error)
        return Sent(lane, last_seq, None)


def _within_bytes(heads: Sequence[Head]) -> list[Head]:
    """Return the first heads that fit a round, at least one."""
    taken: list[Head] = []
    size_bytes = 0
    for head in heads:
        size_bytes += head.size_bytes
        if taken and size_bytes > ROUND_BYTES_MAX:
            break
        taken.append(head)
    return taken


class _Batches:
    """Builds the batches of a lane; each ends where it is full, in whatever chunk that is."""

    def __init__(self, producer: Producer, source: bytes) -> None:
        self._producer = producer
        self._source = source
        self.built: list[tuple[RecordBatch, int]] = []

    def add(self, chunk: Chunk) -> None:
        """Add a chunk, which is acknowledged with the batch that its last event is in."""
        writer = HeaderWriter(chunk.lane, self._source, chunk.recorded_at)
        batch = self.built[-1][0] if self.built else self._begin()
        for place, key in enumerate(chunk.keys):
            headers = writer.write(chunk.seq + place, chunk.dataschemas[place])
            if chunk.traceparents and (trace := chunk.traceparents[place]):
                headers.append(("traceparent", trace.encode()))
            payload = chunk.payloads[place]
            # None means full and not appended.
            if batch.append(key=key, value=payload, timestamp=None, headers=headers) is None:
                batch = self._begin()
                if batch.append(key=key, value=payload, timestamp=None, headers=headers) is None:
                    raise ValueError(f"event {chunk.seq + place} of {chunk.lane} fits no batch")
        self.built[-1] = (batch, chunk.seq + len(chunk.keys) - 1)

    def _begin(self) -> RecordBatch:
        batch = self._producer.create_batch()
        self.built.append((batch, 0))
        return batch
