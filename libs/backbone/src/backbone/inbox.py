"""Applies records: cursors, sequence, handlers, outbox and outcome in one transaction."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from types import MappingProxyType

from backbone.consumer import Consumer
from backbone.database import Database
from backbone.failures import describe, is_program_fault, is_transient
from backbone.outbox import Chunk
from backbone.passage import Death, Passage
from backbone.positions import Followed, Leap, follow
from backbone.reading import Reader
from backbone.records import KafkaRecord, Lane
from backbone.settling import Move, find_holds, lock_cursors, make_cursors, settle
from backbone.transaction import Transaction

log = logging.getLogger("backbone")

NO_LEAPS: Mapping[Lane, Leap] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Applied:
    """What applying records came to.

    `cursors` is where each lane stands, `seeks` those that the reader must go (back) to, `holes`
    the sequence that a lane awaits although later ones came.
    """

    cursors: Mapping[Lane, int]
    seeks: Mapping[Lane, int]
    holes: Mapping[Lane, int]
    applied: int
    has_parked: bool


class Inbox:
    """Applies the records of one consumer to one database, each once."""

    def __init__(self, consumer: Consumer, database: Database) -> None:
        self._consumer = consumer
        self._database = database
        self._reader = Reader(consumer)

    async def apply(
        self, records: Sequence[KafkaRecord], leaps: Mapping[Lane, Leap] = NO_LEAPS
    ) -> Applied:
        """Apply records, which are in the order of their offsets on each lane.

        Records that are not next on their lane change nothing, so a batch may be delivered any
        number of times, by any number of replicas. Transient failures rise, and nothing is changed
        or, when an answer to COMMIT was lost, everything: the cursor tells on retry. Any other
        failure of a handler is pinned down to the records that cause it, which become dead letters;
        a faulty SQL statement (SQLSTATE class 42) rises, as it is no record's fault.
        """
        try:
            return await self._apply(records, leaps, isolate=False)
        except Exception as error:
            if is_transient(error) or is_program_fault(error):
                raise
            log.warning("a batch failed", extra={"reason": describe(error)}, exc_info=error)
        return await self._apply(records, leaps, isolate=True)

    async def _apply(
        self, records: Sequence[KafkaRecord], leaps: Mapping[Lane, Leap], *, isolate: bool
    ) -> Applied:
        by_lane = group_by_lane(records)
        now = self._database.clock()
        async with self._database.transaction() as tx:
            followed = await self._follow(tx, by_lane, leaps)
            passage = Passage(self._consumer, self._database.outbox, tx, now)
            chunks = await self._pass(tx, followed, passage, isolate=isolate)
        log_dead(passage.dead)
        self._database.committed(chunks)
        arrivals = sum(len(each.arrivals) for each in followed)
        parked_before = any(each.cursor.parked or each.cursor.blocking for each in followed)
        return Applied(
            {each.cursor.lane: each.next_offset for each in followed},
            {each.cursor.lane: each.seek for each in followed if each.seek is not None},
            {each.cursor.lane: each.hole for each in followed if each.hole is not None},
            arrivals - len(passage.parked) - len(passage.dead),
            parked_before or bool(passage.parked),
        )

    async def _follow(
        self,
        tx: Transaction,
        by_lane: Mapping[Lane, Sequence[KafkaRecord]],
        leaps: Mapping[Lane, Leap],
    ) -> list[Followed]:
        lanes = sorted(by_lane)
        cursors = await lock_cursors(tx, lanes)
        if len(cursors) < len(lanes):
            await make_cursors(tx, lanes)
            cursors = await lock_cursors(tx, lanes)
        return [
            follow(
                cursor,
                by_lane[cursor.lane],
                sequenced=self._reader.is_sequenced(cursor.lane[0]),
                leap=leaps.get(cursor.lane),
            )
            for cursor in cursors
        ]

    async def _pass(
        self, tx: Transaction, followed: Sequence[Followed], passage: Passage, *, isolate: bool
    ) -> list[Chunk]:
        arrivals = [arrival for each in followed for arrival in each.arrivals]
        held = [
            arrival.queue
            for each in followed
            if each.cursor.parked or each.cursor.blocking
            for arrival in each.arrivals
        ]
        if held:
            passage.held |= await find_holds(tx, list(dict.fromkeys(held)))
        await passage.run(passage.read(self._reader, arrivals), isolate=isolate)
        moves = {
            each.cursor.lane: Move(
                each.cursor, each.next_offset, each.last_seq, duplicates=each.duplicates
            )
            for each in followed
        }
        await settle(tx, moves, arrivals, passage)
        return await self._database.outbox.append(tx, passage.staged, passage.now)


def group_by_lane(records: Sequence[KafkaRecord]) -> dict[Lane, list[KafkaRecord]]:
    """Return records by lane; each lane keeps their order."""
    lanes: dict[Lane, list[KafkaRecord]] = {}
    for lane, group in groupby(records, attrgetter("topic", "partition")):
        lanes.setdefault(lane, []).extend(group)
    return lanes


def log_dead(dead: Sequence[Death]) -> None:
    """Log records that became dead letters, by place and number; never what is in them."""
    for death in dead:
        log.error(
            "dead letter",
            extra={
                "dead_letter_id": death.dead_letter_id,
                "topic": death.arrival.lane[0],
                "partition": death.arrival.lane[1],
                "offset": death.arrival.raw.offset,
                "reason": death.reason,
            },
        )
