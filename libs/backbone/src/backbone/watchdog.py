"""Ends a process that is alive and does nothing: only progress counts."""

import asyncio
import faulthandler
import logging
import os
import sys
import threading
from collections.abc import Sequence

from backbone.database import Database
from backbone.failures import StalledError, describe, is_transient
from backbone.feed import Feed
from backbone.kafka import KafkaError, LogEnds
from backbone.progress import LaneProgress, Progress, RelayState
from backbone.records import Lane
from contracts.topics import Topic

log = logging.getLogger("backbone")

OBSERVE_EVERY_S = 1.0
STALL_S = 30.0
BLOCKED_S = 30.0
EXIT_BLOCKED = 70
"""Exit status of a process whose event loop was blocked, or that did not stop in time."""

READ_LANES = "SELECT topic, partition, next_offset, applied, dead, parked FROM inbound"
READ_OUTBOX = """
SELECT coalesce(sum(n), 0)::bigint AS events,
       coalesce(extract(epoch FROM clock_timestamp() - min(recorded_at)), 0)::float8 AS age_s
FROM outbox
"""


class Observer:
    """Renews a process's progress and judges it, every OBSERVE_EVERY_S seconds."""

    def __init__(
        self,
        database: Database,
        ends: LogEnds,
        progress: Progress,
        *,
        topics: Sequence[Topic] = (),
        stall_s: float = STALL_S,
    ) -> None:
        self._database = database
        self._ends = ends
        self._progress = progress
        self._topics = {topic.name: topic for topic in topics}
        self._lanes = [(each.name, place) for each in topics for place in range(each.partitions)]
        self._stall_s = stall_s
        self._still_s: dict[Lane, float] = {}
        self._unpublished_s = 0.0
        self.feed: Feed | None = None

    async def run(self) -> None:
        """Observe for ever; StalledError when events wait and nothing moves for `stall_s`.

        A lane of another replica is given twice as long: then its holder is as good as dead, and
        this process may be what Kafka believes to be the holder. Time while Kafka or the database
        is away does not count, nor does time that the process was frozen.
        """
        loop = asyncio.get_running_loop()
        before_s = loop.time()
        while True:
            await asyncio.sleep(OBSERVE_EVERY_S)
            now_s = loop.time()
            await self.observe(min(now_s - before_s, 2 * OBSERVE_EVERY_S), now_s)
            before_s = now_s

    async def observe(self, passed_s: float, now_s: float) -> None:
        """Renew the progress after `passed_s` seconds, and judge it."""
        published = self._progress.published_events
        cursors = await self._read_database()
        ends = await self._read_ends()
        if cursors is None or ends is None:
            self._still_s.clear()
            self._unpublished_s = 0.0
            return
        self._progress.assigned = self.feed.assigned() if self.feed else frozenset()
        lanes: dict[Lane, LaneProgress] = {}
        for lane in self._lanes:
            lanes[lane] = await self._progress_of(lane, cursors.get(lane, 0), ends[lane], now_s)
        still = self._judge_lanes(lanes, passed_s)
        self._progress.lanes = lanes
        if self.feed is not None:
            for lane in still:
                await self.feed.nudge(lane, lanes[lane].next_offset)
        self._judge_relay(published, passed_s)

    async def _read_database(self) -> dict[Lane, int] | None:
        try:
            async with self._database.transaction() as tx:
                lanes = await tx.fetch(READ_LANES)
                outbox = await tx.fetchrow(READ_OUTBOX)
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("the database is away", extra={"reason": describe(error)})
            self._progress.has_database = False
            return None
        progress = self._progress
        progress.has_database = True
        progress.applied_events = sum(row["applied"] for row in lanes)
        progress.dead_letters = sum(row["dead"] for row in lanes)
        progress.parked_events = sum(row["parked"] for row in lanes)
        if outbox is not None:
            progress.outbox_events, progress.outbox_age_s = outbox["events"], outbox["age_s"]
        return {(row["topic"], row["partition"]): row["next_offset"] for row in lanes}

    async def _read_ends(self) -> dict[Lane, int] | None:
        try:
            ends = await self._ends.ends(self._lanes)
        except (KafkaError, TimeoutError) as error:
            log.warning("Kafka is away", extra={"reason": describe(error)})
            self._progress.has_kafka = False
            return None
        self._progress.has_kafka = True
        return ends

    async def _progress_of(
        self, lane: Lane, next_offset: int, end_offset: int, now_s: float
    ) -> LaneProgress:
        """Compare a lane with what was seen before.

        On foreign topics the log may end in transaction markers, which no cursor passes: there the
        poller's position tells.
        """
        if next_offset < end_offset and not self._topics[lane[0]].sequenced and self.feed:
            position = await self.feed.position(lane)
            if position is not None and position >= end_offset:
                end_offset = next_offset
        before = self._progress.lanes.get(lane)
        is_still = before is not None and before.next_offset == next_offset
        moved_at_s = before.moved_at_s if before is not None and is_still else now_s
        return LaneProgress(next_offset, end_offset, moved_at_s)

    def _judge_lanes(self, lanes: dict[Lane, LaneProgress], passed_s: float) -> list[Lane]:
        """Return the lanes that have lag and stand still."""
        for lane, seen in lanes.items():
            before = self._progress.lanes.get(lane)
            has_moved = before is None or before.next_offset != seen.next_offset
            if has_moved or seen.lag == 0 or lane in self._progress.paused:
                self._still_s.pop(lane, None)
                continue
            still_s = self._still_s[lane] = self._still_s.get(lane, 0.0) + passed_s
            allowed_s = self._stall_s * (1 if lane in self._progress.assigned else 2)
            if still_s > allowed_s:
                raise StalledError(
                    f"{lane[0]}/{lane[1]} stands at {seen.next_offset} of {seen.end_offset} "
                    f"for {still_s:.0f} s"
                )
        return list(self._still_s)

    def _judge_relay(self, published: int, passed_s: float) -> None:
        progress = self._progress
        is_still = progress.relay is RelayState.LEADING and progress.outbox_events > 0
        is_still = is_still and progress.published_events == published
        self._unpublished_s = self._unpublished_s + passed_s if is_still else 0.0
        if self._unpublished_s > self._stall_s:
            raise StalledError(
                f"{progress.outbox_events} events are not published for {self._unpublished_s:.0f} s"
            )


