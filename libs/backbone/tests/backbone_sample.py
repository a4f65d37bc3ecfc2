"""A front that takes orders and a back that counts them: two small services to test with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from backbone import (
    BACKBONE_DDL,
    Batch,
    Consumer,
    Database,
    Outbox,
    RawRecord,
    Transaction,
    Unprocessable,
)
from backbone.headers import headers_for
from backbone.records import KafkaRecord, Lane, StoredRecord
from contracts.event import Event
from contracts.topics import Topic

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Placed(Event, frozen=True, kw_only=True):
    """An order with a running number; `mood` tells how the back takes it."""

    order_id: str
    number: int
    mood: str = ""
    door_id: str = ""


class Cancelled(Event, frozen=True, kw_only=True):
    """The same order again, in another type."""

    order_id: str
    number: int


class Sighed(Event, frozen=True, kw_only=True):
    """A fact in which the back takes no interest."""

    order_id: str


class DoorOpened(Event, frozen=True, kw_only=True):
    """What orders with a door wait for."""

    door_id: str


class Counted(Event, frozen=True, kw_only=True):
    """What the back says of each order it counts."""

    order_id: str
    number: int


ORDERS = Topic("front.orders", "front", "order_id", 3, (Placed, Cancelled, Sighed))
DOORS = Topic("front.doors", "front", "door_id", 1, (DoorOpened,))
COUNTS = Topic("back.counts", "back", "order_id", 3, (Counted,))
STRANGERS = Topic("strangers.letters", "strangers", "", 2, (), sequenced=False)
TOPICS = (ORDERS, DOORS, COUNTS, STRANGERS)

DDL = f"""
{BACKBONE_DDL}
CREATE TABLE IF NOT EXISTS effect (
    place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    order_id text NOT NULL,
    number int NOT NULL CHECK (number < 1000000)
);
CREATE TABLE IF NOT EXISTS door (door_id text PRIMARY KEY);
CREATE TABLE IF NOT EXISTS mended (mood text PRIMARY KEY);
"""
TABLES = ("inbound, outbound, outbox, dead_letter, parked, scheduled", "effect, door, mended")
SAVE_EFFECTS = """
INSERT INTO effect (kind, order_id, number) SELECT * FROM unnest($1::text[], $2::text[], $3::int[])
"""


def find_topic(event_type: type[Event]) -> Topic:
    """Return the sample's topic of an event type."""
    return next(topic for topic in TOPICS if event_type in topic.events)


def front_outbox() -> Outbox:
    """Return what the front publishes with."""
    return Outbox("front", find_topic)


def back_outbox() -> Outbox:
    """Return what the back publishes with."""
    return Outbox("back", find_topic)


async def save_effects(tx: Transaction, kind: str, events: Sequence[Placed | Cancelled]) -> None:
    """Write down that events were applied, in their order."""
    await tx.execute(
        SAVE_EFFECTS,
        [kind] * len(events),
        [each.order_id for each in events],
        [each.number for each in events],
    )


async def find_shut_doors(batch: Batch[Placed], tx: Transaction) -> Mapping[int, str]:
    """Name the orders whose door is not open yet."""
    doors = sorted({each.door_id for each in batch.events if each.door_id})
    if not doors:
        return {}
    rows = await tx.fetch("SELECT door_id FROM door WHERE door_id = ANY($1)", doors)
    opened = {row["door_id"] for row in rows} | {""}
    return {
        index: f"door:{each.door_id}"
        for index, each in enumerate(batch.events)
        if each.door_id not in opened
    }


def back_consumer() -> Consumer:
    """Return a new back: it counts orders, fails by their mood, and waits for doors."""
    consumer = Consumer("back")

    @consumer.on(ORDERS, Placed, waits_for=find_shut_doors)
    async def count_placed(batch: Batch[Placed], tx: Transaction) -> Sequence[Event]:
        await save_effects(tx, "placed", batch.events)
        moods = {each.mood for each in batch.events if each.mood}
        mended = {row["mood"] for row in await tx.fetch("SELECT mood FROM mended")}
        for mood in sorted(moods - mended):
            await _fail(tx, mood)
        return [
            Counted(occurred_at=batch.now, order_id=each.order_id, number=each.number)
            for each in batch.events
        ]

    @consumer.on(ORDERS, Cancelled)
    async def count_cancelled(batch: Batch[Cancelled], tx: Transaction) -> Sequence[Event]:
        await save_effects(tx, "cancelled", batch.events)
        return []

    @consumer.on(DOORS, DoorOpened)
    async def open_doors(batch: Batch[DoorOpened], tx: Transaction) -> Sequence[Event]:
        doors = [each.door_id for each in batch.events]
        await tx.execute("INSERT INTO door SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", doors)
        return []

    @consumer.on(STRANGERS, RawRecord)
    async def keep_letters(batch: Batch[RawRecord], tx: Transaction) -> Sequence[Event]:
        numbers = [record.sequence for record in batch.records]
        bodies = [(each.value or b"").decode(errors="replace") for each in batch.events]
        await tx.execute(SAVE_EFFECTS, ["letter"] * len(bodies), bodies, numbers)
        return []

    assert len({count_placed, count_cancelled, open_doors, keep_letters}) == 4
    return consumer


