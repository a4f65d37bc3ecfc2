"""The whole process on a real broker: logs that begin late, end early, or hold transactions."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Self

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import (
    AIOKafkaAdminClient,
    NewTopic,
    RecordsToDelete,
)
from backbone_sample import DDL, NOW, SAVE_EFFECTS, TABLES, Placed, State, find_shut_doors, placed

from backbone import (
    Batch,
    Consumer,
    Database,
    Hub,
    Limits,
    Outbox,
    Outcome,
    RawRecord,
    Schedule,
    Transaction,
    hub,
)
from backbone.failures import LaneRefusedError, StalledError
from backbone.lanes import raise_epochs, skip_to
from contracts.event import Event
from contracts.topics import Topic
from embedded.stack import Stack

LATE = Topic("late.orders", "late", "order_id", 2, (Placed,))
MAIL = Topic("mail.letters", "mail", "", 1, (), sequenced=False)
WITHIN_S = 20.0


def late_consumer() -> Consumer:
    """Return a consumer of its own group and of both topics."""
    consumer = Consumer("late")

    @consumer.on(LATE, Placed, waits_for=find_shut_doors)
    async def count(batch: Batch[Placed], tx: Transaction) -> Sequence[Event]:
        events = batch.events
        columns = [e.order_id for e in events], [e.number for e in events]
        await tx.execute(SAVE_EFFECTS, ["placed"] * len(events), *columns)
        return []

    @consumer.on(MAIL, RawRecord)
    async def keep(batch: Batch[RawRecord], tx: Transaction) -> Sequence[Event]:
        bodies = [(each.value or b"").decode() for each in batch.events]
        await tx.execute(SAVE_EFFECTS, ["mail"] * len(bodies), bodies, [0] * len(bodies))
        return []

    assert count
    assert keep
    return consumer


@pytest.fixture
async def late(stack: Stack) -> AsyncIterator[Database]:
    """A service that writes a topic and reads it itself, which none of ours does; both empty."""
    dsn = stack.create_database("late")
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.bootstrap)
    await admin.start()
    topics = [LATE, MAIL]
    if LATE.name in await admin.list_topics():
        await admin.delete_topics([topic.name for topic in topics])
        while set(await admin.list_topics()) & {topic.name for topic in topics}:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await admin.create_topics([NewTopic(t.name, t.partitions, 1) for t in topics])
    await admin.close()
    async with Database(dsn, Outbox("late", lambda _: LATE)) as database:
        async with database.transaction() as tx:
            await tx.execute(DDL)
            await tx.execute(f"TRUNCATE {', '.join(TABLES)} RESTART IDENTITY")
        yield database


class Running:
    """A hub that runs in the test's own loop."""

    def __init__(self, database: Database, stack: Stack, stall_s: float = 15) -> None:
        limits = Limits(stall_s=stall_s)
        self.hub = Hub(database, stack.bootstrap, late_consumer(), limits=limits)
        self.task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self.hub.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.task is not None
        self.task.cancel()
        with suppress(asyncio.CancelledError, ExceptionGroup):
            await self.task

    async def until(self, is_so: Callable[[], object]) -> None:
        """Wait for something, or for the hub's failure."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                found = is_so()
                if asyncio.iscoroutine(found):
                    found = await found
                if found:
                    return
                assert self.task is not None
                if self.task.done():
                    await self.task
                await asyncio.sleep(0.05)

    async def failure(self) -> BaseException:
        """Wait for the hub to fail, and return why."""
        assert self.task is not None
        with pytest.raises(ExceptionGroup) as caught:
            await asyncio.wait_for(self.task, WITHIN_S)
        found: BaseException = caught.value
        while isinstance(found, BaseExceptionGroup):
            found = found.exceptions[0]
        return found.__cause__ or found


async def publish(database: Database, numbers: Sequence[int], order_id: str = "a") -> None:
    """Place events, one a transaction; the relay of a running hub sends them."""
    for number in numbers:

        async def place(_tx: Transaction, _now: object, number: int = number) -> Outcome[None]:
            return Outcome(None, [placed(order_id, number)])

        await database.perform(place)


async def forget_records(stack: Stack, before_offset: int) -> None:
    """Delete the older records of the lane of order `a`."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.bootstrap)
    await admin.start()
    lane = TopicPartition(LATE.name, LATE.partition_of("a"))
    await admin.delete_records({lane: RecordsToDelete(before_offset=before_offset)})
    await admin.close()


