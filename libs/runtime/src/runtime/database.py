"""A request's way into the database: what cannot be reached now is told as 503, not as 500."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Protocol, TypeVar

from backbone import Database, Outcome, Transaction
from backbone.failures import is_transient
from runtime.problems import Unavailable

A = TypeVar("A")
RETRY_AFTER_S = 2
NOT_REACHED = "the database cannot be reached; whether this was done is unknown, send it again"


class Performer(Protocol):
    """Runs a command: state and events in one transaction."""

    async def __call__(
        self, command: Callable[[Transaction, datetime], Awaitable[Outcome[A]]]
    ) -> A:
        """Return the command's answer once everything is committed.

        A command that loses a race (deadlock, serialisation) is run again, so it keeps no state.
        Raises Unavailable when the database is away: the outcome is then unknown.
        """
        ...


class Reader(Protocol):
    """Opens a transaction to read in."""

    def __call__(self) -> AbstractAsyncContextManager[Transaction]:
        """Return the transaction; raises Unavailable when the database is away."""
        ...


class DatabaseAccess:
    """The two ways in, for one service's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def perform(self, command: Callable[[Transaction, datetime], Awaitable[Outcome[A]]]) -> A:
        """Run a command; see Performer."""
        try:
            return await self._database.perform(command)
        except Exception as error:
            if is_transient(error):
                raise Unavailable(NOT_REACHED, retry_after_s=RETRY_AFTER_S) from error
            raise

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[Transaction]:
        """Open a transaction to read in; see Reader."""
        try:
            async with self._database.transaction() as tx:
                yield tx
        except Exception as error:
            if is_transient(error):
                raise Unavailable(NOT_REACHED, retry_after_s=RETRY_AFTER_S) from error
            raise
