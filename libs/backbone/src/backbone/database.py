"""A service's database: pooled transactions, and commands whose events are stored with them."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Self, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from asyncpg.transaction import Transaction as AsyncpgTransaction

from backbone.failures import is_transient
from backbone.outbox import Chunk, Outbox
from backbone.records import A, Outcome
from backbone.trace import current_traceparent
from backbone.transaction import Transaction

CONNECTIONS_MAX = 8
STATEMENT_TIMEOUT_S = 20.0
CONNECT_TIMEOUT_S = 5.0
COMMAND_ATTEMPTS_MAX = 3

Clock: TypeAlias = Callable[[], datetime]


def utc_now() -> datetime:
    """Read the process's clock; the library's one place that does."""
    return datetime.now(UTC)  # noqa: TID251 this is where `now` comes from


async def _keep_session(_: object) -> None:
    """Spare the pool's RESET ALL, a round trip per use: nothing here sets session state."""


class Database:
    """The database of one service. Open it with `async with`, or `open` and `close`.

    Session state (`SET` without `LOCAL`, session locks) would leak from one use of a connection to
    the next and must not be used.
    """

    def __init__(
        self,
        dsn: str,
        outbox: Outbox,
        *,
        clock: Clock = utc_now,
        connections_max: int = CONNECTIONS_MAX,
    ) -> None:
        self.dsn = dsn
        self.outbox = outbox
        self.clock = clock
        self._connections_max = connections_max
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._listeners: list[Callable[[list[Chunk]], None]] = []

    async def open(self) -> Self:
        """Make the pool; connections are made when first used."""
        self._pool = await asyncpg.create_pool(
            self.dsn,
            min_size=0,
            max_size=self._connections_max,
            command_timeout=STATEMENT_TIMEOUT_S,
            timeout=CONNECT_TIMEOUT_S,
            reset=_keep_session,
        )
        return self

    async def close(self, within_s: float = 2.0) -> None:
        """Close the pool; connections that are busy for longer are cut."""
        if self._pool is None:
            return
        try:
            await asyncio.wait_for(self._pool.close(), within_s)
        except TimeoutError:
            self._pool.terminate()
        self._pool = None

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def on_commit(self, listener: Callable[[list[Chunk]], None]) -> None:
        """Have a function told of the chunks that each transaction of this process committed."""
        self._listeners.append(listener)

    def committed(self, chunks: list[Chunk]) -> None:
        """Tell the listeners; called after COMMIT only."""
        for listener in self._listeners:
            listener(chunks)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Transaction]:
        """Open a transaction; it commits when the block ends and rolls back when it raises."""
        if self._pool is None:
            raise RuntimeError("the database is not open")
        connection, transaction = await self._begin(self._pool)
        try:
            try:
                yield connection
            except BaseException:
                await transaction.rollback()
                raise
            await transaction.commit()
        except Exception as error:
            if is_transient(error) and not isinstance(error, asyncpg.TransactionRollbackError):
                _cut(connection)
            raise
        finally:
            await self._pool.release(connection)

    async def _begin(
        self, pool: "asyncpg.Pool[asyncpg.Record]"
    ) -> tuple["PoolConnectionProxy[asyncpg.Record]", AsyncpgTransaction]:
        """Begin on a connection that works: a server that restarts leaves a pool of dead ones."""
        attempts = self._connections_max + 1
        while True:
            attempts -= 1
            connection = await pool.acquire()
            transaction = connection.transaction()
            try:
                await transaction.start()
            except Exception as error:
                _cut(connection)
                await pool.release(connection)
                if attempts == 0 or not is_transient(error):
                    raise
            else:
                return connection, transaction

    async def perform(self, command: Callable[[Transaction, datetime], Awaitable[Outcome[A]]]) -> A:
        """Run a command, store its events in the same transaction, and return its answer.

        A deadlock or a serialisation failure is tried again, at most COMMAND_ATTEMPTS_MAX times in
        all, so a command must not keep state between calls. After any other failure of the
        connection it is unknown whether the transaction was committed.
        """
        for attempt in range(1, COMMAND_ATTEMPTS_MAX + 1):
            try:
                return await self._perform(command)
            except asyncpg.TransactionRollbackError as error:
                if attempt == COMMAND_ATTEMPTS_MAX or not is_transient(error):
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def _perform(
        self, command: Callable[[Transaction, datetime], Awaitable[Outcome[A]]]
    ) -> A:
        now = self.clock()
        async with self.transaction() as tx:
            outcome = await command(tx, now)
            staged = self.outbox.stage(outcome.events, traceparent=current_traceparent.get())
            chunks = await self.outbox.append(tx, staged, now)
        self.committed(chunks)
        return outcome.answer


def _cut(connection: "PoolConnectionProxy[asyncpg.Record]") -> None:
    """Make the pool drop a connection: asyncpg does not notice every way to lose a server."""
    with suppress(asyncpg.InterfaceError):  # it was dropped already
        connection.terminate()
