"""The checkers of the proofs on hand-made histories: each bad one is found, the good ones pass."""

import time

import pytest

from prove.acceptance import violations
from prove.bounds import FORBIDDEN, Steadiness
from prove.faults import Fault, Injected, Kind, overlapping, plan
from prove.logs import Counted, Entry, LaneLog, violations_of_reader, violations_of_writers
from prove.recovery import is_applied

LANE: tuple[str, int] = ("ingest.orders", 3)
GOOD = Counted(next_offset=4, last_seq=3, applied=3, duplicates=1, dead=0, parked=0)
TARGETS = ("ingest", "ingest-2", "kafka", "postgres")


def log_of(*entries: tuple[int | None, bytes]) -> LaneLog:
    log = LaneLog()
    for offset, (sequence, digest) in enumerate(entries):
        log.take(Entry(offset, sequence, digest))
    return log


def lane() -> LaneLog:
    """Return a log of three events, the second of them twice."""
    return log_of((1, b"a"), (2, b"b"), (2, b"b"), (3, b"c"))


def test_an_acknowledged_order_that_is_not_stored_is_found() -> None:
    assert violations({"1", "2"}, {"1", "2"}, {"1"}) == ["2 was acknowledged and is not stored"]


def test_an_order_that_nobody_sent_is_found() -> None:
    assert violations({"1"}, {"1"}, {"1", "9"}) == ["9 is stored and was never sent"]


def test_an_order_without_an_answer_may_be_there_or_not() -> None:
    assert violations({"1", "2", "3"}, {"1"}, {"1", "2"}) == []


def test_a_log_with_repetitions_and_filled_holes_is_good() -> None:
    log = log_of((1, b"a"), (3, b"c"), (4, b"d"), (2, b"b"), (3, b"c"), (4, b"d"))
    assert violations_of_writers({LANE: log}, {LANE: 4}) == []
    assert (log.skipped, log.repeated) == (2, 0)


def test_a_hole_that_is_never_filled_is_found() -> None:
    log = log_of((1, b"a"), (3, b"c"), (4, b"d"))
    assert violations_of_writers({LANE: log}, {LANE: 4}) == [
        f"{LANE}: 4 committed, only 1 published"
    ]


def test_a_phantom_is_found() -> None:
    assert violations_of_writers({LANE: lane()}, {LANE: 2}) == [
        f"{LANE}: 3 published, only 2 committed"
    ]


def test_one_sequence_with_two_contents_is_found() -> None:
    log = log_of((1, b"a"), (2, b"b"), (2, b"x"))
    assert violations_of_writers({LANE: log}, {LANE: 2}) == [
        f"{LANE}: offset 2 repeats 2 otherwise"
    ]


def test_a_lane_that_was_never_written_is_found() -> None:
    assert violations_of_writers({}, {LANE: 1}) == [f"{LANE}: 1 committed, only 0 published"]


def test_a_reader_that_counted_everything_is_good() -> None:
    assert violations_of_reader("quota", {LANE: lane()}, {LANE: GOOD}) == []
    assert violations_of_reader("directory", {LANE: lane()}, {}) == []


@pytest.mark.parametrize(
    "row",
    [
        Counted(next_offset=4, last_seq=3, applied=4, duplicates=0, dead=0, parked=0),
        Counted(next_offset=4, last_seq=3, applied=2, duplicates=1, dead=0, parked=0),
        Counted(next_offset=3, last_seq=2, applied=2, duplicates=1, dead=0, parked=0),
        Counted(next_offset=4, last_seq=3, applied=2, duplicates=2, dead=0, parked=0),
    ],
    ids=["doubled", "swallowed", "unread", "lost as a duplicate"],
)
def test_a_reader_that_miscounts_is_found(row: Counted) -> None:
    assert violations_of_reader("quota", {LANE: lane()}, {LANE: row})


def test_a_stray_record_must_be_dead_and_no_more() -> None:
    log = log_of((1, b"a"), (None, b"?"))
    dead = Counted(next_offset=2, last_seq=1, applied=1, duplicates=0, dead=1, parked=0)
    lost = Counted(next_offset=2, last_seq=1, applied=1, duplicates=1, dead=0, parked=0)
    assert violations_of_reader("quota", {LANE: log}, {LANE: dead}) == []
    assert violations_of_reader("quota", {LANE: log}, {LANE: lost})


def test_a_cursor_that_falls_back_is_found() -> None:
    steady = Steadiness()
    assert steady.violations("quota", {"a": 5}) == []
    assert steady.violations("routing", {"a": 1}) == []
    assert steady.violations("quota", {"a": 5, "b": 1}) == []
    assert steady.violations("quota", {"a": 4, "b": 1}) == ["quota a fell from 5 to 4"]
    assert steady.violations("quota", {"a": 4}) == ["quota a fell from 5 to 4"]


def test_recovery_waits_for_the_last_reader() -> None:
    ahead = {"quota": {LANE: 7}, "routing": {LANE: 7}, "settlement": {LANE: 7}, "inventory": {}}
    assert is_applied({LANE: 7}, ahead)
    assert not is_applied({LANE: 7}, ahead | {"routing": {LANE: 6}})
    assert not is_applied({LANE: 7}, ahead | {"quota": {}})


def test_a_plan_follows_from_its_seed() -> None:
    faults = plan(7, TARGETS, 100, 2.0)
    assert faults == plan(7, TARGETS, 100, 2.0) != plan(8, TARGETS, 100, 2.0)
    assert len(faults) == 100
    assert {fault.target for fault in faults} == set(TARGETS)
    assert {fault.kind for fault in faults} == set(Kind)
    assert all(fault.lasts_s > 6 for fault in faults if fault.kind is Kind.FREEZE)


def test_faults_overlap_until_their_process_answers() -> None:
    now_s = time.monotonic()
    fault = Fault(0, "ingest", Kind.KILL)
    spans = [(0, 5), (1, 2), (3, 4), (4.5, 6)]
    assert overlapping([Injected(fault, now_s + a, now_s + b) for a, b in spans]) == 2
    assert overlapping([Injected(fault, 0, None), Injected(fault, 1, 2)]) == 2


def test_every_forbidden_state_has_a_promise() -> None:
    assert {name[:2] for each in FORBIDDEN.values() for name in each} == {"G5", "G6", "G7"}
