"""The published language keeps its own rules: one topic per event, keys, types, words."""

from collections import Counter
from collections.abc import Iterator
from enum import Enum
from inspect import getdoc, getmembers, isclass
from types import ModuleType
from typing import get_type_hints
from uuid import uuid5

import msgspec
import pytest
from msgspec import inspect as structure

from contracts import (
    availability,
    entries,
    fulfilments,
    holds,
    orders,
    plans,
    postings,
    reservations,
    statements,
    values,
)
from contracts.event import Event, Value
from contracts.ids import NAMESPACE_YIPAN, derive_id, event_id, order_id
from contracts.topics import EVENTS, ORDER_PARTITIONS, TOPICS, Topic, topic_of

MODULES: tuple[ModuleType, ...] = (
    availability,
    entries,
    fulfilments,
    holds,
    orders,
    plans,
    postings,
    reservations,
    statements,
    values,
)
COORDINATES = {"latitude", "longitude"}


def words() -> list[type]:
    """Return every class that the modules of contracts define."""
    return [
        word
        for module in MODULES
        for _, word in getmembers(module, isclass)
        if word.__module__ == module.__name__
    ]


def structs() -> list[type[msgspec.Struct]]:
    return [word for word in words() if issubclass(word, msgspec.Struct)]


def fields() -> Iterator[tuple[str, str, structure.Type]]:
    """Yield struct, field and type of every field, and again for what is inside the type."""
    for struct in structs():
        info = structure.type_info(struct)
        assert isinstance(info, structure.StructType)
        for field in info.fields:
            for kind in _unfolded(field.type):
                yield struct.__name__, field.name, kind


def _unfolded(kind: structure.Type) -> Iterator[structure.Type]:
    yield kind
    match kind:
        case structure.UnionType(types=types):
            for each in types:
                yield from _unfolded(each)
        case structure.VarTupleType(item_type=item):
            yield from _unfolded(item)
        case _:
            pass


def test_every_event_is_carried_by_exactly_one_topic() -> None:
    carried = Counter(event_type for topic in TOPICS.values() for event_type in topic.events)
    defined = [word for word in structs() if issubclass(word, Event)]
    assert set(carried) == set(defined)
    assert set(carried.values()) == {1}
    assert len(EVENTS) == len(defined), "two events of one name"
    assert all(event_type in topic_of(event_type).events for event_type in defined)


@pytest.mark.parametrize("topic", TOPICS.values(), ids=lambda topic: topic.name)
def test_every_event_has_the_key_of_its_topic(topic: Topic) -> None:
    for event_type in topic.events:
        hint = get_type_hints(event_type).get(topic.key)
        if hint is None:
            key = getattr(event_type, topic.key)
            assert isinstance(key, property)
            hint = get_type_hints(key.fget)["return"]
        assert hint is str, event_type


@pytest.mark.parametrize("topic", TOPICS.values(), ids=lambda topic: topic.name)
def test_a_topic_is_named_after_the_one_service_that_writes_it(topic: Topic) -> None:
    assert topic.name.partition(".")[0] == topic.producer
    if topic.key == "order_id":
        assert topic.partitions == ORDER_PARTITIONS


def test_an_order_keeps_its_partition_through_every_hop() -> None:
    keyed = [topic for topic in TOPICS.values() if topic.key == "order_id"]
    for number in range(50):
        key = order_id("taobao", "luming", str(number))
        assert len({topic.partition_of(key) for topic in keyed}) == 1


def test_partitions_are_those_of_librdkafka_consistent() -> None:
    # crc32("hello") = 0x3610a686, so 907060870 modulo 6
    assert topic_of(orders.OrderAccepted).partition_of("hello") == 907060870 % 6


def test_ids_never_change() -> None:
    assert order_id("taobao", "luming", "1") == "1b65d41e-c7d3-59db-bf93-e7c85bacb839"
    assert event_id("ingest.orders", 0, 1) == "18533f8e-a815-56e5-aff2-6aa25c93cc70"


def test_ids_are_version_5_uuids_of_the_joined_parts() -> None:
    names = {f"清/{number}": derive_id("清", number) for number in range(500)}
    assert names == {name: str(uuid5(NAMESPACE_YIPAN, name)) for name in names}


def test_no_field_holds_a_float_but_coordinates() -> None:
    floats = {
        (struct, field) for struct, field, kind in fields() if isinstance(kind, structure.FloatType)
    }
    assert {field for _, field in floats} <= COORDINATES, floats


def test_sequences_are_tuples_so_that_events_cannot_change() -> None:
    mutable = structure.ListType | structure.SetType | structure.DictType | structure.AnyType
    assert not [where for *where, kind in fields() if isinstance(kind, mutable)]


def test_events_and_their_parts_are_frozen() -> None:
    for struct in structs():
        assert issubclass(struct, Event | Value)
        assert struct.__struct_config__.frozen, struct
        assert not struct.__struct_config__.forbid_unknown_fields, "readers let new fields pass"


def test_every_word_has_its_own_explanation() -> None:
    for word in words():
        described = getdoc(word)
        inherited = {getdoc(ancestor) for ancestor in word.__mro__[1:]}
        assert described, word
        assert described not in inherited, word


def test_every_closed_list_is_of_snake_case_words() -> None:
    enums = [word for word in words() if issubclass(word, Enum)]
    assert enums
    for enum in enums:
        for member in enum:
            assert member.value == member.name.lower()
