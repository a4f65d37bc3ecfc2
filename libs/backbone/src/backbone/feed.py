"""Hands what FastStream polled to the inbox, and keeps the poller where the cursors are."""

# pyright: reportMissingTypeStubs=false

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from faststream.message import StreamMessage

from backbone.failures import LaneRefusedError, TaskEndedError, describe, is_transient
from backbone.inbox import Applied, Inbox, group_by_lane
from backbone.kafka import (
    GroupConsumer,
    IllegalStateError,
    KafkaError,
    KafkaRecord,
    LogEnds,
    TopicPartition,
)
from backbone.positions import Leap
from backbone.progress import Progress
from backbone.records import Lane

log = logging.getLogger("backbone")

COMMIT_EVERY_S = 5.0
COMMIT_TIMEOUT_S = 2.0
RETRY_S = 0.1
RETRY_MAX_S = 1.0
SMALL_BATCH_RECORDS = 100
LINGER_S = 0.015


class Poller(Protocol):
    """What is used of FastStream's subscriber."""

    consumer: GroupConsumer | None
    tasks: Sequence["asyncio.Task[object]"]


async def parse(records: tuple[KafkaRecord, ...]) -> StreamMessage[tuple[KafkaRecord, ...]]:
    """Wrap polled records and touch no header.

    FastStream's own parser drops the whole batch at the first null or non-UTF-8 one.
    """
    return StreamMessage(records, records)


async def decode(
    message: StreamMessage[tuple[KafkaRecord, ...]],
) -> tuple[KafkaRecord, ...]:
    """Return the records as they came."""
    return message.raw_message


