"""Measures how long after the last fault everything is as if there had been none (G10)."""

import time
from collections.abc import Mapping

import psycopg

from yipan.verify.lanes import READS

LanePlace = tuple[str, int]
Places = dict[LanePlace, int]
POLL_S = 0.2
WRITTEN = "SELECT topic, partition, last_seq FROM outbound"
READ = "SELECT topic, partition, last_seq FROM inbound"


def is_applied(
    written: Mapping[LanePlace, int], read: Mapping[str, Mapping[LanePlace, int]]
) -> bool:
    """Tell whether every reader of each lane has come at least as far as was written."""
    return all(
        read[reader].get(lane, 0) >= sequence
        for lane, sequence in written.items()
        for reader in read
        if lane[0] in READS[reader]
    )


def wait_recovered(urls: Mapping[str, str], since_s: float, timeout_s: float) -> float | None:
    """Return seconds from `since_s` until all that was committed by then is applied everywhere.

    What was committed is read as soon as the databases answer. None when it takes longer than
    `timeout_s`.
    """
    written: Places | None = None
    while time.monotonic() - since_s < timeout_s:
        try:
            if written is None:
                written = {
                    place: last for url in urls.values() for place, last in _read(url, WRITTEN)
                }
            if is_applied(written, {name: dict(_read(url, READ)) for name, url in urls.items()}):
                return time.monotonic() - since_s
        except psycopg.OperationalError:
            pass
        time.sleep(POLL_S)
    return None


def _read(url: str, statement: str) -> list[tuple[LanePlace, int]]:
    with psycopg.connect(url, connect_timeout=3) as database:
        rows = database.execute(statement.encode()).fetchall()
    return [((str(topic), int(place)), int(last)) for topic, place, last in rows]
