"""The contracts as JSON Schema and AsyncAPI: `python -m contracts.schema write|check`.

The structs are the source. What is generated is committed, so that a change of a contract shows as
a change of a file, and readers in other languages need no Python.
"""

import argparse
import difflib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from inspect import cleandoc, getdoc
from pathlib import Path
from typing import Any, TypeAlias, get_args

import msgspec
from msgspec import inspect as structure

from contracts.event import Event
from contracts.topics import EVENTS, TOPICS, Topic, topic_of

JsonObject: TypeAlias = dict[str, Any]

FOLDER = Path(__file__).resolve().parents[2] / "schemas"
ASYNCAPI_FILE = "asyncapi.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
KAFKA_BINDING_VERSION = "0.5.0"
HOUR_MS = 3_600_000


def json_schema(event_type: type[Event]) -> JsonObject:
    """Return the schema (JSON Schema 2020-12) of an event's payload, complete in itself.

    Fields that it does not name are allowed: a later release may add some.
    """
    name = event_type.__name__
    definitions = _definitions([event_type], "#/$defs/{name}")
    body = definitions.pop(name)
    schema: JsonObject = {
        "$schema": DIALECT,
        "$id": f"urn:yipan:event:{name}:{event_type.version}",
        **body,
    }
    return schema | {"$defs": definitions} if definitions else schema


def asyncapi() -> JsonObject:
    """Return the AsyncAPI 3.0 document of all topics: channels, keys, partitions, messages."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Yipan events",
            "version": "1",
            "description": (
                "Every topic has one producing service. Records are CloudEvents 1.0 in binary mode:"
                " the type is in the header ce_type, the payload is the event alone. Events of one"
                " key arrive in the order of ce_sequence, which has no gaps on a partition."
            ),
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS.values()},
        "components": {
            "messages": {name: _message(event_type) for name, event_type in EVENTS.items()},
            "schemas": _definitions(list(EVENTS.values()), "#/components/schemas/{name}"),
        },
    }


def files() -> dict[str, str]:
    """Return what is committed: the text of each file by its path in the folder."""
    documents = {
        f"{name}/{event_type.version}.json": json_schema(event_type)
        for name, event_type in EVENTS.items()
    }
    documents[ASYNCAPI_FILE] = asyncapi()
    return {
        path: json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        for path, document in documents.items()
    }


def write(folder: Path) -> None:
    """Write the files and delete those of no event; schemas of an event's earlier versions stay."""
    for path, text in files().items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    for path in list(_strays(folder)):
        (folder / path).unlink()


def differences(folder: Path) -> list[str]:
    """Return the unified diff from the committed files to what the structs say now, in lines."""
    expected = files()
    lines: list[str] = []
    for path in sorted({*expected, *_strays(folder)}):
        target = folder / path
        committed = target.read_text(encoding="utf-8") if target.exists() else ""
        lines += difflib.unified_diff(
            committed.splitlines(),
            expected.get(path, "").splitlines(),
            f"committed/{path}",
            f"generated/{path}",
            lineterm="",
        )
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, or exit 1 with the differences when the committed ones are stale."""
    parser = argparse.ArgumentParser(prog="python -m contracts.schema", description=__doc__)
    parser.add_argument("action", choices=["write", "check"])
    if parser.parse_args(arguments).action == "write":
        write(FOLDER)
        return 0
    if lines := differences(FOLDER):
        sys.stdout.write("\n".join([*lines, ""]))
        return 1
    return 0


def _definitions(event_types: Sequence[type[Event]], reference: str) -> dict[str, JsonObject]:
    _, definitions = msgspec.json.schema_components(event_types, ref_template=reference)
    for struct in _structs(event_types):
        _mark_instants(definitions[struct.__name__], struct)
    for definition in definitions.values():
        if "description" in definition:
            # The text as Python reads it: msgspec keeps the indentation of the source.
            definition["description"] = cleandoc(definition["description"])
    return definitions


def _structs(event_types: Sequence[type[Event]]) -> set[type[msgspec.Struct]]:
    """Return the structs that events are made of, themselves included."""
    found: set[type[msgspec.Struct]] = set()
    todo: list[structure.Type] = list(structure.multi_type_info(event_types))
    while todo:
        match todo.pop():
            case structure.StructType(cls=struct, fields=fields) if struct not in found:
                found.add(struct)
                todo += [field.type for field in fields]
            case structure.VarTupleType(item_type=item):
                todo.append(item)
            case structure.UnionType(types=types):
                todo += types
            case _:
                pass
    return found


def _mark_instants(definition: JsonObject, struct: type[msgspec.Struct]) -> None:
    """Say `date-time` of instants, which msgspec leaves out where it admits naive ones."""
    for field in msgspec.structs.fields(struct):
        if datetime in (field.type, *get_args(field.type)):
            schema = definition["properties"][field.encode_name]
            for choice in schema.get("anyOf", [schema]):
                if choice["type"] == "string":
                    choice["format"] = "date-time"


def _channel(topic: Topic) -> JsonObject:
    keyed = f"keyed by {topic.key}" if topic.key else "keyed as the writer likes"
    entrance = "" if topic.sequenced else " An entrance: records are judged, not trusted."
    return {
        "address": topic.name,
        "description": f"Written by {topic.producer}, {keyed}.{entrance}",
        "messages": {
            event_type.__name__: {"$ref": f"#/components/messages/{event_type.__name__}"}
            for event_type in topic.events
        },
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": ["delete"],
                    "retention.ms": topic.retention_hours * HOUR_MS,
                },
                "bindingVersion": KAFKA_BINDING_VERSION,
            }
        },
    }


def _message(event_type: type[Event]) -> JsonObject:
    name, topic = event_type.__name__, topic_of(event_type)
    summary, _, description = (getdoc(event_type) or "").partition("\n\n")
    message: JsonObject = {"name": name, "title": name, "summary": " ".join(summary.split())}
    if description:
        message["description"] = description
    return message | {
        "contentType": "application/json",
        "headers": _headers(event_type, topic),
        "payload": {"$ref": f"#/components/schemas/{name}"},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": f"{topic.key} of the event"},
                "bindingVersion": KAFKA_BINDING_VERSION,
            }
        },
    }


def _headers(event_type: type[Event], topic: Topic) -> JsonObject:
    name = event_type.__name__
    properties: Mapping[str, JsonObject] = {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {
            "type": "string",
            "format": "uuid",
            "description": "follows from topic, partition and ce_sequence",
        },
        "ce_type": {"const": name},
        "ce_source": {"const": f"yipan/{topic.producer}"},
        "ce_time": {
            "type": "string",
            "format": "date-time",
            "description": "when the producer recorded the event; not for ordering",
        },
        "ce_sequence": {
            "type": "string",
            "pattern": "^[1-9][0-9]*$",
            "description": "counts the events of a partition from 1 without gaps",
        },
        "ce_dataschema": {"const": f"{name}/{event_type.version}"},
        "traceparent": {
            "type": "string",
            "pattern": "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
            "description": "W3C Trace Context of what caused the event; may be absent",
        },
    }
    required = [header for header in properties if header != "traceparent"]
    return {"type": "object", "properties": properties, "required": required}


def _strays(folder: Path) -> Iterator[str]:
    """Yield files of events that are no more, and of versions that never were."""
    for file in folder.glob("*/*.json"):
        event_type = EVENTS.get(file.parent.name)
        versions = range(1, event_type.version + 1) if event_type else ()
        if file.stem not in map(str, versions):
            yield f"{file.parent.name}/{file.name}"


if __name__ == "__main__":
    sys.exit(main())
