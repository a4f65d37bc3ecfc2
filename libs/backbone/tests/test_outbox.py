"""What a transaction publishes: refused at once, or stored whole, without gaps and in order."""

import asyncio
from contextlib import suppress
from datetime import datetime

import asyncpg
import pytest
from backbone_sample import (
    NOW,
    ORDERS,
    TRACE,
    Counted,
    Placed,
    State,
    find_topic,
    front_outbox,
    placed,
)

from backbone import Database, Outbox, Outcome, Transaction, current_traceparent
from backbone.outbox import CHUNK_EVENTS_MAX, PAYLOAD_BYTES_MAX
from contracts.topics import topic_of


def counted(order_id: str, number: int = 1) -> Counted:
    return Counted(occurred_at=NOW, order_id=order_id, number=number)


async def test_a_command_and_its_events_are_one(database: Database, state: State) -> None:
    async def fail(tx: Transaction, _now: object) -> Outcome[None]:
        await tx.execute("INSERT INTO door VALUES ('x')")
        return Outcome(None, [counted("a"), placed("a")])

    with pytest.raises(ValueError, match="back must not publish Placed"):
        await database.perform(fail)
    assert not await state.rows("SELECT FROM door")
    assert not await state.published()

    async def succeed(tx: Transaction, _now: object) -> Outcome[str]:
        await tx.execute("INSERT INTO door VALUES ('x')")
        return Outcome("done", [counted("a")])

    assert await database.perform(succeed) == "done"
    assert await state.published() == ["a"]


async def test_a_command_s_events_carry_its_trace(database: Database, state: State) -> None:
    async def command(_tx: Transaction, _now: object) -> Outcome[None]:
        return Outcome(None, [counted("a"), counted("b")])

    token = current_traceparent.set(TRACE)
    await database.perform(command)
    current_traceparent.reset(token)
    await database.perform(command)
    rows = await state.rows("SELECT traceparent FROM outbox_event ORDER BY topic, partition, seq")
    assert sorted(str(row["traceparent"]) for row in rows) == [TRACE, TRACE, "None", "None"]


def test_an_event_has_a_largest_size() -> None:
    outbox = front_outbox()
    outbox.stage([placed("a", mood="x" * (PAYLOAD_BYTES_MAX - 200))])
    with pytest.raises(ValueError, match=r"Placed/1 of a has \d+ bytes"):
        outbox.stage([placed("a", mood="x" * PAYLOAD_BYTES_MAX)])


def test_an_event_goes_to_the_partition_of_its_key() -> None:
    (staged,) = front_outbox().stage([placed("order-1")])
    assert staged.lane == (ORDERS.name, ORDERS.partition_of("order-1"))
    assert staged.key == b"order-1"
    assert staged.dataschema == "Placed/1"


def test_a_type_in_no_topic_is_refused() -> None:
    with pytest.raises(LookupError):
        Outbox("front", topic_of).stage([placed("a")])
    with pytest.raises(StopIteration):
        find_topic(type("Unheard", (Placed,), {}))


async def test_many_events_of_a_lane_are_cut_into_chunks(database: Database, state: State) -> None:
    count = 2 * CHUNK_EVENTS_MAX + 7

    async def command(_tx: Transaction, _now: object) -> Outcome[None]:
        return Outcome(None, [counted("a", number) for number in range(count)])

    await database.perform(command)
    rows = await state.rows("SELECT seq, n FROM outbox ORDER BY seq")
    assert [(row["seq"], row["n"]) for row in rows] == [(1, 1000), (1001, 1000), (2001, 7)]
    (row,) = await state.rows("SELECT last_seq FROM outbound")
    assert row["last_seq"] == count


async def test_sequences_follow_commits_without_gaps(database: Database, state: State) -> None:
    """Twelve writers, some of which roll back after they took their sequences."""

    async def write(writer: int, turn: int) -> None:
        keys = [f"k{(writer + turn + each) % 5}" for each in range(3)]

        async def command(tx: Transaction, now: datetime) -> Outcome[None]:
            staged = database.outbox.stage([counted(key) for key in keys])
            await database.outbox.append(tx, staged, now)
            await asyncio.sleep(0.001 * ((writer * 7 + turn) % 5))
            if (writer + turn) % 4 == 0:
                raise asyncpg.CheckViolationError("rolled back")
            return Outcome(None)

        with suppress(asyncpg.CheckViolationError):
            await database.perform(command)

    async def write_all(writer: int) -> None:
        for turn in range(8):
            await write(writer, turn)

    await asyncio.gather(*(write_all(writer) for writer in range(12)))
    rows = await state.rows(
        "SELECT o.topic, o.partition, last_seq, (SELECT sum(n) FROM outbox AS x "
        "WHERE (x.topic, x.partition) = (o.topic, o.partition)) AS n FROM outbound AS o"
    )
    assert sum(int(str(row["n"])) for row in rows) == 12 * 6 * 3
    assert all(row["last_seq"] == row["n"] for row in rows)
