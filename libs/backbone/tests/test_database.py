"""Transactions over a server that goes away, and commands that lose a race."""

import asyncio

import asyncpg
import pytest
from backbone_sample import State

from backbone import Database, Outcome, Transaction
from backbone.failures import describe, is_program_fault, is_transient

END_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


async def test_connections_that_died_in_the_pool_are_not_noticed(database: Database) -> None:
    async def hold() -> None:
        async with database.transaction() as tx:
            await tx.execute("SELECT pg_sleep(0.05)")

    await asyncio.gather(*(hold() for _ in range(6)))
    connection = await asyncpg.connect(database.dsn)
    await connection.execute(END_OTHERS)
    await connection.close()
    await asyncio.gather(*(hold() for _ in range(6)))


async def test_a_connection_that_dies_in_a_transaction_is_a_transient_failure(
    database: Database, state: State
) -> None:
    async def die() -> None:
        async with database.transaction() as tx:
            await tx.execute("INSERT INTO door VALUES ('x')")
            await tx.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(Exception) as caught:  # noqa: PT011 one of several families
        await die()
    assert is_transient(caught.value)
    assert not await state.rows("SELECT FROM door")


async def test_a_command_that_loses_a_deadlock_is_run_again(
    database: Database, state: State
) -> None:
    await state.run(
        "INSERT INTO effect (kind, order_id, number) VALUES ('a', 'a', 0), ('b', 'b', 0)"
    )
    runs = 0

    async def add(first: str, second: str) -> None:
        async def command(tx: Transaction, _now: object) -> Outcome[None]:
            nonlocal runs
            runs += 1
            for kind in (first, second):
                await tx.execute("UPDATE effect SET number = number + 1 WHERE kind = $1", kind)
                await asyncio.sleep(0.1)
            return Outcome(None)

        await database.perform(command)

    await asyncio.gather(add("a", "b"), add("b", "a"))
    assert runs == 3
    assert [number for *_, number in sorted(await state.effects())] == [2, 2]


async def test_a_cancelled_command_leaves_nothing_open(database: Database, state: State) -> None:
    async def command(tx: Transaction, _now: object) -> Outcome[None]:
        await tx.execute("INSERT INTO door VALUES ('x')")
        await tx.execute("SELECT pg_sleep(30)")
        return Outcome(None)

    task = asyncio.create_task(database.perform(command))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not await state.rows("SELECT FROM door")
    open_count = "SELECT count(*) AS n FROM pg_stat_activity WHERE state LIKE 'idle in%'"
    assert await state.rows(open_count) == [{"n": 0}]


def test_failures_are_told_apart() -> None:
    lost = [
        asyncpg.DeadlockDetectedError("x"),
        asyncpg.SerializationError("x"),
        asyncpg.CannotConnectNowError("x"),
        asyncpg.AdminShutdownError("x"),
        asyncpg.ConnectionDoesNotExistError("x"),
        asyncpg.ReadOnlySQLTransactionError("x"),
        asyncpg.InvalidCachedStatementError("x"),
        asyncpg.InternalClientError("cannot switch to state 12"),
        asyncpg.InterfaceError("connection is closed"),
        ConnectionResetError(),
        TimeoutError(),
    ]
    assert all(is_transient(each) for each in lost)
    faults = [
        asyncpg.CheckViolationError("x"),
        asyncpg.UndefinedTableError("x"),
        asyncpg.exceptions.DataError("invalid input for query argument $1"),
        asyncpg.InterfaceError("the server expects 2 arguments for this query, 1 was passed"),
        KeyError("x"),
    ]
    assert not any(is_transient(each) for each in faults)
    assert is_program_fault(asyncpg.UndefinedTableError("x"))
    assert not is_program_fault(asyncpg.CheckViolationError("x"))


def test_a_reason_holds_no_row() -> None:
    error = asyncpg.CheckViolationError(
        'violates check "n"\nDETAIL:  Failing row contains (secret).'
    )
    assert describe(error) == 'CheckViolationError: violates check "n"'
