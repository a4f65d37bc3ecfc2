"""Broken records among good ones, through the real broker into a real service (G9).

Each row is a case of the catalogue of bad inputs, section D, by its number: what a stranger writes
to a topic of ours, and what becomes of it and of the next record of its key.
"""

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import cast

import asyncpg
import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from backbone.headers import headers_for
from contracts.orders import OrderAccepted, OrderLine, Scenario
from contracts.topics import INGEST_ORDERS
from contracts.values import LinePart, Place, Service
from testbed.broker import Broker
from testbed.running import RunningService

NOW = datetime(2026, 11, 1, tzinfo=UTC)
OTHERS_WITHIN_S = 5.0
HEADERS_COUNT = 10_000
OUTCOMES = """
SELECT partition, record_offset, 'dead' AS outcome FROM dead_letter
UNION ALL SELECT partition, record_offset, 'parked' FROM parked
"""
COUNTS = """
SELECT sum(next_offset)::bigint AS consumed, sum(applied)::bigint AS applied,
       sum(duplicates)::bigint AS duplicate, sum(dead)::bigint AS dead,
       sum(parked)::bigint AS parked
FROM inbound WHERE topic = 'ingest.orders'
"""

ELSEWHERE: Mapping[str, str] = {
    "109": "the outbox refuses it when written: backbone, test_an_event_has_a_largest_size",
    "111, 112": "needs a broker that stores broken batches; the client reads the headers only",
    "114, 115": "backbone, test_transactions_of_strangers_are_read_when_committed",
    "116, 121": "backbone, test_a_batch_is_applied_once_however_often_it_comes",
    "117": "isolation by organisation (G13) is not built yet",
    "119": "chaos: replicas frozen past their session wake up as zombies",
    "120": "backbone, test_a_log_that_ends_before_the_cursor_is_refused",
    "122": "amounts are whole minor units; another scale is another version, which is case 106",
}
"""Cases of section D that are no row here, and why."""


