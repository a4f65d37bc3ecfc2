"""Records that cannot be applied, among good ones: dead letters, and what waits behind them."""

from collections.abc import Callable, Sequence

import asyncpg
import pytest
from backbone_sample import (
    NOW,
    ORDERS,
    STRANGERS,
    Lanes,
    State,
    cancelled,
    encode,
    placed,
)

from backbone import Database, Inbox
from backbone.dead_letters import (
    ask_discard,
    ask_redrive,
    list_dead_letters,
    list_parked,
    show_dead_letter,
)
from backbone.headers import headers_for
from backbone.parking import Sweeper
from backbone.records import KafkaRecord, StoredRecord

Headers = list[tuple[str, bytes | None]]
Make = Callable[[Lanes], KafkaRecord]
BROKEN = placed("broken", 1)
PARTITION = ORDERS.partition_of("broken")
HEADERS_COUNT = 10_000


def record(
    log: Lanes,
    change: Callable[[Headers], Headers] = lambda headers: headers,
    *,
    key: bytes | None = b"broken",
    value: bytes | None = encode(BROKEN),
) -> KafkaRecord:
    lane = (ORDERS.name, PARTITION)
    headers: Headers = [*headers_for(BROKEN, ORDERS, PARTITION, log.next_sequence(lane), NOW)]
    return log.place(StoredRecord(*lane, 0, key, value, change(headers)))


def put(name: str, value: bytes | None) -> Callable[[Headers], Headers]:
    return lambda headers: [(each, value if each == name else was) for each, was in headers]


def drop(name: str) -> Callable[[Headers], Headers]:
    return lambda headers: [(each, was) for each, was in headers if each != name]


def with_more(*more: tuple[str, bytes | None]) -> Callable[[Headers], Headers]:
    return lambda headers: [*headers, *more]


DEAD_AND_BLOCKING: dict[str, Make] = {
    "invalid JSON": lambda log: record(log, value=b'{"order_id": "broken"'),
    "an empty value": lambda log: record(log, value=b""),
    "one byte": lambda log: record(log, value=b"{"),
    "another shape": lambda log: record(log, value=b'{"order_id": "broken", "number": "x"}'),
    "deep nesting": lambda log: record(log, value=b'{"x":' + b"[" * 100_000),
    "bytes that are not UTF-8": lambda log: record(log, value=b'{"order_id": "\xff"}'),
    "a tombstone": lambda log: record(log, value=None),
    "no id": lambda log: record(log, drop("ce_id")),
    "an id that is no UUID": lambda log: record(log, put("ce_id", b"17")),
    "no type": lambda log: record(log, drop("ce_type")),
}
DEAD: dict[str, Make] = {
    "no key": lambda log: record(log, key=None),
    "another key than the body's": lambda log: record(log, key=b"other"),
    "another source": lambda log: record(log, put("ce_source", b"yipan/back")),
    "no source": lambda log: record(log, drop("ce_source")),
    "a source that is null": lambda log: record(log, put("ce_source", None)),
}
DEAD_OUT_OF_SEQUENCE: dict[str, Make] = {
    "no sequence": lambda log: record(log, drop("ce_sequence")),
    "sequence 0": lambda log: record(log, put("ce_sequence", b"0")),
    "a negative sequence": lambda log: record(log, put("ce_sequence", b"-4")),
    "sequence 2^63": lambda log: record(log, put("ce_sequence", b"9223372036854775808")),
    "a sequence of letters": lambda log: record(log, put("ce_sequence", b"seven")),
}
PARKED: dict[str, Make] = {
    "a newer version": lambda log: record(log, put("ce_dataschema", b"Placed/2")),
    "an unknown type": lambda log: record(log, put("ce_type", b"Vanished")),
    "a type that is not UTF-8": lambda log: record(log, put("ce_type", b"\xff\x00")),
}
GOOD: dict[str, Make] = {
    "extra fields": lambda log: record(log, value=encode(BROKEN)[:-1] + b',"more":1}'),
    "a value that is not UTF-8": lambda log: record(log, with_more(("x", b"\xff\xfe"))),
    "a null value": lambda log: record(log, with_more(("x", None))),
    "an empty name": lambda log: record(log, with_more(("", b"x"))),
    "a header twice": lambda log: record(log, with_more(("x", b"1"), ("x", b"2"))),
    "many headers": lambda log: record(log, with_more(*[("x", b"y")] * HEADERS_COUNT)),
    "a broken time": lambda log: record(log, put("ce_time", b"yesterday")),
    "a broken trace": lambda log: record(log, with_more(("traceparent", b"\xff"))),
    "a broken schema": lambda log: record(log, put("ce_dataschema", b"\xff")),
    "no specversion": lambda log: record(log, drop("ce_specversion")),
}


