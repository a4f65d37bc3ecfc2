"""Dead letters of all services: what could not be applied, and what an operator decides about it.

The decision is a state in the service's own table. The service acts on it: it puts the record and
those behind it through its handlers again, in order, or lets the next one go.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import psycopg
from psycopg.rows import class_row

LIST_MAX = 1_000


class Verdict(StrEnum):
    """What is to become of a dead letter."""

    REDRIVE = "redrive"
    DISCARD = "discard"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A record as it was read, and why it was set aside. `blocks`: later ones of its key wait."""

    service: str
    dead_letter_id: int
    topic: str
    partition: int
    record_offset: int
    key: str
    reason: str
    state: str
    blocks: bool
    recorded_at: datetime
    headers: str
    payload: str


_COLUMNS = """
SELECT current_database() AS service, dead_letter_id, topic, partition, record_offset,
       coalesce(encode(key, 'escape'), '') AS key, reason, state, blocks, recorded_at, headers,
       coalesce(encode(payload, 'escape'), '') AS payload
FROM dead_letter
"""
_OPEN = _COLUMNS + " WHERE state IN ('open', 'redrive', 'discard') ORDER BY dead_letter_id LIMIT %s"
_ONE = _COLUMNS + " WHERE dead_letter_id = %s"
_DECIDE = """
UPDATE dead_letter SET state = %s WHERE dead_letter_id = ANY(%s) AND state = 'open'
RETURNING dead_letter_id
"""


def find_open(database_urls: Mapping[str, str]) -> list[DeadLetter]:
    """Return what nobody has settled, oldest first per service, at most LIST_MAX of each."""
    found: list[DeadLetter] = []
    for url in database_urls.values():
        with psycopg.connect(url) as connection:
            cursor = connection.cursor(row_factory=class_row(DeadLetter))
            found += cursor.execute(_OPEN.encode(), (LIST_MAX,)).fetchall()
    return found


def find(database_url: str, dead_letter_id: int) -> DeadLetter | None:
    """Return one dead letter of a service, settled or not; None when there is none."""
    with psycopg.connect(database_url) as connection:
        cursor = connection.cursor(row_factory=class_row(DeadLetter))
        return cursor.execute(_ONE.encode(), (dead_letter_id,)).fetchone()


def decide(database_url: str, dead_letter_ids: Sequence[int], verdict: Verdict) -> list[int]:
    """Ask a service to redrive or discard its open dead letters; returns those it was asked."""
    with psycopg.connect(database_url) as connection:
        decided = connection.execute(_DECIDE.encode(), (verdict, list(dead_letter_ids)))
        return sorted(row[0] for row in decided)
