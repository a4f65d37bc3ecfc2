"""Looks at parked records again, applies those that no longer wait, and carries out redrives."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from backbone.consumer import Consumer
from backbone.database import Database
from backbone.headers import unpack_headers
from backbone.inbox import log_dead
from backbone.outbox import Chunk
from backbone.passage import Passage, Queue
from backbone.positions import Arrival, queue_of
from backbone.reading import Reader
from backbone.records import Lane, StoredRecord
from backbone.settling import Move, lock_cursors, settle
from backbone.transaction import Transaction

HEADS_MAX = 200
CHAIN_RECORDS_MAX = 20
REQUESTS_MAX = 20
SWEEP_LOCK = 0x59495041_53574550
"""Key of the advisory lock that one sweep in a database holds."""

IS_NEEDED = """
SELECT EXISTS (SELECT FROM parked WHERE awaits IS NOT NULL AND dead_letter_id IS NULL)
    OR EXISTS (SELECT FROM dead_letter WHERE state IN ('redrive', 'discard'))
"""
FIND_REQUESTS = """
SELECT dead_letter_id, topic, partition FROM dead_letter
WHERE state IN ('redrive', 'discard') ORDER BY dead_letter_id LIMIT $1
"""
FIND_HEADS = """
SELECT topic, partition, record_offset, queue FROM parked
WHERE awaits IS NOT NULL AND dead_letter_id IS NULL
  AND (topic, partition, record_offset) > ($1, $2, $3)
ORDER BY topic, partition, record_offset LIMIT $4
"""
SETTLE_REQUESTS = """
UPDATE dead_letter
SET state = CASE state WHEN 'redrive' THEN 'redriven' ELSE 'discarded' END, settled_at = $2
WHERE dead_letter_id = ANY($1) AND state IN ('redrive', 'discard')
RETURNING dead_letter_id, topic, partition, record_offset, seq, key, headers, payload, blocks, state
"""
# A record that is tried again takes its old place, before those behind it.
PARK_AGAIN = """
INSERT INTO parked (topic, partition, record_offset, seq, queue, key, awaits, headers, payload,
                    parked_at)
VALUES ($1, $2, $3, $4, $5, $6, 'redrive', $7, $8, $9)
"""
FREE_FOLLOWERS = """
UPDATE parked SET awaits = 'turn', dead_letter_id = NULL WHERE dead_letter_id = ANY($1)
RETURNING topic, partition, queue
"""
LOAD_CHAINS = """
SELECT p.topic, p.partition, p.record_offset, p.seq, p.queue, p.key, p.awaits, p.dead_letter_id,
       p.headers, p.payload
FROM unnest($1::text[], $2::int[], $3::bytea[]) AS u (topic, partition, queue)
CROSS JOIN LATERAL (
    SELECT * FROM parked AS c
    WHERE c.topic = u.topic AND c.partition = u.partition AND c.queue = u.queue
    ORDER BY c.record_offset LIMIT $4
) AS p
ORDER BY p.topic, p.partition, p.record_offset
"""
# What is left of a long chain gets a head of its own, so that the next sweep finds it.
MARK_TURN = """
UPDATE parked AS p SET awaits = 'turn'
FROM (
    SELECT u.topic, u.partition,
           (SELECT min(c.record_offset) FROM parked AS c
            WHERE c.topic = u.topic AND c.partition = u.partition AND c.queue = u.queue) AS head
    FROM unnest($1::text[], $2::int[], $3::bytea[]) AS u (topic, partition, queue)
) AS h
WHERE p.topic = h.topic AND p.partition = h.partition AND p.record_offset = h.head
  AND p.awaits IS NULL
