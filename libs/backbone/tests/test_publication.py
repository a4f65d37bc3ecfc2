"""An event is published if and only if its transaction committed, once, in the order of commits."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import datetime

import asyncpg
import msgspec
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from backbone_plant import read_all
from backbone_sample import DDL

from backbone import Database, Outbox, Outcome, Progress, Transaction
from backbone.failures import is_transient
from backbone.positions import read_sequence
from backbone.relay import Relay
from contracts.event import Event
from contracts.topics import Topic
from embedded.stack import Stack

WRITERS = 12
COMMANDS = 25
DOOMED_SHARE = 0.15
WITHIN_S = 20.0
# What is doomed is refused at COMMIT, after the time that a relay would need to publish it.
RULES = """
CREATE TABLE IF NOT EXISTS doom (is_doomed boolean NOT NULL);
CREATE OR REPLACE FUNCTION refuse_late() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.is_doomed THEN
        PERFORM pg_sleep(0.05);
        RAISE integrity_constraint_violation;
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS refuse ON doom;
CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON doom
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_late();
"""


class Noted(Event, frozen=True, kw_only=True):
    """A fact with its writer and number."""

    order_id: str
    number: int


NOTES = Topic("writer.notes", "writer", "order_id", 2, (Noted,))


@pytest.fixture
async def writer(stack: Stack) -> AsyncIterator[Database]:
    """A database whose commands can be refused at COMMIT, and its topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(NOTES.name, NOTES.partitions, 1)])
    await admin.close()
    dsn = stack.create_database("writer")
    outbox = Outbox("writer", lambda _: NOTES)
    async with Database(dsn, outbox, connections_max=WRITERS) as database:
        async with database.transaction() as tx:
            await tx.execute(DDL + RULES)
        yield database


async def write(database: Database, name: str, chance: random.Random) -> list[int]:
    """Run commands that take their time before and after; return the numbers that committed."""
    committed: list[int] = []
    for number in range(COMMANDS):
        doom = chance.random() < DOOMED_SHARE
        pauses = chance.uniform(0, 0.02), chance.uniform(0, 0.02)

        async def command(
            tx: Transaction,
            now: datetime,
            drawn: tuple[int, int, float] = (number, doom, pauses[0]),
        ) -> Outcome[None]:
            number, is_doomed, pause_s = drawn
            await tx.execute("INSERT INTO doom VALUES ($1)", bool(is_doomed))
            await asyncio.sleep(pause_s)
            return Outcome(None, [Noted(occurred_at=now, order_id=name, number=number)])

        with suppress(asyncpg.IntegrityConstraintViolationError):
            await database.perform(command)
            committed.append(number)
        await asyncio.sleep(pauses[1])
    return committed


async def settle(database: Database) -> None:
    """Wait until the outbox is empty."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            async with database.transaction() as tx:
                if not await tx.fetchval("SELECT count(*) FROM outbox"):
                    return
            await asyncio.sleep(0.05)


async def published(stack: Stack) -> tuple[dict[str, list[int]], dict[int, list[int]]]:
    """Return the numbers of each writer and the sequences of each lane, as they lie in the log."""
    numbers: dict[str, list[int]] = {}
    sequences: dict[int, list[int]] = {}
    for record in await read_all(stack.bootstrap, NOTES.name, NOTES.partitions):
        sequences.setdefault(record.partition, []).append(read_sequence(dict(record.headers)) or 0)
        note = _decode(record.value or b"")
        numbers.setdefault(note.order_id, []).append(note.number)
    return numbers, sequences


async def test_what_committed_is_published_once_in_order_and_nothing_else(
    writer: Database, stack: Stack
) -> None:
    relays = [Relay("writer", writer.dsn, stack.bootstrap, Progress()) for _ in range(2)]
    for relay in relays:
        writer.on_commit(relay.offer)
    tasks = [asyncio.create_task(relay.run()) for relay in relays]
    names = [f"writer-{number}" for number in range(WRITERS)]
    committed = await asyncio.gather(
        *(
            write(writer, name, random.Random(seed))  # noqa: S311 it is to be repeatable
            for seed, name in enumerate(names)
        )
    )
    await settle(writer)
    await _end(tasks)
    numbers, sequences = await published(stack)
    assert numbers == dict(zip(names, committed, strict=True))
    assert all(each == [*range(1, len(each) + 1)] for each in sequences.values())
    assert sum(map(len, committed)) < WRITERS * COMMANDS


async def _end(tasks: Sequence["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(ended, asyncio.CancelledError) or is_transient(ended or OSError())


def _decode(payload: bytes) -> Noted:
    return msgspec.json.decode(payload, type=Noted)
