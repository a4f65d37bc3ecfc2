"""The rules without a database: allocation, versions, statuses, the order of facts."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.values import Service
from ingest.decide.allocate import allocate
from ingest.decide.check import is_below_province
from ingest.decide.status import status_of
from ingest.decide.take import Relation, relate
from ingest.gateway.digest import order_digest, raw_input
from ingest.model.order import Consumer, Entrance, Line, Order, Submission
from ingest.model.pool import Counters, Pooled, Status

NOW = datetime(2026, 1, 15, 8, tzinfo=UTC)
ORDER = Order(
    channel="shopify",
    shop_id="shop-1",
    channel_order_number="1001",
    version=3,
    updated_at=None,
    currency="CNY",
    lines=[Line("1", "CUP", 1, 100)],
    freight_minor=0,
    total_minor=100,
    payments=(),
    region_code="CN-310105",
    latitude=None,
    longitude=None,
    placed_at=NOW,
    paid_at=NOW,
    service=Service.SHIP,
)


@given(
    amount=st.integers(0, 10**12),
    weights=st.lists(st.integers(0, 10**9), min_size=1, max_size=50),
)
def test_shares_add_up_and_are_within_one_unit(amount: int, weights: list[int]) -> None:
    shares = allocate(amount, weights)
    assert sum(shares) == amount
    total = sum(weights)
    for share, weight in zip(shares, weights, strict=True):
        if total:
            assert abs(share * total - amount * weight) < total
        assert share >= 0


def test_nobody_can_be_given_a_share() -> None:
    with pytest.raises(ValueError, match="nobody"):
        allocate(1, [])


def submission(order: Order, note: str = "", *, replaces: bool = True) -> Submission:
    consumer = Consumer(memo=note)
    raw = raw_input(Entrance.TOPIC, ("shopify", "shop-1"), b"")
    return Submission(order, consumer, order_digest(order, consumer), raw, "x", replaces=replaces)


def known(order: Order = ORDER) -> Pooled:
    first = submission(order)
    return Pooled(
        order.order_id, order, first.consumer, first.content_hash, first_hash=first.content_hash
    )


@pytest.mark.parametrize(
    ("version", "note", "relation"),
    [
        (2, "new", Relation.STALE),
        (3, "", Relation.REPEATED),
        (3, "new", Relation.VERSION_CONFLICT),
        (4, "", Relation.NEXT),
        (4, "new", Relation.NEXT),
        (5, "new", Relation.EARLY),
    ],
)
def test_counted_versions_have_no_gap(version: int, note: str, relation: Relation) -> None:
    assert relate(known(), submission(replace(ORDER, version=version), note)) is relation


@pytest.mark.parametrize(
    ("minute", "note", "relation"),
    [
        (4, "new", Relation.STALE),
        (5, "", Relation.REPEATED),
        (5, "new", Relation.VERSION_CONFLICT),
        (6, "new", Relation.NEXT),
    ],
)
def test_dated_versions_follow_their_time(minute: int, note: str, relation: Relation) -> None:
    dated = replace(ORDER, version=None, updated_at=NOW.replace(minute=5))
    later = replace(dated, updated_at=NOW.replace(minute=minute))
    assert relate(known(dated), submission(later, note)) is relation


def test_a_creation_is_compared_by_content_alone() -> None:
    later = replace(ORDER, version=4)
    assert relate(known(), submission(later, replaces=False)) is Relation.REPEATED
    assert relate(known(), submission(later, "new", replaces=False)) is Relation.CONFLICT
    assert relate(None, submission(later, replaces=False)) is Relation.NEW


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_an_accepted_order_has_a_status_for_any_counters(
    cancelled: int, shipped: int, delivered: int, returned: int
) -> None:
    counters = Counters(
        ordered_units=9,
        cancelled_units=cancelled,
        shipped_units=shipped,
        delivered_units=delivered,
        returned_units=returned,
    )
    pooled = Pooled("o", counters={"1": counters}, accepted_at=NOW)
    status = status_of(pooled)
    assert (status is Status.CANCELLED) == (cancelled == 9)


@pytest.mark.parametrize(
    ("region_code", "is_below"),
    [
        ("CN", False),
        ("CN-31", False),
        ("CN-310000", False),
        ("CN-3101", True),
        ("CN-310105", True),
        ("BR-SP", False),
        ("BR-SP-01012", True),
        ("SG-018956", True),
        ("SG", False),
    ],
)
def test_a_province_is_no_address(region_code: str, is_below: bool) -> None:  # noqa: FBT001
    assert is_below_province(region_code) is is_below
