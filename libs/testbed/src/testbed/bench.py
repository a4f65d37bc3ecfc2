"""One service on the bench: events in through its real inbox, events out of its real outbox."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime

from backbone import Consumer, Database, Outcome, Schedule, Transaction
from backbone.inbox import Inbox
from backbone.parking import Sweeper
from backbone.records import Lane, StoredRecord
from backbone.schedule import Scheduled
from contracts.event import Event
from contracts.topics import Topic
from testbed.lanes import Lanes, decode

FIND_NEW = """
SELECT topic, partition, seq, split_part(dataschema, '/', 1) AS type, payload
FROM outbox_event ORDER BY recorded_at, topic, partition, seq
"""
FIND_DEAD = "SELECT reason FROM dead_letter WHERE state = 'open' ORDER BY dead_letter_id"
FIND_PARKED = """
SELECT awaits FROM parked WHERE awaits IS NOT NULL ORDER BY topic, partition, record_offset
"""


class Bench:
    """Applies events to a service's database and tells what it publishes.

    Everything a service does in production happens but Kafka itself: headers, cursors, waves,
    parking, dead letters, the outbox, one transaction for a batch.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._lanes = Lanes()
        self._inboxes: dict[str, Inbox] = {}
        self._seen: dict[Lane, int] = {}

    async def __call__(
        self, consumer: Consumer, events: Iterable[Event], *, dead_count: int = 0
    ) -> list[Event]:
        """Deliver events in one batch and return what is published because of them, lane by lane.

        Raises:
            AssertionError: another number of records became dead letters than `dead_count`; it
                shows why.
        """
        records = self._lanes.write(events, self.database.clock())
        return await self._deliver(consumer, records, dead_count)

    async def raw(
        self,
        consumer: Consumer,
        topic: Topic,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes | None]] = (),
    ) -> list[Event]:
        """Deliver what a stranger wrote to a topic, and return what is published because of it.

        No record may become a dead letter: on such a topic a stranger's bytes are for the handler.
        """
        record = self._lanes.write_raw(topic, value, key=key, headers=headers)
        return await self._deliver(consumer, [record], dead_count=0)

    async def sweep(self, consumer: Consumer) -> list[Event]:
        """Look at parked records again; return what is published because some no longer wait."""
        await Sweeper(consumer, self.database).sweep()
        return await self.outgoing()

    async def tick(self, schedule: Schedule) -> list[Event]:
        """Run every scheduled task once, whatever its period; return what they publish."""
        for task in schedule.tasks:
            await self.database.perform(_command(task))
        return await self.outgoing()

    async def outgoing(self) -> list[Event]:
        """Return what was published since the last look, for example by a request over HTTP."""
        async with self.database.transaction() as tx:
            rows = await tx.fetch(FIND_NEW)
        events: list[Event] = []
        for row in rows:
            lane = (row["topic"], row["partition"])
            if row["seq"] > self._seen.get(lane, 0):
                self._seen[lane] = row["seq"]
                events.append(decode(row["type"], row["payload"].encode()))
        return events

    async def dead_letters(self) -> list[str]:
        """Return the reasons of the open dead letters, oldest first."""
        async with self.database.transaction() as tx:
            return [row["reason"] for row in await tx.fetch(FIND_DEAD)]

    async def parked(self) -> list[str]:
        """Return what the parked heads wait for, such as `agreement:A1@3`."""
        async with self.database.transaction() as tx:
            return [row["awaits"] for row in await tx.fetch(FIND_PARKED)]

    async def _deliver(
        self, consumer: Consumer, records: Sequence[StoredRecord], dead_count: int
    ) -> list[Event]:
        inbox = self._inboxes.setdefault(consumer.service, Inbox(consumer, self.database))
        before = await self.dead_letters()
        await inbox.apply(records)
        dead = (await self.dead_letters())[len(before) :]
        assert len(dead) == dead_count, f"{len(dead)} dead letters: {dead}"
        return await self.outgoing()


def _command(task: Scheduled) -> Callable[[Transaction, datetime], Awaitable[Outcome[None]]]:
    async def perform(tx: Transaction, now: datetime) -> Outcome[None]:
        return Outcome(None, await task.task(tx, now))

    return perform
