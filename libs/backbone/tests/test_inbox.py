"""Records through the inbox on a real database: position, sequence, atomicity, order."""

from collections.abc import Sequence

import pytest
from backbone_sample import (
    TRACE,
    Counted,
    Lanes,
    Sighed,
    cancelled,
    placed,
    NOW,
)

from backbone import Database
from backbone.inbox import Inbox
from contracts.event import Event


async def effects(database: Database) -> list[tuple[str, str, int]]:
    async with database.transaction() as tx:
        rows = await tx.fetch("SELECT kind, order_id, number FROM effect ORDER BY place")
    return [(row["kind"], row["order_id"], row["number"]) for row in rows]


async def counts(database: Database) -> dict[str, int]:
    async with database.transaction() as tx:
        row = await tx.fetchrow(
            "SELECT sum(next_offset)::int AS consumed, sum(applied)::int AS applied, "
            "sum(duplicates)::int AS duplicates, sum(dead)::int AS dead, "
            "sum(parked)::int AS parked, sum(blocking)::int AS blocking FROM inbound"
        )
    return dict(row or {})


async def test_a_batch_is_applied_once_however_often_it_comes(
    database: Database, inbox: Inbox
) -> None:
    records = Lanes().write(*(placed(f"o{i}") for i in range(20)))
    for _ in range(3):
        applied = await inbox.apply(records)
    assert len(await effects(database)) == 20
    assert applied.applied == 0
    assert (await counts(database))["applied"] == 20


async def test_events_follow_in_the_same_transaction(database: Database, inbox: Inbox) -> None:
    await inbox.apply(Lanes().write(placed("a", 1), placed("a", 2), trace=TRACE))
    async with database.transaction() as tx:
        rows = await tx.fetch("SELECT * FROM outbox_event ORDER BY seq")
    assert [row["dataschema"] for row in rows] == ["Counted/1", "Counted/1"]
    assert {row["traceparent"] for row in rows} == {TRACE}
    assert {row["key"] for row in rows} == {"a"}


async def test_a_key_keeps_its_sequence_over_types(database: Database, inbox: Inbox) -> None:
    await inbox.apply(
        Lanes().write(
            placed("a", 1), cancelled("a", 2), placed("b", 1), placed("a", 3),
            Sighed(occurred_at=NOW, order_id="a"), cancelled("a", 4), cancelled("b", 2),
        )
    )  # fmt: skip
    found = await effects(database)
    assert [number for _, order, number in found if order == "a"] == [1, 2, 3, 4]
    assert [number for _, order, number in found if order == "b"] == [1, 2]


async def test_a_hole_is_not_passed(database: Database, inbox: Inbox) -> None:
    first, lost, last = Lanes().write(placed("a", 1), placed("a", 2), placed("a", 3))
    assert lost.offset == 1
    moved = Lanes(offsets={(last.topic, last.partition): 1})
    late = moved.place(last)  # type: ignore[arg-type]
    applied = await inbox.apply([first, late])
    assert applied.holes == {(last.topic, last.partition): 2}
    assert len(await effects(database)) == 1
    again = [moved.place(lost), moved.place(last)]  # type: ignore[arg-type]
    await inbox.apply(again)
    assert [number for *_, number in await effects(database)] == [1, 2, 3]
    assert await counts(database) == {
        "consumed": 4, "applied": 3, "duplicates": 1, "dead": 0, "parked": 0, "blocking": 0,
    }  # fmt: skip


async def test_a_gap_of_offsets_is_sought(database: Database, inbox: Inbox) -> None:
    records = Lanes().write(placed("a", 1), placed("a", 2), placed("a", 3))
    applied = await inbox.apply([records[0], records[2]])
    assert applied.seeks == {(records[0].topic, records[0].partition): 1}
    assert len(await effects(database)) == 1


@pytest.mark.parametrize("mood", ["poison", "unprocessable", "constraint"])
async def test_poison_is_found_among_the_good(
    database: Database, inbox: Inbox, mood: str
) -> None:
    lanes = Lanes()
    events: Sequence[Event] = [placed(f"o{i}", 1, mood if i == 13 else "") for i in range(40)]
    await inbox.apply(lanes.write(*events, placed("o13", 2), cancelled("o13", 3), placed("o1", 2)))
    await inbox.apply(lanes.write(placed("o13", 4)))
    found = await effects(database)
    assert len(found) == 40
    assert not [order for _, order, _ in found if order == "o13"]
    assert await counts(database) == {
        "consumed": 44, "applied": 40, "duplicates": 0, "dead": 1, "parked": 3, "blocking": 1,
    }  # fmt: skip
    async with database.transaction() as tx:
        awaits = await tx.fetch("SELECT awaits FROM parked ORDER BY record_offset")
    assert [row["awaits"] for row in awaits] == ["dead-letter:1", None, None]
    assert len(await tx_events(database)) == 39


async def tx_events(database: Database) -> list[str]:
    async with database.transaction() as tx:
        rows = await tx.fetch("SELECT key FROM outbox_event WHERE dataschema = $1", "Counted/1")
    assert Counted.version == 1
    return [row["key"] for row in rows]
