"""A private Kafka and PostgreSQL, which these tests may stop and kill."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from backbone import Database
from embedded import start
from embedded.stack import Stack

sys.path.insert(0, str(Path(__file__).parent))

from backbone_sample import (
    DDL,
    TABLES,
    State,
    back_consumer,
    back_outbox,
)

from backbone.inbox import Inbox
from backbone.parking import Sweeper


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with start(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture(scope="session")
def dsn(stack: Stack) -> str:
    return stack.create_database("back")


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    """The back's database, empty."""
    async with Database(dsn, back_outbox()) as database:
        async with database.transaction() as tx:
            await tx.execute(DDL)
            await tx.execute(f"TRUNCATE {', '.join(TABLES)} RESTART IDENTITY")
        yield database


@pytest.fixture
def inbox(database: Database) -> Inbox:
    return Inbox(back_consumer(), database)


@pytest.fixture
def second_inbox(database: Database) -> Inbox:
    return Inbox(back_consumer(), database)


@pytest.fixture
def sweeper(database: Database) -> Sweeper:
    return Sweeper(back_consumer(), database)


@pytest.fixture
def state(database: Database) -> State:
    return State(database)
