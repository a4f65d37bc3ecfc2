"""Records that wait for others: in order, found again, and never lost."""

import asyncio

from backbone_sample import NOW, ORDERS, DoorOpened, Lanes, State, cancelled, placed

from backbone import Database, Inbox
from backbone.dead_letters import ask_redrive, list_parked
from backbone.parking import CHAIN_RECORDS_MAX, HEADS_MAX, Sweeper
from backbone.records import StoredRecord


def opened(door_id: str) -> DoorOpened:
    return DoorOpened(occurred_at=NOW, door_id=door_id)


async def sweep_all(sweeper: Sweeper) -> int:
    """Sweep until nothing more comes free, as the hub does."""
    released = 0
    while found := await sweeper.sweep():
        released += found
    return released


async def test_a_record_waits_with_those_behind_it(
    inbox: Inbox, sweeper: Sweeper, state: State
) -> None:
    log = Lanes()
    first = [placed("a", 1), placed("a", 2, door_id="x"), cancelled("a", 3), placed("b", 1)]
    await inbox.apply(log.write(*first, placed("a", 4)))
    await inbox.apply(log.write(placed("a", 5, door_id="x"), placed("b", 2)))
    assert await state.numbers("a") == [1]
    assert await state.numbers("b") == [1, 2]
    assert await sweep_all(sweeper) == 0
    await inbox.apply(log.write(opened("x")))
    assert await sweep_all(sweeper) == 4
    assert await state.numbers("a") == [1, 2, 3, 4, 5]
    counts = await state.counts()
    assert (counts["applied"], counts["parked"]) == (8, 0)
    assert len(await state.published()) == 6


async def test_a_record_behind_may_wait_for_something_else(
    database: Database, inbox: Inbox, sweeper: Sweeper, state: State
) -> None:
    log = Lanes()
    await inbox.apply(log.write(placed("a", 1, door_id="x"), placed("a", 2, door_id="y")))
    await inbox.apply(log.write(opened("x"), placed("a", 3)))
    await sweep_all(sweeper)
    assert await state.numbers("a") == [1]
    async with database.transaction() as tx:
        assert [each.awaits for each in await list_parked(tx)] == ["door:y"]
    assert await state.awaits() == ["door:y", None]
    await inbox.apply(log.write(opened("y")))
    await sweep_all(sweeper)
    assert await state.numbers("a") == [1, 2, 3]


async def test_what_comes_in_one_batch_with_what_it_waits_for_needs_one_sweep(
    inbox: Inbox, sweeper: Sweeper, state: State
) -> None:
    applied = await inbox.apply(Lanes().write(placed("a", 1, door_id="x"), opened("x")))
    assert applied.has_parked
    assert await sweeper.sweep() == 1
    assert await state.numbers("a") == [1]


async def test_a_long_queue_goes_on_sweep_by_sweep(
    inbox: Inbox, sweeper: Sweeper, state: State
) -> None:
    count = 2 * CHAIN_RECORDS_MAX + 5
    log = Lanes()
    await inbox.apply(log.write(*(placed("a", n, door_id="x") for n in range(count))))
    await inbox.apply(log.write(opened("x")))
    assert await sweeper.sweep() == CHAIN_RECORDS_MAX
    await inbox.apply(log.write(placed("a", count)))
    await sweep_all(sweeper)
    assert await state.numbers("a") == [*range(count + 1)]


async def test_heads_that_wait_for_ever_do_not_starve_others(
    inbox: Inbox, sweeper: Sweeper, state: State
) -> None:
    log = Lanes()
    hopeless = [placed(f"h{each}", door_id="never") for each in range(HEADS_MAX + 50)]
    await inbox.apply(log.write(*hopeless))
    last = next(name for name in ("l1", "l2", "l3", "l4", "l5") if ORDERS.partition_of(name) == 2)
    await inbox.apply(log.write(placed(last, door_id="x"), opened("x")))
    assert [await sweeper.sweep() for _ in range(3)] == [0, 1, 0]
    assert await state.numbers(last) == [1]