def around(log: Lanes, make: Make) -> Sequence[KafkaRecord]:
    """Put a record between good ones, of its key and of others, on its lane and on others."""
    others = [placed(f"o{each}", 1) for each in range(9)]
    before = log.write(placed("broken", 0), *others)
    bad = make(log)
    after = log.write(placed("broken", 2), *(placed(f"o{each}", 2) for each in range(9)))
    return [*before, bad, *after]


async def passes(state: State) -> None:
    """Check that other keys went on and that every record is accounted for."""
    for each in range(9):
        assert await state.numbers(f"o{each}") == [1, 2]
    counts = await state.counts()
    parts = ("applied", "duplicates", "dead", "parked")
    assert counts["consumed"] == 21 == sum(counts[part] for part in parts)


@pytest.mark.parametrize("name", DEAD_AND_BLOCKING)
async def test_a_broken_record_delays_its_own_key(inbox: Inbox, state: State, name: str) -> None:
    await inbox.apply(around(Lanes(), DEAD_AND_BLOCKING[name]))
    assert await state.numbers("broken") == [0]
    assert await state.awaits() == ["dead-letter:1"]
    await passes(state)


@pytest.mark.parametrize("name", DEAD)
async def test_a_record_without_a_key_to_trust_delays_nothing(
    inbox: Inbox, state: State, name: str
) -> None:
    await inbox.apply(around(Lanes(), DEAD[name]))
    assert await state.numbers("broken") == [0, 2]
    assert (await state.counts())["dead"] == 1
    await passes(state)


@pytest.mark.parametrize("name", DEAD_OUT_OF_SEQUENCE)
async def test_a_record_without_a_sequence_takes_no_place(
    inbox: Inbox, state: State, name: str
) -> None:
    log = Lanes()

    def make(log: Lanes) -> KafkaRecord:
        bad = DEAD_OUT_OF_SEQUENCE[name](log)
        log.sequences[ORDERS.name, PARTITION] -= 1
        return bad

    await inbox.apply(around(log, make))
    assert await state.numbers("broken") == [0, 2]
    assert (await state.counts())["dead"] == 1
    await passes(state)


@pytest.mark.parametrize("name", PARKED)
async def test_what_only_a_newer_program_can_read_is_parked(
    inbox: Inbox, sweeper: Sweeper, state: State, name: str
) -> None:
    await inbox.apply(around(Lanes(), PARKED[name]))
    await sweeper.sweep()
    assert await state.numbers("broken") == [0]
    head, behind = await state.awaits()
    assert (head or "").startswith("schema:")
    assert behind is None
    await passes(state)


@pytest.mark.parametrize("name", GOOD)
async def test_broken_headers_do_no_harm(inbox: Inbox, state: State, name: str) -> None:
    await inbox.apply(around(Lanes(), GOOD[name]))
    assert await state.numbers("broken") == [0, 1, 2]
    await passes(state)


@pytest.mark.parametrize("mood", ["poison", "unprocessable", "constraint"])
async def test_poison_is_found_among_the_good(inbox: Inbox, state: State, mood: str) -> None:
    log = Lanes()
    events = [placed(f"o{i}", 1, mood if i == 13 else "") for i in range(40)]
    await inbox.apply(log.write(*events, placed("o13", 2), cancelled("o13", 3), placed("o1", 2)))
    await inbox.apply(log.write(placed("o13", 4)))
    assert len(await state.effects()) == 40
    assert not await state.numbers("o13")
    assert await state.awaits() == ["dead-letter:1", None, None]
    assert len(await state.published()) == 40
    counts = await state.counts()
    assert counts == {
        "consumed": 44,
        "applied": 40,
        "duplicates": 0,
        "dead": 1,
        "parked": 3,
        "blocking": 1,
    }


async def test_a_batch_of_poison_alone_is_buried(inbox: Inbox, state: State) -> None:
    await inbox.apply(Lanes().write(*(placed(f"o{i}", 1, "poison") for i in range(30))))
    assert (await state.counts())["dead"] == 30
    assert not await state.effects()


