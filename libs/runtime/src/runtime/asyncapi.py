"""AsyncAPI of one service: the part of the contracts that it reads and publishes."""

import json
import re
from collections.abc import Iterable
from typing import Any

from backbone import Consumer
from contracts import schema
from contracts.topics import TOPICS, Topic

_REFERENCE = re.compile(r"#/components/schemas/(\w+)")


def document(name: str, title: str, version: str, consumer: Consumer | None) -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document of a service, with only the messages of its topics."""
    read = [] if consumer is None else consumer.topics
    published = [topic for topic in TOPICS.values() if topic.producer == name]
    names = {topic.name for topic in (*read, *published)}
    whole = schema.asyncapi()
    messages = _messages_of(topic for topic in TOPICS.values() if topic.name in names)
    return {
        **whole,
        "info": {**whole["info"], "title": title, "version": version},
        "channels": {key: value for key, value in whole["channels"].items() if key in names},
        "operations": {
            **{f"receive.{topic.name}": _operation("receive", topic) for topic in read},
            **{f"send.{topic.name}": _operation("send", topic) for topic in published},
        },
        "components": _components(whole["components"], messages),
    }


def _messages_of(topics: Iterable[Topic]) -> set[str]:
    return {event_type.__name__ for topic in topics for event_type in topic.events}


def _operation(action: str, topic: Topic) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{topic.name}"}}


def _components(whole: dict[str, Any], messages: set[str]) -> dict[str, Any]:
    kept = {name: each for name, each in whole["messages"].items() if name in messages}
    schemas: dict[str, Any] = {}
    todo = set(_REFERENCE.findall(json.dumps(kept)))
    while todo:
        name = todo.pop()
        schemas[name] = whole["schemas"][name]
        todo |= set(_REFERENCE.findall(json.dumps(schemas[name]))) - set(schemas)
    return {"messages": kept, "schemas": dict(sorted(schemas.items()))}
