"""The Kafka and PostgreSQL of a home: embedded ones of its own, or servers given by address.

`YIPAN_STACK=urls` with `YIPAN_KAFKA_BOOTSTRAP` and `YIPAN_POSTGRES_URL` (an administrator's, who
may create roles and databases) names servers that somebody else runs.
"""

import hashlib
import hmac
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from embedded import Kafka, Postgres, StackError, start
from embedded.jars import cache_folder, fetch, print_progress

VARIABLES = ("YIPAN_STACK", "YIPAN_KAFKA_BOOTSTRAP", "YIPAN_POSTGRES_URL")


class Server(Protocol):
    """A server process that can be looked after."""

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        ...

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        ...

    def start(self) -> None:
        """Start it and return when it answers."""
        ...


@dataclass(frozen=True, slots=True)
class Servers:
    """A broker and a database server; `kafka` and `postgres` are theirs where they are ours."""

    bootstrap: str
    admin_url: str = field(repr=False)
    kafka: Kafka | None = None
    postgres: Postgres | None = None

    @property
    def ours(self) -> Mapping[str, Server]:
        """The servers to look after, by name."""
        found: dict[str, Server | None] = {"kafka": self.kafka, "postgres": self.postgres}
        return {name: server for name, server in found.items() if server is not None}

    def create_database(self, name: str) -> str:
        """Return the URL of a service's database and role, creating both if needed."""
        if self.postgres is not None:
            return self.postgres.create_database(name)
        return _create_database(self.admin_url, name)


@contextmanager
def open_servers(folder: Path) -> Generator[Servers]:
    """Start the embedded servers of a folder, or take those that the environment names.

    Raises:
        StackError: the embedded ones did not come up, or a variable is missing or unknown.
    """
    kind = os.environ.get("YIPAN_STACK", "embedded")
    if kind == "urls":
        yield _given()
    elif kind == "embedded":
        with start(folder) as stack:
            yield Servers(stack.bootstrap, stack.postgres.admin_url, stack.kafka, stack.postgres)
    else:
        raise StackError(f"YIPAN_STACK is embedded or urls here, not {kind!r}")


def fetch_embedded() -> None:
    """Fetch what the embedded servers are made of, with progress; once per machine, and then never.

    The supervisor would do it too, but where nobody looks. Does nothing where servers are given.

    Raises:
        StackError: something could not be fetched; the message says what, and what to do.
    """
    if os.environ.get("YIPAN_STACK", "embedded") == "embedded":
        fetch(cache_folder(), print_progress)


def variables() -> dict[str, str]:
    """Return what of our environment says which servers to use."""
    return {name: os.environ[name] for name in VARIABLES if name in os.environ}


def _given() -> Servers:
    try:
        return Servers(os.environ["YIPAN_KAFKA_BOOTSTRAP"], os.environ["YIPAN_POSTGRES_URL"])
    except KeyError as missing:
        raise StackError(f"YIPAN_STACK=urls needs {missing.args[0]}") from None


def _create_database(admin_url: str, name: str) -> str:
    parts = urlsplit(admin_url)
    secret = unquote(parts.password or "").encode()
    password = hmac.new(secret, name.encode(), hashlib.sha256).hexdigest()[:32]
    role = sql.Identifier(name)
    with psycopg.connect(admin_url, autocommit=True) as admin:
        if not admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone():
            statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
            admin.execute(statement.format(role, sql.Literal(password)))
        if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
            admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))
            admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(role))
    address = f"{name}:{password}@{parts.hostname}:{parts.port or 5432}"
    return urlunsplit((parts.scheme, address, f"/{name}", parts.query, ""))