class Feed:
    """The way of one consumer's records from the poller to the inbox."""

    def __init__(
        self, inbox: Inbox, ends: LogEnds, progress: Progress, on_parked: Callable[[], None]
    ) -> None:
        self._inbox = inbox
        self._ends = ends
        self._progress = progress
        self._on_parked = on_parked
        self._poller: Poller | None = None
        self._failure: asyncio.Future[None] | None = None
        self._is_busy = False
        self._sought: dict[Lane, int] = {}
        self._leaps: dict[Lane, Leap] = {}
        self._cursors: dict[Lane, int] = {}

    def attach(self, poller: Poller) -> None:
        """Name the poller whose position this feed sets."""
        self._poller = poller

    @property
    def cursors(self) -> Mapping[Lane, int]:
        """Where lanes stand that moved since offsets were committed last."""
        return self._cursors

    async def deliver(self, records: Sequence[Any]) -> None:
        """Apply what one poll gave; FastStream calls this.

        FastStream would swallow a failure and poll on, so the failure also goes to `watch`.
        """
        self._is_busy = True
        try:
            applied = await self._apply(records)
            await self._follow(applied, records)
        except Exception as error:
            if self._failure is not None and not self._failure.done():
                self._failure.set_exception(error)
            raise
        finally:
            self._is_busy = False
        if len(records) < SMALL_BATCH_RECORDS:  # let some gather: the cost is per batch
            await asyncio.sleep(LINGER_S)

    async def watch(self) -> None:
        """Commit offsets now and then, until delivering fails or the poller ends: then raise."""
        loop = asyncio.get_running_loop()
        self._failure = loop.create_future()
        while True:
            watched = {self._failure, *(self._poller.tasks if self._poller else ())}
            done, _ = await asyncio.wait(
                watched, timeout=COMMIT_EVERY_S, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                # A cancelled task is an end too: exit() in a handler stops the poller's loop.
                cause = None if task.cancelled() else task.exception()
                raise TaskEndedError("the consumer has ended") from cause
            await self.commit()

    async def commit(self) -> None:
        """Tell Kafka where the lanes stand: for lag tools, and for whoever gets a lane next.

        Nothing depends on it, as the cursors are in the database.
        """
        consumer = self._consumer()
        if consumer is None:
            return
        assigned = set(consumer.assignment())
        offsets = {TopicPartition(*lane): offset for lane, offset in self._cursors.items()}
        self._cursors = {}
        offsets = {partition: at for partition, at in offsets.items() if partition in assigned}
        if offsets:
            with suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(COMMIT_TIMEOUT_S):
                    await consumer.commit(offsets)

    def assigned(self) -> frozenset[Lane]:
        """Return the lanes that this replica has."""
        consumer = self._consumer()
        if consumer is None:
            return frozenset()
        return frozenset((tp.topic, tp.partition) for tp in consumer.assignment())

    async def nudge(self, lane: Lane, offset: int) -> None:
        """Take the poller back to a cursor that it is past, although no batch is in hand.

        It starts from the offsets committed to Kafka, which are ahead of a cursor that was restored
        from a backup; without new records nothing else would tell.
        """
        position = await self.position(lane)
        consumer = self._consumer()
        if consumer is None or position is None or position <= offset or self._is_busy:
            return
        self._sought[lane] = offset
        with suppress(IllegalStateError, AssertionError):
            consumer.seek(TopicPartition(*lane), offset)

    async def position(self, lane: Lane) -> int | None:
        """Return the offset that the poller reads next on a lane that this replica has."""
        consumer = self._consumer()
        if consumer is None or lane not in self.assigned():
            return None
        with suppress(KafkaError, TimeoutError, IllegalStateError):
            async with asyncio.timeout(COMMIT_TIMEOUT_S):
                return await consumer.position(TopicPartition(*lane))
        return None

    async def _apply(self, records: Sequence[KafkaRecord]) -> Applied:
        """Apply a batch, again and again while the database is away."""
        retry_s = RETRY_S
        while True:
            try:
                return await self._inbox.apply(records, self._leaps)
            except Exception as error:
                if not is_transient(error):
                    raise
                # The outcome of COMMIT may be unknown: the cursor tells on the next attempt.
                log.warning("a batch is tried again", extra={"reason": describe(error)})
            await asyncio.sleep(retry_s)
            retry_s = min(2 * retry_s, RETRY_MAX_S)

    async def _follow(self, applied: Applied, records: Sequence[KafkaRecord]) -> None:
        self._cursors |= applied.cursors
        self._note_holes(applied)
        for lane in applied.cursors.keys() - applied.seeks.keys():
            self._sought.pop(lane, None)
            self._leaps.pop(lane, None)
        if applied.seeks:
            by_lane = group_by_lane(records)
            for lane, offset in applied.seeks.items():
                await self._seek(lane, offset, by_lane[lane][0].offset)
        if applied.has_parked:
            self._on_parked()

    def _note_holes(self, applied: Applied) -> None:
        now_s = asyncio.get_running_loop().time()
        for lane in applied.cursors:
            if lane in applied.holes:
                self._progress.holes.setdefault(lane, now_s)
            else:
                self._progress.holes.pop(lane, None)

    async def _seek(self, lane: Lane, offset: int, found_offset: int) -> None:
        """Go to a lane's cursor; when the log gave something else from there before, ask why."""
        consumer = self._consumer()
        if consumer is None:
            return
        if self._sought.get(lane) == offset and not await self._examine(lane, offset, found_offset):
            return
        self._sought[lane] = offset
        with suppress(IllegalStateError, AssertionError):  # the lane was taken away meanwhile
            consumer.seek(TopicPartition(*lane), offset)

    async def _examine(self, lane: Lane, offset: int, found_offset: int) -> bool:
        """Find out why the log does not give what was sought; tell whether to seek again.

        Raises LaneRefusedError when the log ends before the cursor.
        """
        try:
            begin, end = await self._ends.bounds(lane)
        except (KafkaError, TimeoutError):
            return True
        if offset > end:
            raise LaneRefusedError(
                f"{lane[0]}/{lane[1]} ends at {end}, before the cursor {offset}: "
                "the topic was made anew or the database was restored"
            )
        if begin > offset > 0:
            self._pause(
                lane, f"records from {offset} to {begin} were deleted before they were read"
            )
            return False
        if found_offset <= offset:
            return True
        # A new reader starts where the log does; inside it, transaction markers take up offsets.
        self._leaps[lane] = Leap(offset, max(begin, found_offset), adopt=begin > offset)
        return True

    def _pause(self, lane: Lane, reason: str) -> None:
        self._progress.paused[lane] = reason
        log.error("lane paused", extra={"topic": lane[0], "partition": lane[1], "reason": reason})
        consumer = self._consumer()
        if consumer is not None:
            with suppress(IllegalStateError, AssertionError):
                consumer.pause(TopicPartition(*lane))

    def _consumer(self) -> GroupConsumer | None:
        return None if self._poller is None else self._poller.consumer
