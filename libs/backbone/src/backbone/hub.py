"""Runs a service's loops in one task group: consumer, relay, sweep, schedule, watchdog."""

# pyright: reportMissingTypeStubs=false
import asyncio
import logging
import signal
from collections.abc import Awaitable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from faststream.kafka import KafkaBroker
from faststream.middlewares import AckPolicy

from backbone.asyncapi import Json, asyncapi
from backbone.consumer import Consumer
from backbone.database import Database
from backbone.failures import LaneRefusedError, TaskEndedError, describe, is_transient
from backbone.feed import Feed, Poller, decode, parse
from backbone.inbox import Inbox
from backbone.kafka import (
    REQUEST_TIMEOUT_MS,
    RETRY_BACKOFF_MS,
    KafkaError,
    LogEnds,
    RangePartitionAssignor,
)
from backbone.outbox import Chunk
from backbone.parking import Sweeper
from backbone.progress import Progress
from backbone.relay import Relay
from backbone.schedule import Schedule
from backbone.scheduling import run_schedule
from backbone.watchdog import BLOCKED_S, READ_LANES, STALL_S, LoopWatch, Observer
from contracts.topics import TOPICS

log = logging.getLogger("backbone")

BATCH_RECORDS_MAX = 500
POLL_MS = 50
SESSION_TIMEOUT_MS = 6_000
HEARTBEAT_MS = 1_000
FETCH_BYTES_MAX = 1024 * 1024
GRACE_S = 3.0
STOP_WITHIN_S = 10.0
RESTART_S = 0.5
SWEEP_EVERY_S = 1.0
SWEEP_PAUSE_S = 0.1
RECREATED_AFTER_S = 10.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be tuned about a process.

    `batch_records_max` records make a transaction at most. The process ends when its lanes have lag
    and stand still for `stall_s`, or its event loop is blocked for `blocked_s`.
    """

    batch_records_max: int = BATCH_RECORDS_MAX
    stall_s: float = STALL_S
    blocked_s: float = BLOCKED_S


class Hub:
    """One process of a service. The database is opened and closed by the caller."""

    def __init__(
        self,
        database: Database,
        bootstrap: str,
        consumer: Consumer | None = None,
        schedule: Schedule | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.service = database.outbox.service
        self.progress = Progress()
        self._database = database
        self._bootstrap = bootstrap
        self._schedule = schedule
        self._limits = limits or Limits()
        self._consumer = consumer or Consumer(self.service)
        self._ends = LogEnds(bootstrap)
        self._relay = Relay(self.service, database.dsn, bootstrap, self.progress)
        self._sweeper = Sweeper(self._consumer, database)
        self._sweep_due = asyncio.Event()
        self._watch = LoopWatch(self._limits.blocked_s)
        database.on_commit(self._relay.offer)
        database.on_commit(self._note_commit)

    async def serve(self, *loops: Coroutine[Any, Any, object]) -> None:
        """Run until SIGTERM or SIGINT, and return; or until the first failure, and raise.

        `loops` (an HTTP server) run beside and must not end by themselves either: TaskEndedError.
        """
        tasks: list[asyncio.Task[None]] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, _cancel, tasks)
        async with asyncio.TaskGroup() as group:
            tasks.append(group.create_task(self.run()))
            tasks += [group.create_task(_forever("loop", loop)) for loop in loops]

    async def run(self) -> None:
        """Run until cancelled, or until the first failure, and raise.

        Whoever cancels waits a few seconds for the batch in hand. The process is ended with status
        EXIT_BLOCKED when its event loop is blocked, or when this does not end in STOP_WITHIN_S.
        """
        self._watch.start()
        broker, feed = self._wire()
        try:
            async with asyncio.TaskGroup() as group:
                for name, loop in self._loops(broker, feed):
                    group.create_task(self._guard(name, loop), name=name)
        finally:
            await self._close(broker, feed)
            self._watch.end()

    async def _guard(self, name: str, loop: Awaitable[object]) -> None:
        """Run a loop; from the end of the first one the process has STOP_WITHIN_S left."""
        try:
            await _forever(name, loop)
        finally:
            self._watch.stop_within(STOP_WITHIN_S)

    def asyncapi(self, version: str) -> Json:
        """Return the AsyncAPI document of the service as JSON values."""
        written = [topic for topic in TOPICS.values() if topic.producer == self.service]
        return asyncapi(self.service, self._consumer, written, version)

    def _loops(
        self, broker: KafkaBroker | None, feed: Feed | None
    ) -> list[tuple[str, Coroutine[Any, Any, object]]]:
        observer = Observer(
            self._database,
            self._ends,
            self.progress,
            topics=self._consumer.topics,
            stall_s=self._limits.stall_s,
        )
        observer.feed = feed
        loops: list[tuple[str, Coroutine[Any, Any, object]]] = [
            ("beat", self._watch.beat()),
            ("relay", self._relay.run()),
            ("observer", observer.run()),
        ]
        if broker is not None and feed is not None:
            loops += [("consumer", self._consume(broker, feed)), ("sweep", self._sweep())]
        else:
            self.progress.is_consuming = True
        if self._schedule is not None and self._schedule.tasks:
            run = run_schedule(self._schedule, self._database, self.progress)
            loops.append(("schedule", run))
        return loops

    def _wire(self) -> tuple[KafkaBroker | None, Feed | None]:
        """Make a broker with one subscriber for all topics, whose batches go to the feed.

        FastStream's defaults acknowledge first, skip what fails and make topics; none of that here.
        One group for all topics settles at once and batches across topics in one transaction.
        """
        if not self._consumer.topics:
            return None, None
        broker = KafkaBroker(
            self._bootstrap,
            client_id=self.service,
            apply_types=False,
            consumer_only=True,
            allow_auto_create_topics=False,
            graceful_timeout=GRACE_S,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            retry_backoff_ms=RETRY_BACKOFF_MS,
            logger=log,
            log_level=logging.DEBUG,  # it tells of every batch twice
        )
        subscriber = broker.subscriber(
            *(topic.name for topic in self._consumer.topics),
            group_id=self.service,
            batch=True,
            max_records=self._limits.batch_records_max,
            batch_timeout_ms=POLL_MS,
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            no_reply=True,
            partition_assignment_strategy=[RangePartitionAssignor],
            fetch_max_wait_ms=POLL_MS,
            max_partition_fetch_bytes=FETCH_BYTES_MAX,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
            parser=parse,
            decoder=decode,
        )
        inbox = Inbox(self._consumer, self._database)
        feed = Feed(inbox, self._ends, self.progress, self._note_parked)
        feed.attach(cast("Poller", subscriber))
        subscriber(feed.deliver)
        return broker, feed

    async def _consume(self, broker: KafkaBroker, feed: Feed) -> None:
        await self._check_logs()
        while True:
            try:
                await broker.start()
                break
            except KafkaError as error:
                log.warning("the consumer starts again", extra={"reason": describe(error)})
                await broker.stop()  # start() again without it would double what did start
                await asyncio.sleep(RESTART_S)
        self.progress.is_consuming = True
        await feed.watch()

    async def _check_logs(self) -> None:
        """Refuse to start when a log ends before its cursor, for longer than a broker needs."""
        topics = {topic.name for topic in self._consumer.topics}
        waited_s = 0.0
        while True:
            try:
                async with self._database.transaction() as tx:
                    rows = await tx.fetch(READ_LANES)
                cursors = {(r["topic"], r["partition"]): r["next_offset"] for r in rows}
                ends = await self._ends.ends([lane for lane in cursors if lane[0] in topics])
            except Exception as error:
                if not isinstance(error, KafkaError) and not is_transient(error):
                    raise
                log.warning("the start waits", extra={"reason": describe(error)})
            else:
                short = [lane for lane, end in ends.items() if end < cursors[lane]]
                if not short:
                    return
                if waited_s >= RECREATED_AFTER_S:
                    raise LaneRefusedError(
                        f"logs end before their cursors: {', '.join(map(str, sorted(short)))}: "
                        "the topic was made anew or the database was restored"
                    )
                waited_s += RESTART_S
            await asyncio.sleep(RESTART_S)

    async def _sweep(self) -> None:
        """Sweep when a batch may have brought what others wait for, and every SWEEP_EVERY_S."""
        released = 0
        while True:
            if not released:
                await asyncio.sleep(SWEEP_PAUSE_S)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._sweep_due.wait(), SWEEP_EVERY_S - SWEEP_PAUSE_S)
            self._sweep_due.clear()
            try:
                released = await self._sweeper.sweep()
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("a sweep is tried again", extra={"reason": describe(error)})
                released = 0

    def _note_parked(self) -> None:
        self.progress.parked_events = max(1, self.progress.parked_events)
        self._sweep_due.set()

    def _note_commit(self, _: Sequence[Chunk]) -> None:
        if self.progress.parked_events:
            self._sweep_due.set()

    async def _close(self, broker: KafkaBroker | None, feed: Feed | None) -> None:
        """Finish the batch in hand and leave the group; without a broker that would take long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_WITHIN_S - GRACE_S):
                if feed is not None and broker is not None:
                    await feed.commit()
                    await broker.stop()
                await self._ends.close()


def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()


async def _forever(name: str, loop: Awaitable[object]) -> None:
    await loop
    raise TaskEndedError(f"{name} has ended")
