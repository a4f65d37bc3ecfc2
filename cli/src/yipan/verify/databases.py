"""Read-only access to every service's database."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import psycopg

STATEMENT_TIMEOUT_MS = 300_000
Row = tuple[Any, ...]


class Databases:
    """One connection per database, each a single snapshot for the life of this object.

    The snapshots are taken one after the other, so a comparison across databases is exact only
    when nothing is under way; `backlog` in verify.lanes tells.
    """

    def __init__(self, urls: Mapping[str, str]) -> None:
        self._connections: dict[str, psycopg.Connection[Row]] = {}
        try:
            for name, url in urls.items():
                self._connections[name] = _connect(url)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections.values():
            connection.close()

    @property
    def names(self) -> tuple[str, ...]:
        """The services whose databases are open."""
        return tuple(self._connections)

    def rows(self, service: str, sql: str) -> list[Row]:
        """Return what a query finds in one service's database."""
        # The statements are constants of this package; none is built from input.
        return self._connections[service].execute(sql.encode()).fetchall()

    def totals(self, service: str, sql: str) -> dict[Any, Any]:
        """Return the last column by the others: one value alone, several as a tuple."""
        return {
            (key[0] if len(key) == 1 else tuple(key)): value
            for *key, value in self.rows(service, sql)
        }


def _connect(url: str) -> psycopg.Connection[Row]:
    connection = psycopg.connect(url, connect_timeout=10)
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    connection.execute(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}".encode())
    return connection
