"""The testbed on a real service, quota, and on handlers made for the purpose."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import asyncpg
import httpx
import pytest

from backbone import Batch, Consumer, Database, Outcome, RawRecord, Schedule, Transaction
from contracts.event import Event
from contracts.holds import QuotaExpired, QuotaGranted
from contracts.orders import CancellationRequested, OrderAccepted, Scenario
from contracts.topics import CONNECTORS_ORDERS, INGEST_ORDERS, QUOTA_HOLDS
from contracts.values import Place, Service
from testbed.bench import Bench
from testbed.broker import Broker
from testbed.clock import START, Clock
from testbed.databases import Databases
from testbed.running import RunningService
from testbed.servers import Servers

EMPTY = "SELECT count(*) FROM dead_letter"


@pytest.fixture
def package() -> str:
    return "quota"


def cancellation(order_id: str, reason: str = "changed their mind") -> CancellationRequested:
    return CancellationRequested(
        occurred_at=START,
        order_id=order_id,
        request_id=f"{order_id}-c",
        lines=None,
        reason=reason,
        requested_by="consumer",
    )


def order(order_id: str) -> OrderAccepted:
    return OrderAccepted(
        occurred_at=START,
        order_id=order_id,
        order_version=1,
        brand_id="brand",
        channel="web",
        shop_id="shop",
        channel_order_number=order_id,
        scenario=Scenario.BRAND_DIRECT,
        seller_id="brand",
        agreement_id="agreement",
        agreement_version=1,
        limit_account_id=None,
        currency="CNY",
        lines=(),
        service=Service.SHIP,
        place=Place(region_code="CN-310109"),
        consumer_ref="consumer",
        placed_at=START,
        paid_at=START,
    )


def expired(event: CancellationRequested, now: datetime) -> QuotaExpired:
    return QuotaExpired(occurred_at=now, order_id=event.order_id, account_id="a")


def make_consumer() -> Consumer:
    """Return handlers that answer cancellations and strangers, and fail on request."""
    consumer = Consumer("quota")

    async def waits(batch: Batch[CancellationRequested], tx: Transaction) -> Mapping[int, str]:
        known = await tx.fetchval("SELECT count(*) FROM scheduled WHERE name = 'known'")
        wanted = [i for i, event in enumerate(batch.events) if event.reason == "waits"]
        return {} if known else dict.fromkeys(wanted, "name:known")

    @consumer.on(INGEST_ORDERS, CancellationRequested, waits_for=waits)
    async def answer(batch: Batch[CancellationRequested], _: Transaction) -> Sequence[Event]:
        if any(event.reason == "fails" for event in batch.events):
            raise ValueError("as asked")
        return [expired(event, batch.now) for event in batch.events]

    @consumer.on(CONNECTORS_ORDERS, RawRecord)
    async def greet(batch: Batch[RawRecord], _: Transaction) -> Sequence[Event]:
        texts = [(each.value or b"").decode() for each in batch.events]
        return [expired(cancellation(text), batch.now) for text in texts]

    return consumer


async def test_events_in_give_events_out(apply: Bench) -> None:
    consumer = make_consumer()
    outgoing = await apply(consumer, [cancellation("o1"), cancellation("o1")])
    assert outgoing == [expired(cancellation("o1"), START)] * 2
    assert await apply(consumer, [cancellation("o2")]) == [expired(cancellation("o2"), START)]


async def test_the_clock_stands_until_it_is_moved(apply: Bench, clock: Clock) -> None:
    later = clock.advance(days=1, seconds=30)
    assert (later - START).total_seconds() == 86_430
    (event,) = await apply(make_consumer(), [cancellation("o1")])
    assert event.occurred_at == later


async def test_a_dead_letter_nobody_expected_fails_the_test(apply: Bench) -> None:
    with pytest.raises(AssertionError, match=r"1 dead letters: .*as asked"):
        await apply(make_consumer(), [cancellation("o1", "fails")])


async def test_an_expected_dead_letter_can_be_looked_at(apply: Bench) -> None:
    events = [cancellation("o1", "fails"), cancellation("o2")]
    outgoing = await apply(make_consumer(), events, dead_count=1)
    assert outgoing == [expired(events[1], START)]
    assert await apply.dead_letters() == ["ValueError: as asked"]


async def test_parked_events_are_told_and_swept(apply: Bench, database: Database) -> None:
    consumer = make_consumer()
    waiting = cancellation("o1", "waits")
    assert await apply(consumer, [waiting]) == []
    assert await apply.parked() == ["name:known"]
    async with database.transaction() as tx:
        await tx.execute("INSERT INTO scheduled VALUES ('known', now())")
    assert await apply.sweep(consumer) == [expired(waiting, START)]
    assert await apply.parked() == []


async def test_a_stranger_writes_bytes(apply: Bench) -> None:
    (event,) = await apply.raw(make_consumer(), CONNECTORS_ORDERS, b"o9", key=b"k")
    assert event == expired(cancellation("o9"), START)


async def test_scheduled_tasks_run_when_told(apply: Bench) -> None:
    schedule = Schedule()

    @schedule.every(3600)
    async def end(tx: Transaction, now: datetime) -> Sequence[Event]:
        assert await tx.fetchval("SELECT 1") == 1
        return [expired(cancellation("o1"), now)]

    assert end
    assert len(await apply.tick(schedule)) == 1


async def test_what_a_command_publishes_is_seen_once(apply: Bench, database: Database) -> None:
    async def command(_: Transaction, now: datetime) -> Outcome[str]:
        return Outcome("done", [expired(cancellation("o1"), now)])

    assert await database.perform(command) == "done"
    assert len(await apply.outgoing()) == 1
    assert await apply.outgoing() == []


@pytest.mark.parametrize("turn", [1, 2])
async def test_every_test_has_an_empty_database(apply: Bench, turn: int) -> None:
    assert turn
    assert await apply.dead_letters() == []
    await apply(make_consumer(), [cancellation("o1", "fails")], dead_count=1)


async def test_a_service_is_no_superuser(database: Database) -> None:
    async with database.transaction() as tx:
        assert await tx.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = user") is False


async def test_databases_leave_nothing_behind(stack: Servers) -> None:
    own = Databases(stack.admin_url)
    url = own.create("quota")
    own.create("quota")
    own.drop(url)
    own.close()
    connection = await asyncpg.connect(stack.admin_url)
    pattern = own.token + "%"
    for column, table in (("datname", "pg_database"), ("rolname", "pg_roles")):
        query = f"SELECT count(*) FROM {table} WHERE {column} LIKE $1"  # noqa: S608
        assert await connection.fetchval(query, pattern) == 0
    await connection.close()


async def test_the_client_speaks_to_the_real_application(client: httpx.AsyncClient) -> None:
    live = await client.get("/health/live")
    assert live.json() == {"status": "live"}
    missing = await client.get("/nowhere")
    assert missing.status_code == 404
    assert missing.headers["content-type"] == "application/problem+json"


async def test_a_running_service_applies_what_is_published(
    running_service: RunningService, broker: Broker
) -> None:
    await broker.publish([order("o1"), order("o2")])
    events = await broker.collect(QUOTA_HOLDS, 2)
    assert {type(event) for event in events} == {QuotaGranted}
    running_service.kill()
    await broker.publish([order("o3")])
    await running_service.start()
    assert len(await broker.collect(QUOTA_HOLDS, 3)) == 3


async def test_topics_are_empty_for_every_test(broker: Broker) -> None:
    await broker.publish([order("o1")])
    assert await broker.collect(INGEST_ORDERS, 1) == [order("o1")]
    with pytest.raises(AssertionError, match=r"1 events of 2 in ingest\.orders"):
        await broker.collect(INGEST_ORDERS, 2, timeout_s=0.5)
