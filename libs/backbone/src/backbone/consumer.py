"""What a service reacts to: its handlers by topic and event type, and the waves they run in."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from backbone.records import Batch, RawRecord
from backbone.transaction import Transaction
from contracts.event import Event
from contracts.topics import Topic

Handler: TypeAlias = Callable[[Batch[Any], Transaction], Awaitable[Sequence[Event]]]
WaitsFor: TypeAlias = Callable[[Batch[Any], Transaction], Awaitable[Mapping[int, str]]]
"""Says which records of a batch must wait, by index, and for what (`agreement:A1@3`)."""

H = TypeVar("H", bound=Handler)


@dataclass(frozen=True, slots=True, eq=False)
class Binding:
    """A handler and the event types of one topic it takes."""

    topic: Topic
    event_types: Sequence[type[Event] | type[RawRecord]]
    handler: Handler
    waits_for: WaitsFor | None


class Consumer:
    """The handlers of one service, which read as one Kafka group named like the service."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.bindings: list[Binding] = []

    def on(
        self,
        topic: Topic,
        *event_types: type[Event] | type[RawRecord],
        waits_for: WaitsFor | None = None,
    ) -> Callable[[H], H]:
        """Bind `async def handler(batch, tx) -> Sequence[Event]` to event types of a topic.

        With several types the handler gets them all, in sequence. Events of the topic that no
        handler takes are passed over. Foreign topics (`sequenced=False`) carry `RawRecord` alone.
        Records that `waits_for` names are parked with all later ones of their lane and key; the
        handler sees them when it no longer names them. ValueError for a type that the topic does
        not carry, that is taken already, or for none at all.
        """
        self._check(topic, event_types)

        def bind(handler: H) -> H:
            self.bindings.append(Binding(topic, event_types, handler, waits_for))
            return handler

        return bind

    @property
    def topics(self) -> list[Topic]:
        """The topics that are read, each once, in the order of the first binding."""
        return list({binding.topic.name: binding.topic for binding in self.bindings}.values())

    def _check(self, topic: Topic, event_types: Sequence[type]) -> None:
        carried: Sequence[type] = topic.events if topic.sequenced else (RawRecord,)
        if not event_types:
            raise ValueError(f"a handler of {topic.name} names no event type")
        for event_type in event_types:
            if event_type not in carried:
                raise ValueError(f"{topic.name} does not carry {event_type.__name__}")
            if any(event_type in b.event_types and b.topic == topic for b in self.bindings):
                raise ValueError(f"{event_type.__name__} of {topic.name} is taken already")
