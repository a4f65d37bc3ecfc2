"""Writes what became of a batch: cursors, dead letters, parked records."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from backbone.headers import pack_headers
from backbone.passage import Death, Parking, Passage, Queue
from backbone.positions import Arrival, Cursor
from backbone.records import Lane
from backbone.transaction import Transaction

# A lane's first transaction makes its row, at the log's start.
MAKE_CURSORS = """
INSERT INTO inbound (topic, partition)
SELECT * FROM unnest($1::text[], $2::int[]) ORDER BY 1, 2
ON CONFLICT DO NOTHING
"""
# Sorted, first thing in the transaction: whoever touches a lane's records holds its row.
LOCK_CURSORS = """
SELECT i.topic, i.partition, i.next_offset, i.last_seq, i.parked, i.blocking
FROM inbound AS i
JOIN unnest($1::text[], $2::int[]) AS u (topic, partition)
  ON i.topic = u.topic AND i.partition = u.partition
ORDER BY i.topic, i.partition
FOR UPDATE OF i
"""
MOVE_CURSORS = """
UPDATE inbound AS i
SET next_offset = u.next_offset, last_seq = u.last_seq, applied = i.applied + u.applied,
    duplicates = i.duplicates + u.duplicates, dead = i.dead + u.dead,
    parked = i.parked + u.parked, blocking = i.blocking + u.blocking
FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
            $7::bigint[], $8::bigint[], $9::bigint[])
    AS u (topic, partition, next_offset, last_seq, applied, duplicates, dead, parked, blocking)
WHERE i.topic = u.topic AND i.partition = u.partition
"""
FIND_HOLDS = """
SELECT u.topic, u.partition, u.queue,
       EXISTS (SELECT FROM parked AS p
               WHERE p.topic = u.topic AND p.partition = u.partition AND p.queue = u.queue)
           AS queued,
       (SELECT min(d.dead_letter_id) FROM dead_letter AS d
        WHERE d.topic = u.topic AND d.partition = u.partition AND d.key = u.queue AND d.blocks
          AND d.state IN ('open', 'redrive', 'discard')) AS dead_letter_id
FROM unnest($1::text[], $2::int[], $3::bytea[]) AS u (topic, partition, queue)
"""
SAVE_DEAD_LETTERS = """
INSERT INTO dead_letter (topic, partition, record_offset, seq, key, headers, payload, reason,
                         blocks, recorded_at)
SELECT u.*, $10 FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::bytea[],
                            $6::text[], $7::bytea[], $8::text[], $9::boolean[]) AS u
RETURNING topic, partition, record_offset, dead_letter_id
"""
# On conflict: a parked record was looked at again and waits on, for something else.
SAVE_PARKED = """
INSERT INTO parked AS p (topic, partition, record_offset, seq, queue, key, awaits, dead_letter_id,
                         headers, payload, parked_at)
SELECT u.*, $11 FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::bytea[],
                            $6::bytea[], $7::text[], $8::bigint[], $9::text[], $10::bytea[]) AS u
ON CONFLICT (topic, partition, record_offset)
DO UPDATE SET awaits = excluded.awaits, dead_letter_id = excluded.dead_letter_id
"""
REMOVE_PARKED = """
DELETE FROM parked AS p
USING unnest($1::text[], $2::int[], $3::bigint[]) AS u (topic, partition, record_offset)
WHERE p.topic = u.topic AND p.partition = u.partition AND p.record_offset = u.record_offset
"""


@dataclass(slots=True)
class Move:
    """How a lane's row changes: its cursor, and what to add to its counts."""

    cursor: Cursor
    next_offset: int
    last_seq: int
    applied: int = 0
    duplicates: int = 0
    dead: int = 0
    parked: int = 0
    blocking: int = 0

    @property
    def is_still(self) -> bool:
        """Whether nothing changes."""
        counts = (self.applied, self.duplicates, self.dead, self.parked, self.blocking)
        return self.next_offset == self.cursor.next_offset and not any(counts)


async def make_cursors(tx: Transaction, lanes: Sequence[Lane]) -> None:
    """Make the rows of lanes that are read for the first time."""
    await tx.execute(MAKE_CURSORS, *_columns(lanes))


async def lock_cursors(tx: Transaction, lanes: Sequence[Lane]) -> list[Cursor]:
    """Lock lanes, which are in sorted order, and return where they stand."""
    rows = await tx.fetch(LOCK_CURSORS, *_columns(lanes))
    return [
        Cursor((topic, partition), next_offset, last_seq, parked, blocking)
        for topic, partition, next_offset, last_seq, parked, blocking in rows
    ]


