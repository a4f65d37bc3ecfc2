"""A migrated, empty database for every test, copied from a template in some 20 ms."""

import secrets
from itertools import count
from typing import LiteralString
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from runtime.migrations import migrate


class Databases:
    """The databases of one test session, by the package of the service they belong to.

    Names carry a token of the session, so that sessions may share a server.
    """

    def __init__(self, admin_url: str) -> None:
        self._admin_url = admin_url
        self.token = f"test_{secrets.token_hex(3)}"
        self._password = secrets.token_hex(16)
        self._numbers = count(1)
        self._migrated: set[str] = set()
        self._made: set[str] = set()
        self._roles: list[str] = []

    def create(self, package: str) -> str:
        """Return the URL of a new database with the tables of a service, as its own role."""
        role = template = self._migrated_template(package)
        name = f"{template}_{next(self._numbers)}"
        # Copying files is seven times as fast as writing them through the log.
        self._execute(
            "CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY file_copy", name, template, role
        )
        self._made.add(name)
        return self._url(role, name)

    def create_empty(self, name: str) -> str:
        """Return the URL of a new database without tables, as its own role."""
        role = f"{self.token}_{name}"
        self._create_role(role)
        self._execute("CREATE DATABASE {} OWNER {}", role, role)
        self._made.add(role)
        return self._url(role, role)

    def drop(self, url: str) -> None:
        """Drop a database, cutting whoever is still connected."""
        name = urlsplit(url).path.removeprefix("/")
        self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
        self._made.discard(name)

    def close(self) -> None:
        """Drop what is left, templates and roles included."""
        for name in sorted(self._made, key=len, reverse=True):
            self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
        for role in self._roles:
            self._execute("DROP ROLE IF EXISTS {}", role)

    def _migrated_template(self, package: str) -> str:
        name = f"{self.token}_{package}"
        if package not in self._migrated:
            migrate(self.create_empty(package), package)
            self._migrated.add(package)
        return name

    def _create_role(self, role: str) -> None:
        statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
        self._run(statement.format(sql.Identifier(role), sql.Literal(self._password)))
        self._roles.append(role)

    def _execute(self, statement: LiteralString, *names: str) -> None:
        self._run(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _run(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._admin_url, autocommit=True) as connection:
            connection.execute(statement)

    def _url(self, role: str, database: str) -> str:
        parts = urlsplit(self._admin_url)
        address = f"{role}:{self._password}@{parts.hostname}:{parts.port}"
        return urlunsplit((parts.scheme, address, f"/{database}", parts.query, ""))
