"""The sample's processes on a real broker and database, and what must be true of their tables."""

import asyncio
import signal
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import (
    AIOKafkaAdminClient,
    NewTopic,
)
from backbone_sample import COUNTS, DDL, TABLES, TOPICS, Counted

from backbone.kafka import KafkaRecord
from backbone.positions import follows, read_sequence
from embedded.stack import Stack

WANTED_DDL = """
CREATE TABLE IF NOT EXISTS wanted (place bigint PRIMARY KEY, order_id text, number int)
"""
REPLICA = Path(__file__).with_name("backbone_replica.py")
NUMBERS = 5
DONE_WITHIN_S = 45.0


async def make_topics(bootstrap: str) -> None:
    """Make the sample's topics."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(t.name, t.partitions, 1) for t in TOPICS])
    finally:
        await admin.close()


@dataclass
class Plant:
    """Two fronts and two backs, and everything that was ever asked of them."""

    stack: Stack
    folder: Path
    front_dsn: str
    back_dsn: str
    wanted: int = 0
    places: int = 0
    replicas: dict[str, subprocess.Popen[bytes]] = field(
        default_factory=dict[str, "subprocess.Popen[bytes]"]
    )

    async def prepare(self) -> None:
        """Make topics and empty tables."""
        await make_topics(self.stack.bootstrap)
        for dsn in (self.front_dsn, self.back_dsn):
            await _run(dsn, DDL + WANTED_DDL)
            await _run(dsn, f"TRUNCATE {', '.join(TABLES)}, wanted RESTART IDENTITY")

    def start(self, role: str, number: int, fault: str = "") -> "subprocess.Popen[bytes]":
        """Start a replica (again)."""
        name = f"{role}{number}"
        dsn = self.front_dsn if role == "front" else self.back_dsn
        command = [
            sys.executable,
            str(REPLICA),
            role,
            dsn,
            self.stack.bootstrap,
            fault,
            str(number),
        ]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.replicas[name] = subprocess.Popen(command, stdout=log, stderr=log)
        return self.replicas[name]

    def start_all(self) -> None:
        """Start two of each."""
        for role in ("front", "back"):
            for number in (0, 1):
                self.start(role, number)

    async def started(self, role: str, number: int) -> None:
        """Wait until a replica runs, so that it can be asked to stop."""
        name = f"{role}{number}"
        mark = f"{self.replicas[name].pid} runs"
        async with asyncio.timeout(20):
            while mark not in (self.folder / f"{name}.log").read_text():  # noqa: ASYNC110 a file
                await asyncio.sleep(0.05)

    def kill(self, role: str, number: int, with_signal: int = signal.SIGKILL) -> int:
        """End a replica and return its exit status."""
        replica = self.replicas.pop(f"{role}{number}")
        replica.send_signal(with_signal)
        return replica.wait(20)

    def start_dead_again(self, fault: str) -> list[int]:
        """Start the replicas that ended; return their exit statuses."""
        dead = [name for name, replica in self.replicas.items() if replica.poll() is not None]
        statuses = [self.replicas[name].returncode for name in dead]
        for name in dead:
            self.start(name[:-1], int(name[-1]), fault)
        return statuses

    def stop_all(self) -> list[int]:
        """Ask all replicas to stop; return their exit statuses."""
        for replica in self.replicas.values():
            replica.send_signal(signal.SIGCONT)
            replica.terminate()
        statuses = [replica.wait(20) for replica in self.replicas.values()]
        self.replicas.clear()
        return statuses

    async def want(self, orders: int) -> None:
        """Ask the fronts for NUMBERS events of each of so many new orders, interleaved."""
        names = [f"order-{self.wanted + each}" for each in range(orders)]
        rows = [
            (self.places + 2 * (number * orders + each // 2) + each % 2, name, number + 1)
            for number in range(NUMBERS)
            for each, name in enumerate(names)
        ]
        self.places = max(place for place, *_ in rows) + 2
        self.places += self.places % 2
        self.wanted += orders
        connection = await asyncpg.connect(self.front_dsn)
        await connection.copy_records_to_table("wanted", records=rows)
        await connection.close()

    async def done(self, within_s: float = DONE_WITHIN_S) -> float:
        """Wait until everything wanted was applied and published; return the seconds it took."""
        began_s = time.monotonic()
        while await self.applied() < self.wanted * NUMBERS or await self.unpublished():
            if time.monotonic() - began_s > within_s:
                raise AssertionError(
                    f"{await self.applied()} of {self.wanted * NUMBERS} applied\n{self.logs()}"
                )
            await asyncio.sleep(0.1)
        return time.monotonic() - began_s

    async def applied(self) -> int:
        """Return how many effects there are."""
        return int(await _value(self.back_dsn, "SELECT count(*) FROM effect"))

    async def unpublished(self) -> int:
        """Return how many events the backs have in their outbox."""
        return int(await _value(self.back_dsn, "SELECT count(*) FROM outbox"))

    async def check(self) -> None:
        """Check that every order has each of its effects once and in order, also downstream."""
        rows = await _rows(self.back_dsn, "SELECT order_id, number FROM effect ORDER BY place")
        assert _numbers(rows) == self._expected(), "effects"
        assert _numbers(await self._published()) == self._expected(), "events downstream"
        row = (
            await _rows(
                self.back_dsn,
                "SELECT sum(next_offset)::int AS consumed, "
                "sum(applied + duplicates + dead + parked)::int AS counted FROM inbound",
            )
        )[0]
        assert row["consumed"] == row["counted"]

    def logs(self) -> str:
        """Return the ends of the replicas' logs."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-1500:]}"
            for path in sorted(self.folder.glob("*.log"))
        )

    def _expected(self) -> dict[str, list[int]]:
        return {f"order-{each}": [*range(1, NUMBERS + 1)] for each in range(self.wanted)}

    async def _published(self) -> list[dict[str, object]]:
        """Read the backs' topic as a consumer must: offset by offset, last sequence plus one."""
        last: dict[int, int] = defaultdict(int)
        found: list[dict[str, object]] = []
        for record in await read_all(self.stack.bootstrap, COUNTS.name, COUNTS.partitions):
            sequence = read_sequence(dict(record.headers)) or 0
            if follows(sequence, last[record.partition]):
                last[record.partition] = sequence
                event = decode(record)
                found.append({"order_id": event.order_id, "number": event.number})
        return found