"""

Place = tuple[str, int, int]
BEFORE_ALL: Place = ("", 0, 0)


@dataclass(slots=True)
class _Swept:
    """What a sweep found to look at: lanes, queues, and where the next one goes on."""

    requests: list[int]
    lanes: list[Lane]
    queues: dict[Queue, None]
    goes_on: Place


class Sweeper:
    """Sweeps the parked records of one service; one replica at a time does."""

    def __init__(self, consumer: Consumer, database: Database) -> None:
        self._consumer = consumer
        self._database = database
        self._reader = Reader(consumer)
        self._after = BEFORE_ALL

    async def sweep(self) -> int:
        """Look at the next HEADS_MAX heads and apply, in order, what no longer waits.

        Goes round, so that heads that wait for ever do not starve others. Settles at most
        REQUESTS_MAX asked redrives and discards first. Returns how many records left the parked
        table; 0 also when another replica sweeps. Transient failures rise.
        """
        now = self._database.clock()
        async with self._database.transaction() as tx:
            if not await tx.fetchval(IS_NEEDED):
                return 0
            if not await tx.fetchval("SELECT pg_try_advisory_xact_lock($1)", SWEEP_LOCK):
                return 0
            swept = await self._find(tx)
            passage = Passage(self._consumer, self._database.outbox, tx, now)
            released, chunks = await self._pass(tx, swept, passage)
        self._after = swept.goes_on
        if chunks:
            self._database.committed(chunks)
        log_dead(passage.dead)
        return released

    async def _find(self, tx: Transaction) -> _Swept:
        requests = await tx.fetch(FIND_REQUESTS, REQUESTS_MAX)
        heads = await tx.fetch(FIND_HEADS, *self._after, HEADS_MAX)
        lanes = {(row["topic"], row["partition"]) for row in (*requests, *heads)}
        queues = {((row["topic"], row["partition"]), row["queue"]): None for row in heads}
        is_last = len(heads) < HEADS_MAX
        goes_on = BEFORE_ALL if is_last else tuple(heads[-1])[:3]
        return _Swept([row["dead_letter_id"] for row in requests], sorted(lanes), queues, goes_on)

    async def _pass(
        self, tx: Transaction, swept: _Swept, passage: Passage
    ) -> tuple[int, list[Chunk]]:
        """Lock the lanes, as whoever applies their records does, then take the queues through."""
        moves = {
            cursor.lane: Move(cursor, cursor.next_offset, cursor.last_seq)
            for cursor in await lock_cursors(tx, swept.lanes)
        }
        if swept.requests:
            await _settle_requests(tx, swept, moves, passage)
        arrivals = await _load_chains(tx, list(swept.queues))
        await passage.run(passage.read(self._reader, arrivals), isolate=True)
        await settle(tx, moves, arrivals, passage)
        cut = _full_queues(arrivals)
        if cut:
            await tx.execute(MARK_TURN, *_columns(cut))
        chunks = await self._database.outbox.append(tx, passage.staged, passage.now)
        return len(arrivals) - len(passage.parked), chunks


async def _settle_requests(
    tx: Transaction, swept: _Swept, moves: dict[Lane, Move], passage: Passage
) -> None:
    rows = await tx.fetch(SETTLE_REQUESTS, swept.requests, passage.now)
    again: list[tuple[object, ...]] = []
    for row in rows:
        lane: Lane = (row["topic"], row["partition"])
        moves[lane].blocking -= row["blocks"]
        if row["state"] == "discarded":
            continue
        moves[lane].dead -= 1
        moves[lane].parked += 1
        offset, key = row["record_offset"], row["key"]
        queue = queue_of(StoredRecord(*lane, offset, key, None, ()), lane)
        swept.queues[queue] = None
        again.append(
            (*lane, offset, row["seq"], queue[1], key, row["headers"], row["payload"], passage.now)
        )
    if again:
        await tx.executemany(PARK_AGAIN, again)
    freed = await tx.fetch(FREE_FOLLOWERS, [row["dead_letter_id"] for row in rows])
    swept.queues |= {((topic, partition), queue): None for topic, partition, queue in freed}


async def _load_chains(tx: Transaction, queues: Sequence[Queue]) -> list[Arrival]:
    if not queues:
        return []
    rows = await tx.fetch(LOAD_CHAINS, *_columns(queues), CHAIN_RECORDS_MAX)
    return [_arrival(row) for row in rows]


def _arrival(row: asyncpg.Record) -> Arrival:
    topic, partition, offset, sequence, queue, key, awaits, dead_letter_id, packed, payload = row
    lane = (topic, partition)
    headers = unpack_headers(packed)
    return Arrival(
        StoredRecord(topic, partition, offset, key, payload, headers),
        lane,
        sequence,
        dict(headers),
        (lane, queue),
        stored=True,
        awaits=awaits,
        dead_letter_id=dead_letter_id,
    )


def _full_queues(arrivals: Sequence[Arrival]) -> list[Queue]:
    """Return the queues of which more may be parked than was loaded."""
    loaded: dict[Queue, int] = {}
    for arrival in arrivals:
        loaded[arrival.queue] = loaded.get(arrival.queue, 0) + 1
    return [queue for queue, count in loaded.items() if count >= CHAIN_RECORDS_MAX]


def _columns(queues: Sequence[Queue]) -> tuple[list[str], list[int], list[bytes]]:
    return (
        [lane[0] for lane, _ in queues],
        [lane[1] for lane, _ in queues],
        [queue for _, queue in queues],
    )
