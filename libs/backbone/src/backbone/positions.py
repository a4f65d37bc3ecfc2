"""Which records of a lane come next: by offset against the cursor, by sequence against the last.

Go-back-N with two integers. A record is taken when its offset is the cursor's and its sequence is
the last one plus 1. A lower sequence repeats what was taken, a higher one lies past a hole: the
producer's relay failed there and sends everything from the hole again, so the copy is passed over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from backbone.consumer import Binding
from backbone.headers import SEQUENCE_MAX
from backbone.records import KafkaRecord, Lane, Record

EPOCH_BITS = 40
"""The bits of a sequence below its epoch, which rises when a producer's database was restored."""
EPOCH_MASK = (1 << EPOCH_BITS) - 1
ADOPT = -1
"""A `last_seq` that any sequence follows: older records of the lane are gone from the log."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a lane stands, as its `inbound` row says."""

    lane: Lane
    next_offset: int
    last_seq: int
    parked: int
    blocking: int


class Leap(NamedTuple):
    """A stretch of a log that is known to hold no records, so that the cursor may pass it.

    With `adopt` its records were deleted unread before a new reader came.
    """

    from_offset: int
    to_offset: int
    adopt: bool


class Arrival(msgspec.Struct, gc=False):
    """A record on its way to a handler.

    `queue` is what keeps its order: lane and key. `stored` tells that it comes out of the parked
    table, where it waited for `awaits` or for a dead letter.
    """

    raw: KafkaRecord
    lane: Lane
    sequence: int | None
    headers: Mapping[str, bytes | None]
    queue: tuple[Lane, bytes]
    binding: Binding | None = None
    record: Record[object] | None = None
    stored: bool = False
    awaits: str | None = None
    dead_letter_id: int | None = None


@dataclass(slots=True)
class Followed:
    """What following a lane gave: arrivals, and where its cursor goes.

    `seek` is where the reader must go on if not behind the last record. `hole` is the sequence that
    was awaited when a record past it came.
    """

    cursor: Cursor
    next_offset: int
    last_seq: int
    arrivals: list[Arrival] = field(default_factory=list[Arrival])
    duplicates: int = 0
    seek: int | None = None
    hole: int | None = None


def follows(sequence: int, last_seq: int) -> bool:
    """Tell whether a sequence is the next one: the last plus 1, or the first of a later epoch."""
    return (
        sequence == last_seq + 1
        or last_seq == ADOPT
        or (sequence >> EPOCH_BITS > last_seq >> EPOCH_BITS and sequence & EPOCH_MASK == 1)
    )


def read_sequence(headers: Mapping[str, bytes | None]) -> int | None:
    """Return the lane sequence from 1 to 2^63 - 1, or None when there is none to be read."""
    text = headers.get("ce_sequence")
    if text is None or not text.isdigit() or len(text) > 19:
        return None
    sequence = int(text)
    return sequence if 0 < sequence <= SEQUENCE_MAX else None


def queue_of(raw: KafkaRecord, lane: Lane) -> tuple[Lane, bytes]:
    """Return the queue of a record; one without a key has a queue to itself."""
    return (lane, raw.key if raw.key is not None else b"\x00%d" % raw.offset)


def follow(
    cursor: Cursor, records: Sequence[KafkaRecord], *, sequenced: bool, leap: Leap | None = None
) -> Followed:
    """Take what comes next of records of one lane, which are in the order of their offsets.

    Stops at an offset past the cursor, to be sought; inside a batch of a foreign topic that is no
    loss (transaction markers take up offsets), and there are no sequences to tell otherwise.
    """
    passed = Followed(cursor, cursor.next_offset, cursor.last_seq)
    if leap is not None and leap.from_offset == cursor.next_offset:
        passed.next_offset = leap.to_offset
        if leap.adopt:
            passed.last_seq = ADOPT
    for raw in records:
        if raw.offset < passed.next_offset:
            continue
        if raw.offset > passed.next_offset and (sequenced or not passed.arrivals):
            passed.seek = passed.next_offset
            return passed
        passed.next_offset = raw.offset + 1
        _take(passed, raw, sequenced=sequenced)
    if records[-1].offset + 1 < passed.next_offset:
        passed.seek = passed.next_offset
    return passed


def _take(passed: Followed, raw: KafkaRecord, *, sequenced: bool) -> None:
    lane = passed.cursor.lane
    if not sequenced:
        passed.arrivals.append(Arrival(raw, lane, raw.offset, {}, queue_of(raw, lane)))
        return
    headers = dict(raw.headers)
    sequence = read_sequence(headers)
    if sequence is None:  # it has no place in the sequence; the reader makes it a dead letter
        passed.arrivals.append(Arrival(raw, lane, None, headers, queue_of(raw, lane)))
    elif follows(sequence, passed.last_seq):
        passed.last_seq = sequence
        passed.arrivals.append(Arrival(raw, lane, sequence, headers, queue_of(raw, lane)))
    else:
        passed.duplicates += 1
        if sequence > passed.last_seq:
            passed.hole = passed.last_seq + 1