class LoopWatch:
    """Ends the process when its event loop is blocked, or when it does not stop in time.

    A thread counts its own seconds without a sign from the loop, so a process that was frozen as a
    whole is not blamed.
    """

    def __init__(self, blocked_s: float = BLOCKED_S) -> None:
        self._blocked_s = blocked_s
        self._beats = 0
        self._stop_within_s: float | None = None
        self._over = threading.Event()

    def start(self) -> None:
        """Start the thread; it does not keep the process alive."""
        threading.Thread(target=self._watch, name="loop-watch", daemon=True).start()

    async def beat(self) -> None:
        """Give a sign every second, for ever."""
        while True:
            self._beats += 1
            await asyncio.sleep(OBSERVE_EVERY_S)

    def stop_within(self, seconds: float) -> None:
        """Allow the process so many seconds more."""
        self._stop_within_s = seconds

    def end(self) -> None:
        """End the watch: the process has stopped in order."""
        self._over.set()

    def _watch(self) -> None:
        seen = silent_s = stopping_s = 0.0
        while not self._over.wait(OBSERVE_EVERY_S):
            silent_s = 0.0 if self._beats != seen else silent_s + OBSERVE_EVERY_S
            seen = self._beats
            if self._stop_within_s is not None:
                stopping_s += OBSERVE_EVERY_S
                if stopping_s > self._stop_within_s:
                    _exit("the process did not stop in time")
            elif silent_s >= self._blocked_s:
                _exit(f"the event loop is blocked for {silent_s:.0f} s")


def _exit(reason: str) -> None:
    """End the process at once; the event loop cannot be asked to."""
    log.critical(reason)
    faulthandler.dump_traceback(sys.stderr, all_threads=True)
    sys.stderr.flush()
    os._exit(EXIT_BLOCKED)