async def _fail(tx: Transaction, mood: str) -> None:
    match mood:
        case "unprocessable":
            raise Unprocessable("the mood is unprocessable")
        case "constraint":
            await tx.execute(SAVE_EFFECTS, ["x"], ["x"], [1_000_000])
        case "column":
            await tx.execute("SELECT no_such_column FROM effect")
        case _:
            raise KeyError(mood)


@dataclass
class Lanes:
    """The logs of all lanes: makes records at the next offset and sequence of theirs."""

    offsets: dict[Lane, int] = field(default_factory=dict[Lane, int])
    sequences: dict[Lane, int] = field(default_factory=dict[Lane, int])

    def write(self, *events: Event, trace: str | None = None) -> list[StoredRecord]:
        """Return the records of events."""
        return [self._record(event, trace) for event in events]

    def place(self, record: KafkaRecord) -> StoredRecord:
        """Return a record as it would be at the next offset of its lane."""
        lane = (record.topic, record.partition)
        offset = self.offsets.get(lane, 0)
        self.offsets[lane] = offset + 1
        headers = record.headers
        return StoredRecord(*lane, offset, record.key, record.value, headers)

    def next_sequence(self, lane: Lane) -> int:
        """Return the next sequence of a lane."""
        self.sequences[lane] = self.sequences.get(lane, 0) + 1
        return self.sequences[lane]

    def _record(self, event: Event, trace: str | None) -> StoredRecord:
        topic = find_topic(type(event))
        key = topic.key_of(event)
        lane = (topic.name, topic.partition_of(key))
        headers: list[tuple[str, bytes | None]] = [
            *headers_for(event, topic, lane[1], self.next_sequence(lane), NOW)
        ]
        if trace:
            headers.append(("traceparent", trace.encode()))
        return self.place(StoredRecord(*lane, 0, key.encode(), encode(event), headers))


def encode(event: Event) -> bytes:
    """Return an event's payload."""
    (staged,) = Outbox(find_topic(type(event)).producer, find_topic).stage([event])
    return staged.payload


def placed(order_id: str, number: int = 1, mood: str = "", door_id: str = "") -> Placed:
    """Return an order."""
    return Placed(occurred_at=NOW, order_id=order_id, number=number, mood=mood, door_id=door_id)


def cancelled(order_id: str, number: int = 1) -> Cancelled:
    """Return a cancellation."""
    return Cancelled(occurred_at=NOW, order_id=order_id, number=number)


@dataclass(frozen=True)
class State:
    """What the back's tables say."""

    database: Database

    async def rows(self, query: str, *args: object) -> list[dict[str, object]]:
        """Return what a query finds."""
        async with self.database.transaction() as tx:
            return [dict(row) for row in await tx.fetch(query, *args)]

    async def run(self, statement: str, *args: object) -> None:
        """Change something behind the back's back."""
        async with self.database.transaction() as tx:
            await tx.execute(statement, *args)

    async def effects(self, order_id: str = "") -> list[tuple[str, str, int]]:
        """Return kind, order and number of what was applied, in order."""
        query = (
            "SELECT kind, order_id, number FROM effect WHERE $1 IN ('', order_id) ORDER BY place"
        )
        rows = await self.rows(query, order_id)
        return [(str(r["kind"]), str(r["order_id"]), int(str(r["number"]))) for r in rows]

    async def numbers(self, order_id: str) -> list[int]:
        """Return the numbers applied of an order, in order."""
        return [number for *_, number in await self.effects(order_id)]

    async def counts(self) -> dict[str, int]:
        """Return what became of the records that were read, by the cursors' counts."""
        (row,) = await self.rows(
            "SELECT sum(next_offset) AS consumed, sum(applied) AS applied, "
            "sum(duplicates) AS duplicates, sum(dead) AS dead, sum(parked) AS parked, "
            "sum(blocking) AS blocking FROM inbound"
        )
        return {name: int(str(value)) for name, value in row.items()}

    async def awaits(self) -> list[str | None]:
        """Return what parked records wait for, in order of their lanes and offsets."""
        query = "SELECT awaits FROM parked ORDER BY topic, partition, record_offset"
        found = [row["awaits"] for row in await self.rows(query)]
        return [None if each is None else str(each) for each in found]

    async def published(self) -> list[str]:
        """Return the keys of the events in the outbox, lane by lane."""
        query = "SELECT key FROM outbox_event ORDER BY topic, partition, seq"
        return [str(row["key"]) for row in await self.rows(query)]