async def test_a_process_becomes_ready_and_keeps_up(late: Database, stack: Stack) -> None:
    state = State(late)
    async with Running(late, stack) as running:
        progress = running.hub.progress
        loop = asyncio.get_running_loop()
        assert progress.problems(loop.time())
        await running.until(lambda: not progress.problems(loop.time()))
        await publish(late, range(10))
        await running.until(lambda: progress.applied_events == 10)
        await running.until(lambda: progress.lag_events == 0 and progress.outbox_events == 0)
        await running.until(lambda: len(progress.assigned) == 3)
    assert await state.numbers("a") == [*range(10)]


async def test_what_waits_is_found_without_any_event(late: Database, stack: Stack) -> None:
    state = State(late)

    async def place(_tx: Transaction, _now: object) -> Outcome[None]:
        return Outcome(None, [placed("a", 1, door_id="x"), placed("a", 2)])

    async with Running(late, stack) as running:
        await late.perform(place)
        await running.until(lambda: running.hub.progress.parked_events == 2)
        await state.run("INSERT INTO door VALUES ('x')")
        async with asyncio.timeout(5):
            await running.until(lambda: _has(state, "a", [1, 2]))


async def test_a_new_reader_starts_at_the_log_s_begin(late: Database, stack: Stack) -> None:
    state = State(late)
    async with Running(late, stack) as running:
        await publish(late, range(10))
        await running.until(lambda: running.hub.progress.applied_events == 10)
    await forget_records(stack, 6)
    await state.run("TRUNCATE inbound, effect")
    async with Running(late, stack) as running:
        await running.until(lambda: running.hub.progress.applied_events == 4)
        assert not running.hub.progress.paused
    assert await state.numbers("a") == [6, 7, 8, 9]


async def test_records_deleted_unread_pause_their_lane(late: Database, stack: Stack) -> None:
    state = State(late)
    lane = (LATE.name, LATE.partition_of("a"))
    async with Running(late, stack) as running:
        await publish(late, range(10))
        await running.until(lambda: running.hub.progress.applied_events == 10)
    await forget_records(stack, 6)
    await state.run("UPDATE inbound SET next_offset = 3, last_seq = 3")
    async with Running(late, stack) as running:
        progress = running.hub.progress
        await running.until(lambda: lane in progress.paused)
        await publish(late, [1, 2], "other")
        await running.until(lambda: state.numbers("other"))
        reasons = progress.problems(asyncio.get_running_loop().time())
        assert any("records from 3 to 6 were deleted" in reason for reason in reasons)
    assert len(await state.numbers("a")) == 10
    async with late.transaction() as tx:
        assert await skip_to(tx, lane, 6, "they are lost") == 3
        with pytest.raises(ValueError, match="stands at 6"):
            await skip_to(tx, lane, 6, "again")
    async with Running(late, stack) as running:
        await running.until(lambda: running.hub.progress.lag_events == 0)
        await running.until(lambda: _has(state, "a", [*range(10), 6, 7, 8, 9]))


async def _has(state: State, order_id: str, numbers: list[int]) -> bool:
    return await state.numbers(order_id) == numbers


