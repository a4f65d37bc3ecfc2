"""CloudEvents headers: what a relay writes is what a reader understands."""

from datetime import UTC, datetime

from backbone_sample import NOW, ORDERS, back_consumer, encode, placed
from hypothesis import given, settings
from hypothesis import strategies as st

from backbone.headers import HeaderWriter, headers_for, pack_headers, unpack_headers
from backbone.positions import Arrival
from backbone.reading import Reader
from backbone.records import StoredRecord
from contracts.ids import event_id


@settings(max_examples=50)
@given(st.lists(st.tuples(st.text(max_size=9), st.binary(max_size=9) | st.none()), max_size=9))
def test_headers_are_kept_byte_by_byte(headers: list[tuple[str, bytes | None]]) -> None:
    assert unpack_headers(pack_headers(headers)) == headers


@settings(max_examples=50)
@given(st.text(min_size=1).filter(lambda text: text.isprintable()), st.integers(1, 2**63 - 1))
def test_an_event_is_read_as_it_was_written(order_id: str, sequence: int) -> None:
    event = placed(order_id, 7, "any")
    partition = ORDERS.partition_of(order_id)
    headers = headers_for(event, ORDERS, partition, sequence, NOW)
    lane = (ORDERS.name, partition)
    raw = StoredRecord(*lane, 0, order_id.encode(), encode(event), [*headers])
    arrival = Arrival(raw, lane, sequence, dict(headers), (lane, b""))
    reader = Reader(back_consumer())
    assert reader.judge(arrival) is None
    assert reader.open(arrival, datetime.now(UTC)) is None
    assert arrival.record is not None
    assert arrival.record.event == event
    assert arrival.record.event_id == event_id(*lane, sequence)
    assert arrival.record.recorded_at == NOW
    assert (arrival.record.sequence, arrival.record.traceparent) == (sequence, None)


@settings(max_examples=50)
@given(st.text(max_size=20), st.integers(0, 99), st.integers(1, 2**63 - 1))
def test_an_id_follows_from_lane_and_sequence(topic: str, partition: int, sequence: int) -> None:
    headers = dict(HeaderWriter((topic, partition), b"yipan/x", NOW).write(sequence, "Placed/1"))
    assert headers["ce_id"].decode() == event_id(topic, partition, sequence)