def decode(record: KafkaRecord) -> Counted:
    """Return the event of a record of the backs' topic."""
    return msgspec.json.decode(record.value or b"", type=Counted)


async def read_all(bootstrap: str, topic: str, partitions: int) -> list[KafkaRecord]:
    """Return every record of a topic."""
    client = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await client.start()
    try:
        lanes = [TopicPartition(topic, partition) for partition in range(partitions)]
        client.assign(lanes)
        ends = await client.end_offsets(lanes)
        found: list[KafkaRecord] = []
        while any([await client.position(lane) < ends[lane] for lane in lanes]):
            for records in (await client.getmany(timeout_ms=200)).values():
                found += records
        return found
    finally:
        await client.stop()


def _numbers(rows: list[dict[str, object]]) -> dict[str, list[int]]:
    numbers: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        numbers[str(row["order_id"])].append(int(str(row["number"])))
    return dict(numbers)


async def _rows(dsn: str, query: str) -> list[dict[str, object]]:
    connection = await asyncpg.connect(dsn)
    try:
        return [dict(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def _value(dsn: str, query: str) -> int:
    try:
        (row,) = await _rows(dsn, query)
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return 1  # away: nothing can be said
    return int(str(next(iter(row.values()))))


async def _run(dsn: str, script: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(script)
    finally:
        await connection.close()
