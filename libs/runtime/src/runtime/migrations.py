"""A service's tables: the backbone's first, then the service's own revisions, one by one.

Revisions lie in the service's package as `migrations/versions/0001_<what>.py`, numbered without
gaps, each with `revision`, `down_revision` and an `upgrade` that calls `op.execute` with SQL.
Alembic runs them; there is no `env.py`, because every service would have the same.
"""

import hashlib
import re
from importlib.resources import files
from pathlib import Path

import asyncpg

from backbone import BACKBONE_DDL

BACKBONE_DIGEST = hashlib.sha256(BACKBONE_DDL.encode()).hexdigest()

_STATE = """
SELECT (SELECT digest FROM schema_step WHERE name = 'backbone') AS backbone,
       (SELECT max(version_num) FROM alembic_version) AS revision
"""
_FILE = re.compile(r"(?P<revision>[0-9]{4})_[a-z0-9_]+\.py")


class MigrationError(RuntimeError):
    """The revisions of a service do not form a line."""


def revisions(package: str) -> list[str]:
    """Return the numbers of a service's revisions, first to last, from the names of the files."""
    found = sorted(
        match["revision"]
        for path in (_folder(package) / "versions").glob("*.py")
        if (match := _FILE.fullmatch(path.name)) is not None
    )
    if found != [f"{number:04}" for number in range(1, len(found) + 1)]:
        raise MigrationError(f"{package}: revisions are not numbered 0001, 0002, ...: {found}")
    return found


async def is_current(connection: "asyncpg.Connection[asyncpg.Record]", package: str) -> bool:
    """Tell whether a database has all that this version of the service needs, or more."""
    try:
        row = await connection.fetchrow(_STATE)
    except asyncpg.UndefinedTableError:
        return False
    if row is None or row["backbone"] != BACKBONE_DIGEST:
        return False
    applied: str = row["revision"] or ""
    return applied >= "".join(revisions(package)[-1:])


def migrate(database_url: str, package: str) -> list[str]:
    """Bring a database up to date and return the revisions that were applied.

    Each revision is a transaction; one that must be outside of any (CREATE INDEX CONCURRENTLY) uses
    Alembic's `autocommit_block`. Several starters are safe: they wait for each other. The
    backbone's tables are written so that its DDL can run again over an older version of them, which
    it does whenever it has changed.
    """
    # Alembic and SQLAlchemy take 33 MB and a second to import, which a running service never needs.
    from runtime import upgrading  # noqa: PLC0415

    return upgrading.upgrade(database_url, _folder(package), revisions(package))


def _folder(package: str) -> Path:
    return Path(str(files(package))) / "migrations"
