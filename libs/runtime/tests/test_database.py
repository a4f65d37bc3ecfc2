"""The way into the database: what is away gets 503, what is accepted is stored whoever leaves."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime

import httpx
import pytest
from fastapi import APIRouter
from runtime_raw_http import Connection

from backbone import Database, Outbox, Outcome, Transaction, Unprocessable, current_traceparent
from runtime import clock
from runtime.api import Body, Perform, Read, StrictRoute
from runtime.fields import Id, Units
from runtime.service import Service
from runtime.serving import listen, make_server, serve
from runtime.settings import HttpSettings
from testbed.databases import Databases

router = APIRouter(route_class=StrictRoute)


class Receipt(Body):
    """Goods that arrive."""

    sku: Id
    quantity_units: Units
    wait_s: int = 0


@router.post("/receipts", status_code=201)
async def receive(receipt: Receipt, perform: Perform) -> str:
    async def command(tx: Transaction, now: datetime) -> Outcome[str]:
        await tx.execute("SELECT pg_sleep($1)", receipt.wait_s)
        await tx.execute("INSERT INTO receipt VALUES ($1, $2)", receipt.sku, now)
        if receipt.quantity_units == 13:
            raise Unprocessable(f"{receipt.sku} is not received in 13s")
        return Outcome(current_traceparent.get() or "")

    return await perform(command)


@router.get("/receipts")
async def count_receipts(read: Read) -> int:
    async with read() as tx:
        return int(await tx.fetchval("SELECT count(*) FROM receipt"))


@router.get("/wrong")
async def ask_wrongly(read: Read) -> int:
    async with read() as tx:
        return int(await tx.fetchval("SELECT count(*) FROM nowhere"))


service = Service("sample", title="Receipts", router=router)


@pytest.fixture(scope="module")
def url(databases: Databases) -> str:
    return databases.create_empty("receipts")


@pytest.fixture
async def database(url: str) -> AsyncGenerator[Database]:
    async with Database(url, Outbox("sample"), clock=clock.now) as database:
        async with database.transaction() as tx:
            await tx.execute("DROP TABLE IF EXISTS receipt")
            await tx.execute("CREATE TABLE receipt (sku text PRIMARY KEY, received_at timestamptz)")
        yield database


def client_of(database: Database) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(service.application(database))
    return httpx.AsyncClient(transport=transport, base_url="http://service")


async def test_what_is_answered_is_stored_and_what_is_refused_is_not(database: Database) -> None:
    async with client_of(database) as client:
        answer = await client.post("/receipts", json={"sku": "A", "quantity_units": 1})
        assert answer.status_code == 201
        assert answer.json() == answer.headers["traceparent"]
        answer = await client.post("/receipts", json={"sku": "B", "quantity_units": 13})
        assert answer.status_code == 422
        assert "13s" in answer.json()["detail"]
        assert (await client.get("/receipts")).json() == 1


async def test_a_fault_of_the_program_is_500(database: Database) -> None:
    async with client_of(database) as client:
        answer = await client.get("/wrong")
        assert answer.status_code == 500
        assert "nowhere" not in answer.text


async def test_a_database_that_is_away_gets_503_and_when_to_come_back() -> None:
    away = Database("postgresql://nobody@127.0.0.1:1/nothing", Outbox("sample"), clock=clock.now)
    async with away, client_of(away) as client:
        for answer in (
            await client.post("/receipts", json={"sku": "A", "quantity_units": 1}),
            await client.get("/receipts"),
        ):
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "2"
            assert "unknown" in answer.json()["detail"]


async def test_a_connection_that_is_cut_gets_503_and_the_next_request_is_served(
    database: Database,
) -> None:
    async with client_of(database) as client:
        slow = {"sku": "A", "quantity_units": 1, "wait_s": 5}
        held = asyncio.create_task(client.post("/receipts", json=slow))
        await asyncio.sleep(0.3)
        async with database.transaction() as tx:
            await tx.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()"
            )
        assert (await held).status_code == 503
        assert (await client.get("/receipts")).json() == 0


async def test_a_client_that_leaves_does_not_undo_what_it_sent(database: Database) -> None:
    settings = HttpSettings(port=0)
    listener = listen(settings)
    server = make_server(service.application(database, settings=settings), settings, 5)
    running = asyncio.create_task(serve(server, listener))
    body = b'{"sku":"A","quantity_units":1,"wait_s":1}'
    connection = await Connection.open(*listener.getsockname()[:2])
    await connection.send(
        b"POST /receipts HTTP/1.1\r\nHost: y\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    await asyncio.sleep(0.3)
    await connection.close()
    # The server stops while the command runs: it waits for it too.
    running.cancel()
    await asyncio.wait([running])
    async with database.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM receipt") == 1
