"""The bench runs a real service: here quota, whose tables and rooms are its own."""

import psycopg
import pytest

from backbone import Consumer, Database
from testbed.bench import Bench
from testbed.clock import Clock
from testbed.databases import Databases
from testbed.servers import Servers


@pytest.fixture
def package() -> str:
    return "quota"


async def test_tables(database: Database, clock: Clock) -> None:
    async with database.transaction() as tx:
        print(await tx.fetchval("select count(*) from pg_tables where schemaname='public'"))


async def test_tables2(database: Database, clock: Clock) -> None:
    async with database.transaction() as tx:
        print(await tx.fetchval("select count(*) from pg_tables where schemaname='public'"))
