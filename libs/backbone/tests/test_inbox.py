"""Records through the inbox on a real database: position, sequence, atomicity, order."""

import asyncio

from backbone_sample import NOW, TRACE, Lanes, Sighed, State, cancelled, placed

from backbone import Inbox
from backbone.positions import EPOCH_BITS, Leap


async def test_a_batch_is_applied_once_however_often_it_comes(inbox: Inbox, state: State) -> None:
    records = Lanes().write(*(placed(f"o{i}") for i in range(20)))
    applied = [(await inbox.apply(records)).applied for _ in range(3)]
    assert applied == [20, 0, 0]
    assert len(await state.effects()) == 20
    assert (await state.counts())["applied"] == 20


async def test_events_follow_in_the_same_transaction(inbox: Inbox, state: State) -> None:
    await inbox.apply(Lanes().write(placed("a", 1), placed("a", 2), trace=TRACE))
    rows = await state.rows("SELECT * FROM outbox_event ORDER BY seq")
    assert [row["seq"] for row in rows] == [1, 2]
    assert {row["dataschema"] for row in rows} == {"Counted/1"}
    assert {row["traceparent"] for row in rows} == {TRACE}
    assert {row["key"] for row in rows} == {"a"}


async def test_an_event_has_no_trace_of_another_key(inbox: Inbox, state: State) -> None:
    lanes = Lanes()
    await inbox.apply([*lanes.write(placed("a"), trace=TRACE), *lanes.write(placed("b"))])
    rows = await state.rows("SELECT key, traceparent FROM outbox_event")
    assert {(row["key"], row["traceparent"]) for row in rows} == {("a", TRACE), ("b", None)}


async def test_a_key_keeps_its_sequence_over_types(inbox: Inbox, state: State) -> None:
    sighed = Sighed(occurred_at=NOW, order_id="a")
    first = [placed("a", 1), cancelled("a", 2), placed("b", 1), placed("a", 3)]
    await inbox.apply(Lanes().write(*first, sighed, cancelled("a", 4), cancelled("b", 2)))
    assert await state.numbers("a") == [1, 2, 3, 4]
    assert await state.numbers("b") == [1, 2]
    assert (await state.counts())["applied"] == 7


async def test_a_hole_is_not_passed(inbox: Inbox, state: State) -> None:
    first, lost, last = Lanes().write(placed("a", 1), placed("a", 2), placed("a", 3))
    lane = (last.topic, last.partition)
    log = Lanes(offsets={lane: 1})
    applied = await inbox.apply([first, log.place(last)])
    assert applied.holes == {lane: 2}
    assert await state.numbers("a") == [1]
    applied = await inbox.apply([log.place(lost), log.place(last)])
    assert not applied.holes
    assert await state.numbers("a") == [1, 2, 3]
    counts = await state.counts()
    assert (counts["consumed"], counts["applied"], counts["duplicates"]) == (4, 3, 1)


async def test_a_gap_of_offsets_is_sought(inbox: Inbox, state: State) -> None:
    records = Lanes().write(placed("a", 1), placed("a", 2), placed("a", 3))
    lane = (records[0].topic, records[0].partition)
    applied = await inbox.apply([records[0], records[2]])
    assert applied.seeks == {lane: 1}
    assert await state.numbers("a") == [1]
    assert (await inbox.apply([records[0]])).seeks == {}
    await inbox.apply(records)
    assert (await inbox.apply(records[:2])).seeks == {lane: 3}


async def test_a_new_reader_starts_where_the_log_does(inbox: Inbox, state: State) -> None:
    records = Lanes().write(*(placed("a", number) for number in range(1, 6)))
    lane = (records[0].topic, records[0].partition)
    assert (await inbox.apply(records[3:])).seeks == {lane: 0}
    await inbox.apply(records[3:], {lane: Leap(0, 3, adopt=True)})
    assert await state.numbers("a") == [4, 5]


async def test_a_leap_is_refused_when_the_cursor_has_moved(inbox: Inbox, state: State) -> None:
    records = Lanes().write(*(placed("a", number) for number in range(1, 6)))
    lane = (records[0].topic, records[0].partition)
    await inbox.apply(records[:1])
    await inbox.apply(records[3:], {lane: Leap(0, 3, adopt=True)})
    assert await state.numbers("a") == [1]


async def test_a_later_epoch_starts_anew(inbox: Inbox, state: State) -> None:
    log = Lanes()
    first = log.write(placed("a", 1), placed("a", 2))
    lane = (first[0].topic, first[0].partition)
    await inbox.apply(first)
    log.sequences[lane] = 1 << EPOCH_BITS
    await inbox.apply(log.write(placed("a", 3), placed("a", 4)))
    log.sequences[lane] = 2
    await inbox.apply(log.write(placed("a", 5)))
    assert await state.numbers("a") == [1, 2, 3, 4]


async def test_two_replicas_apply_a_batch_once(
    inbox: Inbox, state: State, second_inbox: Inbox
) -> None:
    records = Lanes().write(*(placed(f"o{i % 7}", i) for i in range(100)))
    outcomes = await asyncio.gather(
        *(
            each.apply(records[: 10 * turn])
            for turn in range(1, 11)
            for each in (inbox, second_inbox)
        )
    )
    assert sum(outcome.applied for outcome in outcomes) == 100
    assert len(await state.effects()) == 100