async def test_a_wrong_statement_is_no_record_s_fault(inbox: Inbox, state: State) -> None:
    with pytest.raises(asyncpg.UndefinedColumnError):
        await inbox.apply(Lanes().write(placed("a"), placed("b", 1, "column")))
    assert not await state.effects()
    assert not await state.rows("SELECT FROM dead_letter")


async def test_a_redrive_applies_the_record_and_those_behind_it(
    database: Database, inbox: Inbox, sweeper: Sweeper, state: State
) -> None:
    log = Lanes()
    await inbox.apply(log.write(placed("a", 1, "poison"), placed("a", 2), cancelled("a", 3)))
    await state.run("INSERT INTO mended VALUES ('poison')")
    assert await sweeper.sweep() == 0
    async with database.transaction() as tx:
        assert await ask_redrive(tx, 1)
        assert not await ask_redrive(tx, 1)
    assert await sweeper.sweep() == 3
    await inbox.apply(log.write(placed("a", 4)))
    assert await state.numbers("a") == [1, 2, 3, 4]
    counts = await state.counts()
    assert (counts["applied"], counts["dead"], counts["parked"], counts["blocking"]) == (4, 0, 0, 0)
    async with database.transaction() as tx:
        assert (await show_dead_letter(tx, 1)).state == "redriven"


async def test_a_redrive_that_fails_is_another_dead_letter(
    database: Database, inbox: Inbox, sweeper: Sweeper, state: State
) -> None:
    await inbox.apply(Lanes().write(placed("a", 1, "poison"), placed("a", 2)))
    async with database.transaction() as tx:
        await ask_redrive(tx, 1)
    await sweeper.sweep()
    assert not await state.effects()
    async with database.transaction() as tx:
        (letter,) = await list_dead_letters(tx)
    assert letter.dead_letter_id == 2
    assert letter.reason == "KeyError: 'poison'"
    assert letter.key == b"a"
    assert await state.awaits() == ["dead-letter:2"]
    counts = await state.counts()
    assert (counts["dead"], counts["parked"], counts["blocking"]) == (1, 1, 1)


async def test_a_discard_lets_the_others_go_on(
    database: Database, inbox: Inbox, sweeper: Sweeper, state: State
) -> None:
    await inbox.apply(Lanes().write(placed("a", 1, "poison"), placed("a", 2), placed("a", 3)))
    async with database.transaction() as tx:
        assert await ask_discard(tx, 1)
    await sweeper.sweep()
    assert await state.numbers("a") == [2, 3]
    counts = await state.counts()
    assert (counts["dead"], counts["parked"], counts["blocking"]) == (1, 0, 0)
    assert counts["consumed"] == counts["applied"] + counts["dead"]


async def test_a_dead_letter_keeps_every_byte(database: Database, inbox: Inbox) -> None:
    headers: Headers = [("x", b"\xff"), ("y", None), ("", b""), ("x", b"again")]
    raw = record(Lanes(), with_more(*headers), value=b"\x00\xff", key=b"bro\x00ken")
    await inbox.apply([raw])
    async with database.transaction() as tx:
        letter = await show_dead_letter(tx, 1)
    assert (letter.key, letter.payload, list(letter.headers)) == (raw.key, raw.value, raw.headers)


async def test_a_record_of_a_stranger_is_handed_over_as_it_is(inbox: Inbox, state: State) -> None:
    records = [
        StoredRecord(STRANGERS.name, 0, offset, None, value, [("x", None)])
        for offset, value in ((0, b"one"), (3, b"two"), (4, None))
    ]
    applied = await inbox.apply(records)
    assert not applied.seeks
    assert [order for _, order, _ in await state.effects()] == ["one", "two", ""]


async def test_a_stranger_s_record_without_a_key_delays_none(
    database: Database, inbox: Inbox, sweeper: Sweeper, state: State
) -> None:
    values = [b"one", b"\x00poison", b"three"]  # PostgreSQL's text takes no NUL
    await inbox.apply(
        [StoredRecord(STRANGERS.name, 0, n, None, v, ()) for n, v in enumerate(values)]
    )
    assert [order for _, order, _ in await state.effects()] == ["one", "three"]
    async with database.transaction() as tx:
        await ask_redrive(tx, 1)
    await sweeper.sweep()
    async with database.transaction() as tx:
        assert not await list_parked(tx)
    assert (await state.counts())["dead"] == 1