@dataclass(frozen=True, slots=True)
class Wire:
    """A record as it is sent."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    compression: str | None = None
    timestamp_ms: int | None = None

    def with_header(self, name: str, value: bytes | None) -> "Wire":
        """Return it with another value of a header."""
        return replace(self, headers=[(n, value if n == name else v) for n, v in self.headers])

    def without(self, name: str) -> "Wire":
        """Return it without a header."""
        return replace(self, headers=[(n, v) for n, v in self.headers if n != name])

    def with_more(self, *headers: tuple[str, bytes | None]) -> "Wire":
        """Return it with further headers."""
        return replace(self, headers=[*self.headers, *headers])

    def with_text(self, old: bytes, new: bytes) -> "Wire":
        """Return it with another text in its payload."""
        assert self.value is not None
        assert old in self.value
        return replace(self, value=self.value.replace(old, new))


@dataclass(frozen=True, slots=True)
class Row:
    """A case: its number, its name, what is done to a good record, and what becomes of it.

    `follower` is what becomes of the next record of the key; `takes_place` tells whether the record
    uses up a sequence of its lane.
    """

    case: int
    name: str
    spoil: Callable[[Wire], Wire]
    outcome: str
    follower: str
    takes_place: bool = True

    @property
    def key(self) -> str:
        """The order that the record is about."""
        return f"case-{self.case}-{self.name.replace(' ', '-')}"


def dead(case: int, name: str, spoil: Callable[[Wire], Wire]) -> Row:
    """A dead letter that later records of its key wait behind."""
    return Row(case, name, spoil, "dead", "parked")


def loose(case: int, name: str, spoil: Callable[[Wire], Wire], *, takes_place: bool = True) -> Row:
    """A dead letter without a key or place to be trusted, which delays nothing."""
    return Row(case, name, spoil, "dead", "applied", takes_place)


def good(case: int, name: str, spoil: Callable[[Wire], Wire]) -> Row:
    """A record that looks odd and is applied."""
    return Row(case, name, spoil, "applied", "applied")


def parked(case: int, name: str, spoil: Callable[[Wire], Wire]) -> Row:
    """A record that waits for a newer program, with all behind it."""
    return Row(case, name, spoil, "parked", "parked")


ROWS = (
    dead(98, "truncated JSON", lambda wire: replace(wire, value=(wire.value or b"")[:-9])),
    dead(98, "empty value", lambda wire: replace(wire, value=b"")),
    dead(98, "one byte", lambda wire: replace(wire, value=b"{")),
    dead(98, "not UTF-8", lambda wire: wire.with_text(b'"shopify"', b'"\xff"')),
    dead(98, "nested 100,000 deep", lambda wire: replace(wire, value=b"[" * 100_000)),
    dead(99, "a line is missing a field", lambda wire: wire.with_text(b'"goods_id"', b'"goods"')),
    dead(99, "units are a text", lambda wire: wire.with_text(b'units":3', b'units":"3"')),
    dead(99, "NUL in a text", lambda wire: wire.with_text(b'line_id":"1"', b'line_id":"\\u0000"')),
    dead(
        99, "units beyond 64 bits", lambda wire: wire.with_text(b'units":3', b'units":%d' % 2**64)
    ),
    dead(99, "units of 2^62", lambda wire: wire.with_text(b'units":3', b'units":%d' % 2**62)),
    dead(99, "units below 0", lambda wire: wire.with_text(b'units":3', b'units":-3')),
    good(100, "a header not UTF-8", lambda wire: wire.with_more(("x", b"\xff\xfe"))),
    good(100, "a header null", lambda wire: wire.with_more(("x", None))),
    good(100, "a header without a name", lambda wire: wire.with_more(("", b"x"))),
    good(100, "a header twice", lambda wire: wire.with_more(("x", b"1"), ("x", b"2"))),
    good(100, "10,000 headers", lambda wire: wire.with_more(*[("x", b"y")] * HEADERS_COUNT)),
    dead(101, "no id", lambda wire: wire.without("ce_id")),
    dead(101, "an id that is no UUID", lambda wire: wire.with_header("ce_id", b"17")),
    dead(101, "no type", lambda wire: wire.without("ce_type")),
    Row(
        102,
        "a sequence applied before",
        lambda wire: wire.with_header("ce_sequence", b"1"),
        "duplicate",
        "applied",
        takes_place=False,
    ),
    loose(103, "no key", lambda wire: replace(wire, key=None)),
    loose(104, "another key than its order", lambda wire: replace(wire, key=b"another")),
    dead(105, "a tombstone", lambda wire: replace(wire, value=None)),
    parked(106, "a newer version", lambda w: w.with_header("ce_dataschema", b"OrderAccepted/2")),
    parked(107, "an unknown type", lambda wire: wire.with_header("ce_type", b"OrderVanished")),
    good(108, "extra fields", lambda wire: wire.with_text(b'{"occurred', b'{"more":[1],"occurred')),
    good(110, "gzip", lambda wire: replace(wire, compression="gzip")),
    good(110, "lz4", lambda wire: replace(wire, compression="lz4")),
    good(110, "snappy", lambda wire: replace(wire, compression="snappy")),
    good(110, "zstd", lambda wire: replace(wire, compression="zstd")),
    good(113, "a record of 1970", lambda wire: replace(wire, timestamp_ms=1)),
    loose(118, "another producer", lambda wire: wire.with_header("ce_source", b"yipan/routing")),
    loose(118, "no producer", lambda wire: wire.without("ce_source")),
    loose(
        123,
        "sequence 0",
        lambda wire: wire.with_header("ce_sequence", b"0"),
        takes_place=False,
    ),
    loose(
        123,
        "sequence below 0",
        lambda wire: wire.with_header("ce_sequence", b"-4"),
        takes_place=False,
    ),
    loose(
        123,
        "sequence 2^63",
        lambda wire: wire.with_header("ce_sequence", b"%d" % 2**63),
        takes_place=False,
    ),
)


@dataclass
class Ledger:
    """What was sent where, and what should become of it."""

    sequences: Counter[int] = field(default_factory=Counter[int])
    expected: dict[tuple[int, int], tuple[str, str]] = field(
        default_factory=dict[tuple[int, int], tuple[str, str]]
    )


@pytest.fixture
def package() -> str:
    """The service that reads the records."""
    return "quota"


@pytest.fixture
async def producers(broker: Broker) -> AsyncIterator[Mapping[str | None, AIOKafkaProducer]]:
    """A stranger's producers, by compression."""
    made = {
        kind: AIOKafkaProducer(bootstrap_servers=broker.bootstrap, compression_type=kind)
        for kind in (None, "gzip", "lz4", "snappy", "zstd")
    }
    for producer in made.values():
        await producer.start()
    yield made
    for producer in made.values():
        await producer.stop()


