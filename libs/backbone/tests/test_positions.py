"""The sequence rule and the waves, for any logs and any deliveries."""

from collections.abc import Sequence

from backbone_sample import COUNTS, ORDERS, Lanes, back_consumer, cancelled, placed
from hypothesis import given
from hypothesis import strategies as st

from backbone.consumer import Binding
from backbone.passage import waves
from backbone.positions import (
    ADOPT,
    EPOCH_BITS,
    Arrival,
    Cursor,
    Followed,
    follow,
    follows,
    read_sequence,
)
from backbone.records import KafkaRecord, StoredRecord

LANE = (ORDERS.name, 0)
PLACES = st.integers(1, 12)


def log_of(sequences: Sequence[int]) -> list[KafkaRecord]:
    """Return a lane's log whose records have these sequences."""
    return [
        StoredRecord(*LANE, offset, b"k", b"", [("ce_sequence", b"%d" % sequence)])
        for offset, sequence in enumerate(sequences)
    ]


def deliver(
    log: Sequence[KafkaRecord], cuts: Sequence[tuple[int, int]]
) -> tuple[list[int], Followed]:
    """Follow the log through deliveries of any pieces of it, then the whole."""
    cursor = Cursor(LANE, 0, 0, 0, 0)
    taken: list[int] = []
    passed = Followed(cursor, 0, 0)
    for start, stop in (*cuts, (0, len(log))):
        if log[start:stop]:
            passed = follow(cursor, log[start:stop], sequenced=True)
            taken += [arrival.sequence or 0 for arrival in passed.arrivals]
            cursor = Cursor(LANE, passed.next_offset, passed.last_seq, 0, 0)
    return taken, passed


@st.composite
def relayed(draw: st.DrawFn) -> list[int]:
    """Return what a relay may write.

    Each time it sends everything after what was acknowledged, a part of that is lost, and up to
    there it learns what arrived; the last time all arrives.
    """
    total = draw(st.integers(1, 12))
    sequences: list[int] = []
    acknowledged = 0
    for lost_from, lost_count, learned in draw(
        st.lists(st.tuples(PLACES, PLACES, PLACES), max_size=4)
    ):
        lost = range(lost_from, lost_from + lost_count)
        sequences += [each for each in range(acknowledged + 1, total + 1) if each not in lost]
        acknowledged = max(acknowledged, min(learned, lost_from - 1, total))
    return [*sequences, *range(acknowledged + 1, total + 1)]


@given(relayed(), st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=12))
def test_each_event_is_taken_once_and_in_order(
    sequences: list[int], cuts: list[tuple[int, int]]
) -> None:
    taken, passed = deliver(log_of(sequences), cuts)
    complete = max(sequences, default=0)
    assert taken == [*range(1, complete + 1)]
    assert passed.next_offset == len(sequences)
    assert passed.seek is None


@given(st.integers(0, 2**63 - 2))
def test_after_a_sequence_comes_the_next(last: int) -> None:
    assert follows(last + 1, last)
    assert not follows(last, last)
    is_first_of_epoch = (last + 2) & ((1 << EPOCH_BITS) - 1) == 1
    assert follows(last + 2, last) == is_first_of_epoch
    assert follows(last + 1, ADOPT)


def test_an_epoch_begins_with_its_first() -> None:
    last = 41
    assert follows((1 << EPOCH_BITS) + 1, last)
    assert follows((3 << EPOCH_BITS) + 1, last)
    assert not follows((1 << EPOCH_BITS) + 2, last)
    assert not follows(1, (1 << EPOCH_BITS) + 7)


@given(st.binary(max_size=25) | st.none())
def test_a_sequence_is_read_or_not_and_nothing_else(value: bytes | None) -> None:
    sequence = read_sequence({"ce_sequence": value})
    if sequence is not None:
        assert value is not None
        assert 0 < sequence < 2**63
        assert int(value) == sequence
    assert read_sequence({}) is None


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=40))
def test_waves_keep_every_queue_in_sequence(kinds: list[tuple[str, bool]]) -> None:
    consumer = back_consumer()
    by_kind = {True: consumer.bindings[0], False: consumer.bindings[1]}
    events = [placed(key, n) if kind else cancelled(key, n) for n, (key, kind) in enumerate(kinds)]
    arrivals = [
        Arrival(record, LANE, place, {}, (LANE, record.key or b""), by_kind[kind])
        for place, (record, (_, kind)) in enumerate(zip(Lanes().write(*events), kinds, strict=True))
    ]
    calls: list[tuple[Binding, list[Arrival]]] = [
        (binding, taken) for wave in waves(arrivals) for binding, taken in wave.items()
    ]
    flat = [arrival for _, taken in calls for arrival in taken]
    assert sorted(each.sequence or 0 for each in flat) == [*range(len(kinds))]
    for key in b"abcd":
        of_key = [each.sequence for each in flat if each.queue[1] == bytes([key])]
        assert of_key == sorted(of_key, key=lambda sequence: sequence or 0)
    assert all(each.binding is binding for binding, taken in calls for each in taken)


def test_one_type_alone_is_one_wave() -> None:
    consumer = back_consumer()
    arrivals = [
        Arrival(record, LANE, 1, {}, (LANE, record.key or b""), consumer.bindings[0])
        for record in Lanes().write(*(placed(f"o{n % 3}", n) for n in range(50)))
    ]
    (wave,) = waves(arrivals)
    assert [len(taken) for taken in wave.values()] == [50]
    assert COUNTS.sequenced
