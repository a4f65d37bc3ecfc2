"""What operators do with dead letters: list, show, ask for another try or for discarding.

A request is a mark on the row. The service itself carries it out within a second (see `parking`),
so whoever asks needs the database alone and none of the service's code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from backbone.headers import unpack_headers
from backbone.transaction import Transaction

LISTED_MAX = 1_000

LIST = """
SELECT dead_letter_id, topic, partition, record_offset, seq, key, headers, payload, reason, blocks,
       state, recorded_at, settled_at
FROM dead_letter
WHERE state = ANY($1) AND ($2::bigint IS NULL OR dead_letter_id = $2)
ORDER BY dead_letter_id
LIMIT $3
"""
ASK = """
UPDATE dead_letter SET state = $2 WHERE dead_letter_id = $1 AND state = 'open'
"""
LIST_PARKED = """
SELECT topic, partition, record_offset, seq, queue, awaits, parked_at
FROM parked
WHERE awaits IS NOT NULL
ORDER BY parked_at, topic, partition, record_offset
LIMIT $1
"""

UNSETTLED = ("open", "redrive", "discard")
STATES = (*UNSETTLED, "redriven", "discarded")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not be applied, as it was read, and why.

    `state` is open, redrive or discard (asked for), redriven or discarded.
    """

    dead_letter_id: int
    topic: str
    partition: int
    offset: int
    sequence: int | None
    key: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    payload: bytes | None
    reason: str
    blocks: bool
    state: str
    recorded_at: datetime
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A parked record at the head of its queue, and what it waits for."""

    topic: str
    partition: int
    offset: int
    sequence: int | None
    queue: bytes
    awaits: str
    parked_at: datetime


async def list_dead_letters(
    tx: Transaction, states: Sequence[str] = UNSETTLED, limit: int = LISTED_MAX
) -> list[DeadLetter]:
    """Return dead letters in the given states, oldest first, at most LISTED_MAX."""
    rows = await tx.fetch(LIST, list(states), None, min(limit, LISTED_MAX))
    return [_dead_letter(row) for row in rows]


async def show_dead_letter(tx: Transaction, dead_letter_id: int) -> DeadLetter:
    """Return one dead letter in whatever state; LookupError when there is none."""
    rows = await tx.fetch(LIST, list(STATES), dead_letter_id, 1)
    if not rows:
        raise LookupError(f"there is no dead letter {dead_letter_id}")
    return _dead_letter(rows[0])


async def ask_redrive(tx: Transaction, dead_letter_id: int) -> bool:
    """Ask for an open dead letter to be applied again, then what waits behind it, in order.

    Returns False when it is not open. If it fails again it becomes a new dead letter.
    """
    return await tx.execute(ASK, dead_letter_id, "redrive") == "UPDATE 1"


async def ask_discard(tx: Transaction, dead_letter_id: int) -> bool:
    """Ask for an open dead letter to be given up, so that what waits behind it goes on.

    Returns False when it is not open.
    """
    return await tx.execute(ASK, dead_letter_id, "discard") == "UPDATE 1"


async def list_parked(tx: Transaction, limit: int = LISTED_MAX) -> list[Waiting]:
    """Return the heads of parked queues, longest waiting first, at most LISTED_MAX."""
    rows = await tx.fetch(LIST_PARKED, min(limit, LISTED_MAX))
    return [Waiting(*row) for row in rows]


def _dead_letter(row: asyncpg.Record) -> DeadLetter:
    number, topic, partition, offset, sequence, key, headers, *rest = row
    return DeadLetter(
        number, topic, partition, offset, sequence, key, unpack_headers(headers), *rest
    )