async def find_holds(tx: Transaction, queues: Sequence[Queue]) -> dict[Queue, int | None]:
    """Return those queues in which something waits; with a dead letter if only that is there."""
    rows = await tx.fetch(
        FIND_HOLDS,
        [lane[0] for lane, _ in queues],
        [lane[1] for lane, _ in queues],
        [key for _, key in queues],
    )
    return {
        ((topic, partition), queue): None if queued else dead_letter_id
        for topic, partition, queue, queued, dead_letter_id in rows
        if queued or dead_letter_id is not None
    }


async def settle(
    tx: Transaction, moves: dict[Lane, Move], arrivals: Sequence[Arrival], passage: Passage
) -> None:
    """Store what a passage made of its arrivals, and move the lanes' cursors and counts."""
    if passage.dead:
        await _save_dead_letters(tx, passage.dead, passage.now)
    changed = [parking for parking in passage.parked if not _is_unchanged(parking)]
    if changed:
        await _save_parked(tx, changed, passage.now)
    kept = {id(parking.arrival) for parking in passage.parked}
    gone = [each for each in arrivals if each.stored and id(each) not in kept]
    if gone:
        await tx.execute(
            REMOVE_PARKED, *_columns([each.lane for each in gone]), [a.raw.offset for a in gone]
        )
    _count(moves, arrivals, passage)
    await _move(tx, [move for move in moves.values() if not move.is_still])


def _count(moves: dict[Lane, Move], arrivals: Sequence[Arrival], passage: Passage) -> None:
    for arrival in arrivals:
        move = moves[arrival.lane]
        move.applied += 1
        move.parked -= arrival.stored
    for parking in passage.parked:
        move = moves[parking.arrival.lane]
        move.applied -= 1
        move.parked += 1
    for death in passage.dead:
        move = moves[death.arrival.lane]
        move.applied -= 1
        move.dead += 1
        move.blocking += death.blocks


async def _move(tx: Transaction, moves: Sequence[Move]) -> None:
    if moves:
        await tx.execute(
            MOVE_CURSORS,
            *_columns([move.cursor.lane for move in moves]),
            [move.next_offset for move in moves],
            [move.last_seq for move in moves],
            [move.applied for move in moves],
            [move.duplicates for move in moves],
            [move.dead for move in moves],
            [move.parked for move in moves],
            [move.blocking for move in moves],
        )


async def _save_dead_letters(tx: Transaction, dead: Sequence[Death], now: datetime) -> None:
    arrivals = [death.arrival for death in dead]
    rows = await tx.fetch(
        SAVE_DEAD_LETTERS,
        *_columns([arrival.lane for arrival in arrivals]),
        [arrival.raw.offset for arrival in arrivals],
        [arrival.sequence for arrival in arrivals],
        [arrival.raw.key for arrival in arrivals],
        [pack_headers(arrival.raw.headers) for arrival in arrivals],
        [arrival.raw.value for arrival in arrivals],
        [death.reason.replace("\x00", "�") for death in dead],
        [death.blocks for death in dead],
        now,
    )
    ids = {(topic, partition, offset): number for topic, partition, offset, number in rows}
    for death in dead:
        death.dead_letter_id = ids[(*death.arrival.lane, death.arrival.raw.offset)]


async def _save_parked(tx: Transaction, parked: Sequence[Parking], now: datetime) -> None:
    arrivals = [parking.arrival for parking in parked]
    await tx.execute(
        SAVE_PARKED,
        *_columns([arrival.lane for arrival in arrivals]),
        [arrival.raw.offset for arrival in arrivals],
        [arrival.sequence for arrival in arrivals],
        [arrival.queue[1] for arrival in arrivals],
        [arrival.raw.key for arrival in arrivals],
        [_awaits(parking) for parking in parked],
        [_dead_letter_id(parking) for parking in parked],
        [pack_headers(arrival.raw.headers) for arrival in arrivals],
        [arrival.raw.value for arrival in arrivals],
        now,
    )


def _is_unchanged(parking: Parking) -> bool:
    arrival = parking.arrival
    return (
        arrival.stored
        and arrival.awaits == _awaits(parking)
        and arrival.dead_letter_id == _dead_letter_id(parking)
    )


def _dead_letter_id(parking: Parking) -> int | None:
    return parking.dead_letter_id if parking.death is None else parking.death.dead_letter_id


def _awaits(parking: Parking) -> str | None:
    number = _dead_letter_id(parking)
    return parking.awaits if number is None else f"dead-letter:{number}"


def _columns(lanes: Sequence[Lane]) -> tuple[list[str], list[int]]:
    return [topic for topic, _ in lanes], [partition for _, partition in lanes]
