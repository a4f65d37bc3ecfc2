"""Migrations: the backbone's tables and a service's, once and in order, whoever starts."""

import shutil
import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import psycopg
import pytest

from runtime import migrations
from runtime.migrations import MigrationError, is_current, migrate, revisions
from testbed.databases import Databases

FIRST = """
CREATE TABLE stock (
    sku text PRIMARY KEY CHECK (sku NOT LIKE '%x%%y'),
    reserved_units int NOT NULL DEFAULT 0
);
CREATE FUNCTION quoted(name text) RETURNS text LANGUAGE sql AS
    $$ SELECT format('%I :name', name) $$;
INSERT INTO stock (sku) VALUES ('a'), ('b')
"""
SECOND = "ALTER TABLE stock ADD on_hand_units int NOT NULL DEFAULT 0"


class Package:
    """A package with revisions, importable while a test runs."""

    name = "migrating_sample"

    def __init__(self, folder: Path) -> None:
        self.versions = folder / self.name / "migrations" / "versions"
        self.versions.mkdir(parents=True)
        (folder / self.name / "__init__.py").touch()

    def add(self, number: int, sql: str, *, inside: int | None = None) -> None:
        """Add a revision; `inside` is the number that it gives itself."""
        before = f'"{number - 1:04}"' if number > 1 else "None"
        (self.versions / f"{number:04}_step.py").write_text(
            f'"""A step."""\nfrom alembic import op\nrevision = "{inside or number:04}"\n'
            f'down_revision = {before}\n\ndef upgrade() -> None:\n    op.execute("""{sql}""")\n',
            encoding="utf-8",
        )


@pytest.fixture
def package(tmp_path: Path) -> Generator[Package]:
    sys.path.insert(0, str(tmp_path))
    yield Package(tmp_path)
    sys.path.remove(str(tmp_path))
    sys.modules.pop(Package.name, None)


@pytest.fixture
def url(databases: Databases, request: pytest.FixtureRequest) -> Generator[str]:
    url = databases.create_empty(f"m{abs(hash(request.node.name)) % 10**8}")
    yield url
    databases.drop(url)


async def state_of(url: str, package: Package) -> bool:
    connection = await asyncpg.connect(url)
    try:
        return await is_current(connection, package.name)
    finally:
        await connection.close()


def fetch(url: str, sql: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(sql.encode()).fetchall()


async def test_an_empty_database_gets_everything_and_a_full_one_nothing(
    url: str, package: Package
) -> None:
    package.add(1, FIRST)
    assert not await state_of(url, package)
    assert migrate(url, package.name) == ["0001"]
    assert await state_of(url, package)
    package.add(2, SECOND)
    assert not await state_of(url, package)
    assert migrate(url, package.name) == ["0002"]
    assert migrate(url, package.name) == []
    assert await state_of(url, package)
    assert fetch(url, "SELECT sku, on_hand_units FROM stock ORDER BY 1") == [("a", 0), ("b", 0)]
    assert fetch(url, "SELECT count(*) FROM outbox") == [(0,)]


def test_percent_signs_and_colons_reach_the_database_as_written(url: str, package: Package) -> None:
    package.add(1, FIRST)
    migrate(url, package.name)
    assert fetch(url, "SELECT quoted('a b')") == [('"a b" :name',)]
    [(check,)] = fetch(
        url,
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conrelid = 'stock'::regclass AND contype = 'c'",
    )
    assert "%x%%y" in str(check)


async def test_a_revision_that_fails_leaves_nothing_of_itself(url: str, package: Package) -> None:
    package.add(1, FIRST)
    package.add(2, "CREATE TABLE half (x int); SELECT 1 / 0")
    with pytest.raises(Exception, match="division by zero"):
        migrate(url, package.name)
    assert fetch(url, "SELECT to_regclass('stock') IS NULL, to_regclass('half')") == [(False, None)]
    assert not await state_of(url, package)
    package.add(2, SECOND)
    assert migrate(url, package.name) == ["0002"]
    assert await state_of(url, package)


def test_a_revision_may_leave_its_transaction(url: str, package: Package) -> None:
    package.add(1, FIRST)
    (package.versions / "0002_index.py").write_text(
        '"""An index of a table in use."""\nfrom alembic import op\n'
        'revision = "0002"\ndown_revision = "0001"\n\ndef upgrade() -> None:\n'
        "    with op.get_context().autocommit_block():\n"
        '        op.execute("CREATE INDEX CONCURRENTLY by_units ON stock (reserved_units)")\n',
        encoding="utf-8",
    )
    assert migrate(url, package.name) == ["0001", "0002"]
    assert fetch(url, "SELECT to_regclass('by_units') IS NULL") == [(False,)]


def test_two_starters_apply_each_revision_once(url: str, package: Package) -> None:
    package.add(1, FIRST + "; SELECT pg_sleep(0.3)")
    package.add(2, SECOND)
    with ThreadPoolExecutor(4) as starters:
        running = [starters.submit(migrate, url, package.name) for _ in range(4)]
        applied = [each.result() for each in running]
    assert sorted(applied) == [[], [], [], ["0001", "0002"]]


async def test_a_newer_backbone_is_applied_again(
    url: str, package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    package.add(1, FIRST)
    migrate(url, package.name)
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE schema_step SET digest = 'of an older version'")
        connection.execute("DROP TABLE scheduled")
    assert not await state_of(url, package)
    assert migrate(url, package.name) == []
    assert await state_of(url, package)
    assert fetch(url, "SELECT count(*) FROM scheduled") == [(0,)]
    monkeypatch.setattr(migrations, "BACKBONE_DIGEST", "of a newer version")
    assert not await state_of(url, package)


async def test_a_database_ahead_of_the_program_is_current(url: str, package: Package) -> None:
    package.add(1, FIRST)
    package.add(2, SECOND)
    migrate(url, package.name)
    (package.versions / "0002_step.py").unlink()
    shutil.rmtree(package.versions / "__pycache__", ignore_errors=True)
    assert await state_of(url, package)


def test_numbers_with_a_gap_or_that_differ_inside_are_refused(url: str, package: Package) -> None:
    package.add(1, FIRST)
    package.add(3, SECOND)
    with pytest.raises(MigrationError, match="0003"):
        revisions(package.name)
    (package.versions / "0003_step.py").unlink()
    package.add(1, FIRST, inside=7)
    with pytest.raises(MigrationError, match="0007"):
        migrate(url, package.name)
