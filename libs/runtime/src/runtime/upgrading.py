"""Alembic, driven by the program: imported by those who migrate, not by those who run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.pool import NullPool

from backbone import BACKBONE_DDL
from runtime.migrations import BACKBONE_DIGEST, MigrationError

LOCK_KEY_INDEX = 0x59495041  # "YIPA": one starter at a time migrates a database
LOCK_TIMEOUT_S = 60

_STEPS_DDL = """
CREATE TABLE IF NOT EXISTS schema_step (
    name text PRIMARY KEY,
    digest text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""
_RECORD_STEP = """
INSERT INTO schema_step (name, digest) VALUES ('backbone', %(digest)s)
ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, applied_at = now()
"""
_FIND_STEP = "SELECT digest FROM schema_step WHERE name = 'backbone'"


class PlainSql(PostgresqlImpl):
    """Sends the SQL of `op.execute` as it is written.

    Alembic would take `:name` for a parameter and double every `%`. It finds this class by the
    name of the dialect.
    """

    __dialect__ = "postgresql"

    def execute(
        self, sql: sa.Executable | str, execution_options: Mapping[str, Any] | None = None
    ) -> None:
        """Execute SQL of a revision, which may be several statements."""
        if isinstance(sql, str) and self.connection is not None:
            self.connection.exec_driver_sql(sql)
        else:
            super().execute(sql, dict(execution_options or {}))


def upgrade(database_url: str, folder: Path, expected: Sequence[str]) -> list[str]:
    """Apply what is missing, each revision in a transaction; return those applied, in order.

    A revision that fails leaves nothing of itself; the ones before it stay. `expected` are the
    revisions by the names of their files. Raises MigrationError when the files say otherwise
    inside.
    """
    engine = sa.create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(database_url, application_name="yipan migrate"),
        poolclass=NullPool,
        # Without parameters psycopg sends a text of several statements as it is.
        execution_options={"no_parameters": True},
    )
    try:
        with engine.connect() as connection:
            with connection.begin():
                # Of the session: it outlasts the transactions and ends with the connection.
                connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_TIMEOUT_S}s'")
                connection.exec_driver_sql(f"SELECT pg_advisory_lock({LOCK_KEY_INDEX})")
            with connection.begin():
                _upgrade_backbone(connection)
            return _upgrade_service(connection, folder, expected)
    finally:
        engine.dispose()


def _upgrade_backbone(connection: sa.Connection) -> None:
    connection.exec_driver_sql(_STEPS_DDL)
    if connection.exec_driver_sql(_FIND_STEP).scalar() != BACKBONE_DIGEST:
        connection.exec_driver_sql(BACKBONE_DDL)
        connection.exec_driver_sql(_RECORD_STEP, {"digest": BACKBONE_DIGEST})


def _upgrade_service(connection: sa.Connection, folder: Path, expected: Sequence[str]) -> list[str]:
    script = ScriptDirectory(folder)
    line = [revision.revision for revision in script.walk_revisions()][::-1]
    if line != list(expected):
        raise MigrationError(f"{folder}: files say {list(expected)}, revisions inside say {line}")
    applied: list[str] = []

    def missing(heads: tuple[str, ...], _: MigrationContext) -> list[Any]:
        at = line.index(heads[0]) + 1 if heads else 0
        applied.extend(line[at:])
        return script._upgrade_revs("head", heads)  # type: ignore[arg-type] # noqa: SLF001

    opts = {"fn": missing, "transaction_per_migration": True}
    context = MigrationContext.configure(connection, opts=opts)
    with Operations.context(context), context.begin_transaction():
        context.run_migrations()
    return applied
