"""Opens arrivals: judges their envelope and decodes their payload for the handler that takes it."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import msgspec

from backbone.consumer import Binding, Consumer
from backbone.headers import EVENT_ID, TRACEPARENT, source_of
from backbone.positions import Arrival
from backbone.records import RawRecord, Record
from contracts.event import Event
from contracts.ids import event_id
from contracts.topics import Topic

TYPE_CHARACTERS_MAX = 100
VERSION = re.compile(r"[1-9][0-9]{0,5}")


class Fault(NamedTuple):
    """Why a record cannot be applied. `blocks`: later records of its key must not overtake it."""

    reason: str
    blocks: bool


class Unknown(NamedTuple):
    """What a record waits for that only a newer program can read: `schema:<Type>/<version>`."""

    awaits: str


@dataclass(frozen=True, slots=True)
class _Format:
    """How one event type of a topic is read, and by which handler (None: nobody takes it)."""

    name: str
    version: int
    binding: Binding | None
    decoder: msgspec.json.Decoder[Event]


class _TopicFormats:
    """The formats of one topic by the bytes of `ce_type`, and the source its records must name."""

    def __init__(self, topic: Topic, consumer: Consumer) -> None:
        self.topic = topic
        self.source = source_of(topic.producer)
        bindings = [binding for binding in consumer.bindings if binding.topic.name == topic.name]
        takers = {each: binding for binding in bindings for each in binding.event_types}
        self.foreign = takers.get(RawRecord)
        self.by_type = {
            each.__name__.encode(): _Format(
                each.__name__, each.version, takers.get(each), msgspec.json.Decoder(each)
            )
            for each in topic.events
        }


class Reader:
    """Opens the arrivals of one consumer's topics."""

    def __init__(self, consumer: Consumer) -> None:
        self._topics = {topic.name: _TopicFormats(topic, consumer) for topic in consumer.topics}
        self._time: tuple[bytes, datetime] | None = None

    def is_sequenced(self, topic: str) -> bool:
        """Tell whether a topic is ours, with sequences, and not a stranger's entrance."""
        return self._topics[topic].topic.sequenced

    def judge(self, arrival: Arrival) -> Fault | None:
        """Judge what places a record: its sequence, its source and its key.

        Such faults block nothing, as there is no key to be trusted.
        """
        formats = self._topics[arrival.lane[0]]
        if not formats.topic.sequenced:
            return None
        if arrival.sequence is None:
            return Fault("ce_sequence is missing or no number from 1 to 2^63 - 1", blocks=False)
        if arrival.headers.get("ce_source") != formats.source:
            return Fault(f"ce_source is not {formats.source.decode()}", blocks=False)
        if not arrival.raw.key:
            return Fault("the key is missing", blocks=False)
        return None

    def open(self, arrival: Arrival, now: datetime) -> Fault | Unknown | None:
        """Decode the payload into `arrival.record`, with the binding that takes it.

        Both stay None for a type that no handler takes. Headers that are broken and not needed do
        no harm: without a readable version the first is meant, without a time `now`.
        """
        formats = self._topics[arrival.lane[0]]
        if formats.foreign is not None:
            self._open_foreign(arrival, formats.foreign, now)
            return None
        fault = _judge_body(arrival)
        if fault is not None:
            return fault
        kind = arrival.headers["ce_type"] or b""
        form = formats.by_type.get(kind)
        version = _version(arrival.headers.get("ce_dataschema"))
        if form is None:
            return Unknown(f"schema:{_legible(kind)}/{version}")
        if form.binding is not None and version > form.version:
            return Unknown(f"schema:{form.name}/{version}")
        return None if form.binding is None else self._decode(arrival, form, formats.topic, now)

    def _decode(self, arrival: Arrival, form: _Format, topic: Topic, now: datetime) -> Fault | None:
        raw, headers = arrival.raw, arrival.headers
        try:
            event = form.decoder.decode(raw.value or b"")
            key = topic.key_of(event).encode()
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            return Fault(f"{form.name}: {_legible(str(error).encode(errors='replace'))}", True)
        if key != raw.key:
            return Fault(f"the key is not the {topic.key} of the {form.name}", blocks=False)
        arrival.binding = form.binding
        arrival.record = Record(
            event,
            (headers["ce_id"] or b"").decode(),
            raw.topic,
            raw.partition,
            arrival.sequence or 0,
            self._recorded_at(headers.get("ce_time"), now),
            _traceparent(headers.get("traceparent")),
        )
        return None

    def _open_foreign(self, arrival: Arrival, binding: Binding, now: datetime) -> None:
        raw = arrival.raw
        arrival.binding = binding
        arrival.record = Record(
            RawRecord(raw.key, raw.value, raw.headers),
            event_id(raw.topic, raw.partition, raw.offset),
            raw.topic,
            raw.partition,
            raw.offset,
            now,
            _traceparent(dict(raw.headers).get("traceparent")),
        )

    def _recorded_at(self, text: bytes | None, now: datetime) -> datetime:
        """Read a time; the events of a chunk share one, so the last is kept."""
        if text is None:
            return now
        if self._time is not None and self._time[0] == text:
            return self._time[1]
        try:
            time = datetime.fromisoformat(text.decode())
        except ValueError:
            return now
        if time.tzinfo is None:
            return now
        self._time = (text, time)
        return time


def _judge_body(arrival: Arrival) -> Fault | None:
    if arrival.raw.value is None:
        return Fault("the payload is missing (a tombstone)", blocks=True)
    identity = arrival.headers.get("ce_id")
    if identity is None or not EVENT_ID.fullmatch(identity):
        return Fault("ce_id is missing or no UUID", blocks=True)
    if not arrival.headers.get("ce_type"):
        return Fault("ce_type is missing", blocks=True)
    return None


def _version(dataschema: bytes | None) -> int:
    text = (dataschema or b"").decode(errors="replace").rpartition("/")[2]
    return int(text) if VERSION.fullmatch(text) else 1


def _traceparent(text: bytes | None) -> str | None:
    if text is None or not TRACEPARENT.fullmatch(text):
        return None
    return text.decode()


def _legible(text: bytes) -> str:
    return text.decode(errors="replace").replace("\x00", "�")[:TYPE_CHARACTERS_MAX]
