"""Measures one hop: read a batch, write state, store an event for each, publish.

    python -m benchmarks.hop [--events N]

A process of its own reads 1 KiB events from a real Kafka, inserts a row and answers with an event
for each, through the real inbox, outbox and relay. Prints CPU microseconds per event by server, for
batches of at most 500 and of at most 100 records.
"""

import argparse
import asyncio
import multiprocessing
import os
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from backbone import BACKBONE_DDL, Batch, Consumer, Database, Hub, Limits, Outbox, Transaction
from backbone.progress import Progress
from backbone.relay import Relay
from contracts.event import Event
from contracts.topics import Topic
from embedded import start
from embedded.stack import Stack

EVENTS_DEFAULT = 20_000
CHUNK_EVENTS = 500
KEYS = 1_000
FILLER = "x" * 800
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TABLE = "CREATE TABLE seen (order_id text, number int)"
INSERT = "INSERT INTO seen SELECT * FROM unnest($1::text[], $2::int[])"


class Asked(Event, frozen=True, kw_only=True):
    """What is read."""

    order_id: str
    number: int
    filler: str = FILLER


class Answered(Event, frozen=True, kw_only=True):
    """What is published for it."""

    order_id: str
    number: int
    filler: str = FILLER


QUESTIONS = Topic("asker.questions", "asker", "order_id", 6, (Asked,))
ANSWERS = Topic("answerer.answers", "answerer", "order_id", 6, (Answered,))


def find_topic(event_type: type[Event]) -> Topic:
    """Return the topic of an event type."""
    return QUESTIONS if event_type is Asked else ANSWERS


def consumer() -> Consumer:
    """Return the consumer under measurement."""
    answerer = Consumer("answerer")

    @answerer.on(QUESTIONS, Asked)
    async def answer(batch: Batch[Asked], tx: Transaction) -> Sequence[Event]:
        """Write down and answer."""
        events = batch.events
        await tx.execute(INSERT, [e.order_id for e in events], [e.number for e in events])
        return [
            Answered(occurred_at=batch.now, order_id=each.order_id, number=each.number)
            for each in events
        ]

    assert answer
    return answerer


def answer_all(dsn: str, bootstrap: str, batch_records_max: int) -> None:
    """Run the measured process until it is killed."""

    async def run() -> None:
        limits = Limits(batch_records_max=batch_records_max)
        async with Database(dsn, Outbox("answerer", find_topic)) as database:
            await Hub(database, bootstrap, consumer(), limits=limits).serve()

    asyncio.run(run())


async def prepare(stack: Stack, events: int) -> tuple[str, float]:
    """Publish the questions; return the answerer's database and the relay's CPU seconds."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.bootstrap)
    await admin.start()
    topics = (QUESTIONS, ANSWERS)
    await admin.delete_topics([topic.name for topic in topics])
    await asyncio.sleep(1)
    await admin.create_topics([NewTopic(t.name, t.partitions, 1) for t in topics])
    await admin.close()
    asker, answerer = stack.create_database("asker"), stack.create_database("answerer")
    relay_s = 0.0
    for dsn in (asker, answerer):
        async with Database(dsn, Outbox("asker", find_topic)) as database:
            async with database.transaction() as tx:
                await tx.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
                await tx.execute(BACKBONE_DDL + TABLE)
            if dsn == asker:
                relay_s = await _ask(database, stack.bootstrap, events)
    return answerer, relay_s


async def _ask(database: Database, bootstrap: str, events: int) -> float:
    for first in range(0, events, CHUNK_EVENTS):
        async with database.transaction() as tx:
            asked = [
                Asked(occurred_at=NOW, order_id=f"order-{n % KEYS}", number=n // KEYS)
                for n in range(first, first + CHUNK_EVENTS)
            ]
            await database.outbox.append(tx, database.outbox.stage(asked), NOW)
    progress = Progress()
    began_s = time.process_time()
    relay = asyncio.create_task(Relay("asker", database.dsn, bootstrap, progress).run())
    while progress.published_events < events:  # noqa: ASYNC110 the relay signals nothing
        await asyncio.sleep(0.05)
    relay.cancel()
    await asyncio.gather(relay, return_exceptions=True)
    return time.process_time() - began_s


async def measure(stack: Stack, events: int, batch_records_max: int) -> None:
    """Answer every question and print what it took."""
    dsn, relay_s = await prepare(stack, events)
    arguments = (dsn, stack.bootstrap, batch_records_max)
    process = multiprocessing.get_context("spawn").Process(target=answer_all, args=arguments)
    servers = {"postgres": stack.postgres.pid or 0, "kafka": stack.kafka.pid or 0}
    before = {name: _tree_s(pid) for name, pid in servers.items()}
    process.start()
    began_s = start_s = 0.0
    async with Database(dsn, Outbox("answerer", find_topic)) as database:
        while True:
            await asyncio.sleep(0.02)
            async with database.transaction() as tx:
                seen = await tx.fetchval("SELECT coalesce(sum(applied), 0)::int FROM inbound")
                left = await tx.fetchval("SELECT count(*) FROM outbox")
            if seen and not began_s:
                began_s, start_s = time.monotonic(), _tree_s(process.pid or 0)
            if seen == events and not left:
                break
    wall_s = time.monotonic() - began_s
    spent = {name: _tree_s(pid) - before[name] for name, pid in servers.items()}
    spent["process"] = _tree_s(process.pid or 0) - start_s
    process.terminate()
    process.join()
    parts = " ".join(f"{name} {1e6 * s / events:.0f}" for name, s in spent.items())
    print(
        f"batch {batch_records_max}: {events / wall_s:,.0f} events/s; CPU us an event: {parts}, "
        f"together {1e6 * sum(spent.values()) / events:.0f}; "
        f"a relay alone {1e6 * relay_s / events:.0f}",
        flush=True,
    )


def _tree_s(pid: int) -> float:
    """Return the CPU seconds of a process, its children, and those of them that ended."""
    total = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(path.parent.name) == pid:
            total += sum(map(int, fields[11:15]))
        elif int(fields[1]) == pid:
            total += sum(map(int, fields[11:13]))
    return total / TICKS_PER_S


def main() -> None:
    """Measure with both batch sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS_DEFAULT)
    events = parser.parse_args().events
    with tempfile.TemporaryDirectory() as folder, start(Path(folder)) as stack:
        for batch_records_max in (500, 100):
            asyncio.run(measure(stack, events, batch_records_max))


if __name__ == "__main__":
    main()
