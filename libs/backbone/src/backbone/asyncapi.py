"""The AsyncAPI document of a service: the topics it reads and writes, with their payloads."""

# pyright: reportMissingTypeStubs=false
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import msgspec
from faststream.kafka import KafkaBroker
from faststream.specification import AsyncAPI

from backbone.consumer import Consumer
from backbone.feed import decode, parse
from backbone.records import RawRecord
from contracts.event import Event
from contracts.topics import Topic

Json: TypeAlias = dict[str, Any]

SCHEMAS = "#/components/schemas/"
MESSAGES = "#/components/messages/"
HEADERS: Json = {
    "type": "object",
    "description": "CloudEvents 1.0, binary mode; values are UTF-8.",
    "properties": {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string", "format": "uuid"},
        "ce_type": {"type": "string", "description": "The name of the event type."},
        "ce_source": {"type": "string", "description": "yipan/ and the producing service."},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_sequence": {"type": "string", "description": "Counts on the partition from 1."},
        "ce_dataschema": {"type": "string", "description": "The event type, / and its version."},
        "traceparent": {"type": "string", "description": "W3C Trace Context."},
    },
    "required": ["ce_id", "ce_type", "ce_source", "ce_sequence"],
}


def asyncapi(service: str, consumer: Consumer, written: Iterable[Topic], version: str) -> Json:
    """Return the AsyncAPI 3 document of a service as JSON values; needs no connection.

    FastStream describes channels and operations as it wires them. It cannot read msgspec types and
    knows one message per topic, so messages and payloads are put in here. Channels are sorted:
    FastStream's order changes from run to run.
    """
    broker = KafkaBroker(apply_types=False, consumer_only=True)
    carried: dict[str, Sequence[type[Event | RawRecord]]] = {}
    described: dict[str, str] = {}
    for topic in consumer.topics:
        taken = [binding for binding in consumer.bindings if binding.topic.name == topic.name]
        subscriber = broker.subscriber(
            topic.name, group_id=service, batch=True, title=topic.name, parser=parse, decoder=decode
        )
        subscriber(_receive)
        carried[topic.name] = [each for binding in taken for each in binding.event_types]
        described[topic.name] = " ".join(filter(None, (b.handler.__doc__ for b in taken)))
    for topic in written:
        broker.publisher(topic.name, title=topic.name)
        carried[topic.name] = topic.events
    document: Json = (
        AsyncAPI(broker, title=service, version=version).to_specification().to_jsonable()
    )
    del document["servers"]  # where it runs is no part of the contract
    for name, channel in document["channels"].items():
        channel.pop("servers", None)
        channel["description"] = described.get(name, "")
        channel["messages"] = {each.__name__: _ref(MESSAGES, each) for each in carried[name]}
    for name, operation in document["operations"].items():
        operation["messages"] = [
            {"$ref": f"#/channels/{name}/messages/{each.__name__}"} for each in carried[name]
        ]
    document |= {part: dict(sorted(document[part].items())) for part in ("channels", "operations")}
    document["components"] = _components(carried.values())
    return document


def _components(carried: Iterable[Sequence[type[Event] | type[RawRecord]]]) -> Json:
    types = sorted({each for of_topic in carried for each in of_topic}, key=lambda t: t.__name__)
    events = [each for each in types if issubclass(each, Event)]
    _, schemas = msgspec.json.schema_components(events, ref_template=f"{SCHEMAS}{{name}}")
    if RawRecord in types:
        schemas["RawRecord"] = {"description": "Bytes of a stranger's making."}
    messages = {
        each.__name__: {
            "name": each.__name__,
            "title": each.__name__,
            "contentType": "application/json",
            "payload": _ref(SCHEMAS, each),
        }
        | ({"headers": {"$ref": f"{SCHEMAS}CloudEventsHeaders"}} if each in events else {})
        for each in types
    }
    schemas = {"CloudEventsHeaders": HEADERS} | dict(sorted(schemas.items()))
    return {"messages": messages, "schemas": schemas}


def _ref(section: str, event_type: type) -> Json:
    return {"$ref": f"{section}{event_type.__name__}"}


async def _receive(records: object) -> None:
    """Stand for the feed, which belongs to a process."""