async def test_every_record_is_accounted_for_and_delays_only_its_own_order(
    running_service: RunningService, producers: Mapping[str | None, AIOKafkaProducer]
) -> None:
    ledger = Ledger()
    others: list[str] = []
    for number in range(INGEST_ORDERS.partitions * 8):  # every lane has a sequence 1 and more
        await _send(producers, ledger, f"first-{number}", "applied")
    for row in ROWS:
        await _send(producers, ledger, row.key, row.outcome, row)
        await _send(producers, ledger, row.key, row.follower)
        others += [f"other-{row.key}-{number}" for number in range(6)]
        for key in others[-6:]:
            await _send(producers, ledger, key, "applied")
    began_s = time.monotonic()
    database = await asyncpg.connect(running_service.database_url)
    try:
        while not await _are_held(database, others):
            assert time.monotonic() - began_s < OTHERS_WITHIN_S, "good records of others wait"
        assert await _outcomes(database, ledger) == dict(ledger.expected.values())
        row = await database.fetchrow(COUNTS)
    finally:
        await database.close()
    counts = Counter(outcome for _, outcome in ledger.expected.values())
    assert dict(row or {}) == {"consumed": counts.total(), **counts}


def test_every_case_of_section_d_is_a_row_or_has_a_reason() -> None:
    named = {int(number) for each in ELSEWHERE for number in each.split(", ")}
    assert {row.case for row in ROWS} | named == set(range(98, 124))
    assert not {row.case for row in ROWS} & named
    assert len({row.key for row in ROWS}) == len(ROWS)


async def _send(
    producers: Mapping[str | None, AIOKafkaProducer],
    ledger: Ledger,
    key: str,
    outcome: str,
    row: Row | None = None,
) -> None:
    """Write an order as ingest's relay would, or spoilt; note where it lies."""
    partition = INGEST_ORDERS.partition_of(key)
    event = _order(key)
    sequence = ledger.sequences[partition] + 1
    headers = headers_for(event, INGEST_ORDERS, partition, sequence, NOW)
    wire = Wire(key.encode(), msgspec.json.encode(event), [*headers])
    if row is not None:
        wire = row.spoil(wire)
    if row is None or row.takes_place:
        ledger.sequences[partition] = sequence
    sent = await producers[wire.compression].send_and_wait(
        INGEST_ORDERS.name,
        wire.value,
        key=wire.key,
        partition=partition,
        timestamp_ms=wire.timestamp_ms,
        headers=cast("list[tuple[str, bytes]]", wire.headers),  # aiokafka takes null values too
    )
    name = f"{key}: {'spoilt' if row else len(ledger.expected)}"
    ledger.expected[partition, sent.offset] = (name, outcome)


async def _are_held(database: "asyncpg.Connection[asyncpg.Record]", order_ids: list[str]) -> bool:
    held = "SELECT count(*) FROM hold WHERE order_id = ANY($1) AND granted_at IS NOT NULL"
    return await database.fetchval(held, order_ids) == len(order_ids)


async def _outcomes(
    database: "asyncpg.Connection[asyncpg.Record]", ledger: Ledger
) -> dict[str, str]:
    """Return what became of every record, by its name.

    Only counts tell a duplicate from an applied record, so what is neither dead nor parked is
    named as it should be.
    """
    set_aside = {(place, at): outcome for place, at, outcome in await database.fetch(OUTCOMES)}
    return {
        name: set_aside.get(place, wanted if wanted in {"applied", "duplicate"} else "applied")
        for place, (name, wanted) in ledger.expected.items()
    }


def _order(order_id: str) -> OrderAccepted:
    line = OrderLine(
        line_id="1",
        goods_id="goods",
        quantity_units=3,
        unit_price_minor=150,
        discount_minor=0,
        freight_minor=0,
        supply_price_minor=100,
        parts=(LinePart(goods_id="goods", units_each=1),),
    )
    return OrderAccepted(
        occurred_at=NOW,
        order_id=order_id,
        order_version=1,
        brand_id="brand",
        channel="shopify",
        shop_id="shop",
        channel_order_number=order_id,
        scenario=Scenario.DROP_SHIPPING,
        seller_id="party",
        agreement_id="agreement",
        agreement_version=1,
        limit_account_id=None,
        currency="CNY",
        lines=(line,),
        service=Service.SHIP,
        place=Place(region_code="CN-310109"),
        consumer_ref="consumer",
        placed_at=NOW,
        paid_at=NOW,
    )