async def test_a_log_that_ends_before_the_cursor_is_refused(
    late: Database, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = State(late)
    monkeypatch.setattr(hub, "RECREATED_AFTER_S", 0.5)
    async with Running(late, stack) as running:
        await publish(late, range(3))
        await running.until(lambda: running.hub.progress.applied_events == 3)
        await state.run("UPDATE inbound SET next_offset = 7")
        await publish(late, [3])
        failure = await running.failure()
    assert isinstance(failure, LaneRefusedError)
    assert "before the cursor 7" in str(failure)
    async with Running(late, stack) as running:
        failure = await running.failure()
    assert isinstance(failure, LaneRefusedError)
    assert "logs end before their cursors" in str(failure)


async def test_a_restored_producer_goes_on_in_a_later_epoch(late: Database, stack: Stack) -> None:
    state = State(late)
    async with Running(late, stack) as running:
        await publish(late, range(5))
        await running.until(lambda: running.hub.progress.applied_events == 5)
        await state.run("UPDATE outbound SET last_seq = 2")
        async with late.transaction() as tx:
            await raise_epochs(tx)
        await publish(late, [5, 6])
        await running.until(lambda: running.hub.progress.applied_events == 7)
    assert await state.numbers("a") == [*range(7)]


async def test_transactions_of_strangers_are_read_when_committed(
    late: Database, stack: Stack
) -> None:
    state = State(late)
    async with Running(late, stack, stall_s=3) as running:
        producer = AIOKafkaProducer(
            bootstrap_servers=stack.bootstrap, transactional_id="a-stranger"
        )
        await producer.start()
        for turn in range(6):
            await producer.begin_transaction()
            await producer.send_and_wait(MAIL.name, b"letter-%d" % turn)
            await producer.send_and_wait(MAIL.name, b"copy-%d" % turn)
            await (producer.abort_transaction if turn == 2 else producer.commit_transaction)()
        await producer.stop()
        await running.until(lambda: running.hub.progress.applied_events == 10)
        await running.until(lambda: running.hub.progress.lag_events == 0)
        await asyncio.sleep(4)  # longer than a stall: markers at the end are no lag
        assert running.task is not None
        assert not running.task.done()
    bodies = [order for _, order, _ in await state.effects()]
    assert bodies == [f"{kind}-{n}" for n in (0, 1, 3, 4, 5) for kind in ("letter", "copy")]


async def test_a_relay_that_cannot_publish_ends_the_process(late: Database, stack: Stack) -> None:
    async with Running(late, stack, stall_s=3) as running:
        await running.until(lambda: running.hub.progress.is_consuming)
        async with late.transaction() as tx:
            staged = late.outbox.stage([placed("a")])
            nowhere = [each._replace(lane=("no.such.topic", 0)) for each in staged]
            await late.outbox.append(tx, nowhere, NOW)
        failure = await running.failure()
    assert isinstance(failure, StalledError)
    assert "1 events are not published" in str(failure)


async def test_a_task_that_ends_ends_the_process(late: Database, stack: Stack) -> None:
    async def server() -> None:
        await asyncio.sleep(0.2)

    serving = Hub(late, stack.bootstrap, Consumer("late"))
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(serving.serve(server()), WITHIN_S)
    assert "loop has ended" in str(caught.value.exceptions[0])


async def test_a_scheduled_task_runs_once_a_period(late: Database, stack: Stack) -> None:
    runs: list[object] = []
    failures: list[object] = []
    schedule = Schedule()

    @schedule.every(0.5)
    async def tick(_tx: Transaction, now: object) -> Sequence[Event]:
        runs.append(now)
        return [placed("tick", len(runs))]

    @schedule.every(0.3)
    async def fail(_tx: Transaction, now: object) -> Sequence[Event]:
        failures.append(now)
        raise ZeroDivisionError

    hubs = [Hub(late, stack.bootstrap, None, schedule) for _ in range(3)]
    tasks = [asyncio.create_task(each.run()) for each in hubs]
    await asyncio.sleep(2.8)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert 4 <= len(runs) <= 6
    assert len(failures) > 6
    assert any("fail" in each.progress.failed_tasks for each in hubs)
    assert tick
    assert fail
    (row,) = await State(late).rows("SELECT last_seq FROM outbound")
    assert row["last_seq"] == len(runs)
