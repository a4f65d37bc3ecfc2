"""A process that dies at any statement: what it left, delivered again, comes to the same tables."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
from backbone_sample import (
    DDL,
    STRANGERS,
    TABLES,
    Lanes,
    State,
    back_consumer,
    back_outbox,
    cancelled,
    placed,
)

from backbone import Database, Inbox
from backbone.records import KafkaRecord, StoredRecord

METHODS = ("execute", "executemany", "fetch", "fetchrow", "fetchval")
STATEMENTS_MAX = 200
TOLD = (
    "SELECT kind, order_id, number FROM effect ORDER BY order_id, number",
    """SELECT key, payload::json ->> 'number' AS number FROM outbox_event
    ORDER BY topic, partition, seq""",
    "SELECT * FROM inbound ORDER BY topic, partition",
    "SELECT topic, partition, last_seq FROM outbound ORDER BY topic, partition",
    "SELECT topic, partition, record_offset, reason, state FROM dead_letter ORDER BY 1, 2, 3",
    r"""SELECT topic, partition, record_offset, regexp_replace(awaits, '\d+$', '') AS awaits
    FROM parked ORDER BY 1, 2, 3""",
    "SELECT count(DISTINCT dead_letter_id) FROM dead_letter",
)


class DiedError(ConnectionError):
    """The process is dead: no statement of it runs any more."""


@dataclass
class Death:
    """Dies at a statement, counted from 0: before it is sent, or after it was carried out."""

    at: int
    is_after: bool
    seen: int = 0

    def wrap(self, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """Return a method of a connection that counts, and dies in time."""

        async def counted(
            connection: "asyncpg.Connection[asyncpg.Record]", *a: Any, **k: Any
        ) -> Any:
            number, self.seen = self.seen, self.seen + 1
            if number < self.at:
                return await method(connection, *a, **k)
            if number == self.at and self.is_after:
                await method(connection, *a, **k)
            connection.terminate()
            raise DiedError(f"statement {number}")

        return counted


@asynccontextmanager
async def process(dsn: str) -> AsyncGenerator[tuple[Database, Inbox]]:
    """Start a back anew."""
    async with Database(dsn, back_outbox()) as database:
        yield database, Inbox(back_consumer(), database)


async def die(dsn: str, records: Sequence[KafkaRecord], death: Death) -> bool:
    """Apply records in a process that dies; tell whether it lived long enough to die."""
    with pytest.MonkeyPatch.context() as patches:
        for name in METHODS:
            patches.setattr(asyncpg.Connection, name, death.wrap(getattr(asyncpg.Connection, name)))
        async with process(dsn) as (_, inbox):
            # Rolling back on a connection that is gone fails in a way of its own.
            with suppress(DiedError, asyncpg.InterfaceError):
                await inbox.apply(records)
    return death.seen > death.at


async def tell(dsn: str) -> list[list[tuple[object, ...]]]:
    """Return all that the tables say but for times."""
    async with process(dsn) as (database, _):
        state = State(database)
        return [[tuple(row.values()) for row in await state.rows(query)] for query in TOLD]


async def empty(dsn: str) -> None:
    async with process(dsn) as (database, _), database.transaction() as tx:
        await tx.execute(DDL)
        for table in ", ".join(TABLES).split(", "):  # some rows: faster than TRUNCATE's new files
            await tx.execute(f"DELETE FROM {table}")  # noqa: S608 the names are ours


async def apply(dsn: str, records: Sequence[KafkaRecord]) -> None:
    async with process(dsn) as (_, inbox):
        await inbox.apply(records)


def batch() -> list[KafkaRecord]:
    """Return a batch with orders that go on, wait for a door, and fail, and strangers' letters."""
    letters = [StoredRecord(STRANGERS.name, 1, offset, None, b"letter", ()) for offset in range(3)]
    return [
        *letters,
        *Lanes().write(
            *(placed(f"o{number}") for number in range(4)),
            placed("shut", 1, door_id="d"),
            placed("o0", 2),
            placed("bad", 1, "poison"),
            cancelled("o1", 2),
            placed("bad", 2),
            cancelled("shut", 2),
            placed("o2", 2),
        ),
    ]


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_death_at_any_statement_changes_nothing_in_the_end(dsn: str, moment: str) -> None:
    records = batch()
    await empty(dsn)
    await apply(dsn, records)
    expected = await tell(dsn)
    for at in range(STATEMENTS_MAX):
        await empty(dsn)
        died = await die(dsn, records, Death(at, is_after=moment == "after"))
        for _ in range(2):
            await apply(dsn, records)
        assert await tell(dsn) == expected, f"death at statement {at}"
        if not died:
            break
    else:
        pytest.fail("the batch takes more statements than were tried")
    assert at > 5
