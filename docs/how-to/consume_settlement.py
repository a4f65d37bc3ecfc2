"""Keeps a copy of settlement's journals in SQLite, each exactly once; an example to start from.

    python consume_settlement.py --bootstrap HOST:PORT --database journals.db [--until-idle SECONDS]

The cursor lies in the same database as the effect and moves in the same transaction. Kafka's own
offsets are not used, so killing this program at any moment loses nothing and doubles nothing.
"""

import argparse
import asyncio
import json
import sqlite3
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRecord

TOPIC = "settlement.postings"
TABLES = """
CREATE TABLE IF NOT EXISTS cursor (
    partition INTEGER PRIMARY KEY, next_offset INTEGER NOT NULL, last_sequence INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS entry (
    journal_id TEXT, line INTEGER, order_id TEXT, book_id TEXT, account_id TEXT, layer TEXT,
    component TEXT, amount_minor INTEGER, currency TEXT, PRIMARY KEY (journal_id, line));
"""


def apply(database: sqlite3.Connection, partition: int, records: Sequence[ConsumerRecord]) -> int:
    """Store the new journals of one partition with the cursor; return the next offset to read."""
    with database:  # one transaction
        row = database.execute(
            "SELECT next_offset, last_sequence FROM cursor WHERE partition = ?", (partition,)
        ).fetchone()
        next_offset, last_sequence = row or (0, 0)
        for record in records:
            if record.offset < next_offset:
                continue  # read again after a restart
            if record.offset > next_offset:
                break  # something is missing in between: read from the cursor again
            next_offset += 1
            headers = dict(record.headers)
            sequence = int(headers["ce_sequence"])
            if sequence != last_sequence + 1:
                continue  # sent twice, or sent again later behind a gap: the sequence decides
            last_sequence = sequence
            if headers["ce_type"] == b"JournalPosted":
                store(database, json.loads(record.value))
        database.execute(
            "INSERT OR REPLACE INTO cursor VALUES (?, ?, ?)",
            (partition, next_offset, last_sequence),
        )
    return next_offset


def store(database: sqlite3.Connection, journal: dict[str, object]) -> None:
    """Insert the entries of one journal; amounts are minor units, debits positive."""
    entries = journal["entries"]
    assert isinstance(entries, list)
    for line, entry in enumerate(entries):
        database.execute(
            "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                journal["journal_id"],
                line,
                journal["order_id"],
                journal["book_id"],
                entry["account_id"],
                entry["layer"],
                entry["component"],
                entry["amount_minor"],
                journal["currency"],
            ),
        )


async def run(bootstrap: str, database: sqlite3.Connection, until_idle_s: float | None) -> None:
    """Read for ever, or until nothing new has come for so long."""
    # Without a group every partition is assigned; several readers would share them by hand.
    consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        for lane in consumer.assignment():
            consumer.seek(lane, apply(database, lane.partition, []))
        idle_s = 0.0
        while until_idle_s is None or idle_s < until_idle_s:
            fetched = await consumer.getmany(timeout_ms=500, max_records=500)
            idle_s = 0.0 if fetched else idle_s + 0.5
            for lane, records in fetched.items():
                next_offset = apply(database, lane.partition, records)
                if next_offset != records[-1].offset + 1:
                    consumer.seek(lane, next_offset)
    finally:
        await consumer.stop()


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bootstrap", required=True, help="Kafka, HOST:PORT")
    parser.add_argument("--database", default="journals.db", help="SQLite file")
    parser.add_argument("--until-idle", type=float, metavar="SECONDS", help="end when idle so long")
    options = parser.parse_args()
    database = sqlite3.connect(options.database)
    database.executescript(TABLES)
    asyncio.run(run(options.bootstrap, database, options.until_idle))
    count, total = database.execute("SELECT count(*), sum(amount_minor) FROM entry").fetchone()
    print(f"{count} entries, sum {total or 0}")


if __name__ == "__main__":
    main()
