"""The part of aiokafka that is used, with types, which aiokafka does not have."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol, TypeAlias, cast

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError

from backbone.records import KafkaRecord, Lane

BATCH_BYTES_MAX = 900_000
REQUEST_BYTES_MAX = 1_000_000
REQUEST_TIMEOUT_MS = 10_000
RETRY_BACKOFF_MS = 50
ASK_TIMEOUT_S = 5.0

Question: TypeAlias = Callable[[AIOKafkaConsumer], Awaitable[Mapping[TopicPartition, int]]]

__all__ = [
    "Bounds",
    "GroupConsumer",
    "IllegalStateError",
    "KafkaError",
    "KafkaRecord",
    "LogEnds",
    "Producer",
    "RangePartitionAssignor",
    "RecordBatch",
    "TopicPartition",
    "make_producer",
]


class RecordBatch(Protocol):
    """Records of one lane that are sent together."""

    def append(
        self,
        *,
        timestamp: int | None,
        key: bytes,
        value: bytes,
        headers: Sequence[tuple[str, bytes]],
    ) -> object | None:
        """Add a record; None means that the batch is full and the record was not added."""
        ...

    def close(self) -> None:
        """Let nothing more be added."""
        ...


class Producer(Protocol):
    """An idempotent producer."""

    async def start(self) -> None:
        """Connect."""
        ...

    async def stop(self) -> None:
        """Send what is queued, and disconnect."""
        ...

    def create_batch(self) -> RecordBatch:
        """Return an empty batch."""
        ...

    async def send_batch(
        self, batch: RecordBatch, topic: str, *, partition: int
    ) -> "asyncio.Future[object]":
        """Queue a batch; the future is done when the broker has acknowledged it."""
        ...


def make_producer(bootstrap: str) -> Producer:
    """Return an idempotent producer that waits for every replica in sync and does not compress."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        enable_idempotence=True,
        acks="all",
        max_batch_size=BATCH_BYTES_MAX,
        max_request_size=REQUEST_BYTES_MAX,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        retry_backoff_ms=RETRY_BACKOFF_MS,
        linger_ms=0,
    )
    return cast("Producer", producer)


class GroupConsumer(Protocol):
    """What is asked of the consumer that FastStream drives."""

    def assignment(self) -> Iterable[TopicPartition]:
        """Return the lanes it has."""
        ...

    async def position(self, partition: TopicPartition) -> int:
        """Return the offset it fetches next."""
        ...

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Go on at an offset."""
        ...

    def pause(self, *partitions: TopicPartition) -> None:
        """Fetch no more of these lanes."""
        ...

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Tell the broker of positions."""
        ...


class Bounds(NamedTuple):
    """The first offset that a lane's log still has, and the one that its next record will get."""

    begin: int
    end: int


class LogEnds:
    """Asks where logs begin and end, by a client of its own that joins no group.

    The consumer's client would not do: when that one is silent, this one must still see the lag.
    Failures are KafkaError and TimeoutError; the next question connects anew.
    """

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._client: AIOKafkaConsumer | None = None

    async def ends(self, lanes: Iterable[Lane]) -> dict[Lane, int]:
        """Return the offset that each lane's next record will get."""
        partitions = [TopicPartition(*lane) for lane in lanes]
        return await self._ask(lambda client: client.end_offsets(partitions))

    async def bounds(self, lane: Lane) -> Bounds:
        """Return both bounds of a lane."""
        partitions = [TopicPartition(*lane)]
        begins = await self._ask(lambda client: client.beginning_offsets(partitions))
        ends = await self._ask(lambda client: client.end_offsets(partitions))
        return Bounds(begins[lane], ends[lane])

    async def close(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(ASK_TIMEOUT_S):
                    await client.stop()

    async def _ask(self, question: Question) -> dict[Lane, int]:
        try:
            async with asyncio.timeout(ASK_TIMEOUT_S):
                client = await self._connect()
                offsets = await question(client)
        except (KafkaError, TimeoutError):
            await self.close()
            raise
        return {(tp.topic, tp.partition): offset for tp, offset in offsets.items()}

    async def _connect(self) -> AIOKafkaConsumer:
        if self._client is None:
            client = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap,
                enable_auto_commit=False,
                isolation_level="read_committed",
                request_timeout_ms=REQUEST_TIMEOUT_MS,
                retry_backoff_ms=RETRY_BACKOFF_MS,
            )
            self._client = client
            await client.start()
        return self._client