async def test_hopeless_heads_are_not_written_again(
    inbox: Inbox, sweeper: Sweeper, state: State
) -> None:
    await inbox.apply(Lanes().write(*(placed(f"h{each}", door_id="never") for each in range(50))))
    before = await state.rows("SELECT xmin::text FROM parked UNION SELECT xmin::text FROM inbound")
    await sweeper.sweep()
    after = await state.rows("SELECT xmin::text FROM parked UNION SELECT xmin::text FROM inbound")
    assert before == after


async def test_a_wake_up_is_not_lost_between_transactions(
    database: Database, inbox: Inbox, sweeper: Sweeper, state: State
) -> None:
    """What opens the door commits while the order that waits for it is being parked."""
    log = Lanes()
    async with database.transaction() as tx:
        await tx.execute("INSERT INTO door VALUES ('x')")
        await inbox.apply(log.write(placed("a", 1, door_id="x")))
        assert await sweeper.sweep() == 0
    assert await sweeper.sweep() == 1
    assert await state.numbers("a") == [1]


async def test_sweeps_and_batches_of_two_replicas_keep_the_order(
    inbox: Inbox, second_inbox: Inbox, sweeper: Sweeper, state: State
) -> None:
    log = Lanes()
    batches = [
        log.write(*(placed(f"o{key}", turn, door_id=f"d{turn}") for key in range(10)))
        for turn in range(8)
    ]
    doors = [log.write(opened(f"d{turn}")) for turn in range(8)]

    async def feed(target: Inbox) -> None:
        for batch, door in zip(batches, doors, strict=True):
            await target.apply(batch)
            await target.apply(door)

    async def sweep() -> None:
        for _ in range(30):
            await sweeper.sweep()
            await asyncio.sleep(0.01)

    await asyncio.gather(feed(inbox), feed(second_inbox), sweep())
    await sweep_all(sweeper)
    for key in range(10):
        assert await state.numbers(f"o{key}") == [*range(8)]
    counts = await state.counts()
    assert (counts["applied"], counts["parked"]) == (88, 0)


async def test_poison_at_the_head_of_a_queue_holds_it(
    database: Database, inbox: Inbox, sweeper: Sweeper, state: State
) -> None:
    log = Lanes()
    first = placed("a", 1, "poison", door_id="x")
    await inbox.apply(log.write(first, placed("a", 2), placed("a", 3)))
    await inbox.apply(log.write(opened("x")))
    await sweep_all(sweeper)
    assert await state.awaits() == ["dead-letter:1", None]
    counts = await state.counts()
    assert (counts["dead"], counts["parked"], counts["blocking"]) == (1, 2, 1)
    await state.run("INSERT INTO mended VALUES ('poison')")
    async with database.transaction() as tx:
        await ask_redrive(tx, 1)
    await sweep_all(sweeper)
    assert await state.numbers("a") == [1, 2, 3]


async def test_a_dead_letter_behind_a_waiting_record_keeps_its_place(
    database: Database, inbox: Inbox, sweeper: Sweeper, state: State
) -> None:
    log = Lanes()
    waits, broken, last = log.write(placed("a", 1, door_id="x"), placed("a", 2), placed("a", 3))
    lane = (ORDERS.name, waits.partition)
    emptied = StoredRecord(*lane, broken.offset, broken.key, b"", broken.headers)
    await inbox.apply([waits, emptied, last])
    assert await state.awaits() == ["door:x", "dead-letter:1"]
    await inbox.apply(log.write(opened("x")))
    await sweep_all(sweeper)
    assert await state.numbers("a") == [1]
    await state.run("UPDATE dead_letter SET payload = $1", broken.value)
    async with database.transaction() as tx:
        await ask_redrive(tx, 1)
    await sweep_all(sweeper)
    assert await state.numbers("a") == [1, 2, 3]
