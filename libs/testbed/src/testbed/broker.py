"""Kafka as the other services see it: events published with their sequences, topics collected."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from backbone.records import StoredRecord
from contracts.event import Event
from contracts.topics import TOPICS, Topic
from testbed.clock import START
from testbed.lanes import Lanes, decode

TIMEOUT_S = 20
POLL_MS = 200
POLL_S = 0.05


class Broker:
    """A client of the broker for one test; open it with `async with`."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._lanes = Lanes()

    async def __aenter__(self) -> Self:
        self._admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        self._producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, enable_idempotence=True)
        await self._admin.start()
        await self._producer.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._producer.stop()
        await self._admin.close()

    async def empty(self) -> None:
        """Make every topic of the contracts anew, so that no earlier test is read."""
        old = sorted(set(await self._admin.list_topics()) & set(TOPICS))
        if old:
            await self._admin.delete_topics(old)
            await self._until(lambda topics: not topics & set(old))
        new = [NewTopic(topic.name, topic.partitions, 1) for topic in TOPICS.values()]
        await self._admin.create_topics(new)
        await self._until(lambda topics: topics >= set(TOPICS))

    async def publish(self, events: Iterable[Event]) -> None:
        """Write events as their producers' relays would: keyed, with headers and sequences."""
        for record in self._lanes.write(events, START):
            await self._send(record)

    async def publish_raw(
        self,
        topic: Topic,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Write what a stranger may write to a topic."""
        partition = topic.partition_of((key or b"").decode(errors="replace"))
        await self._producer.send_and_wait(
            topic.name, value, key=key, partition=partition, headers=headers
        )

    async def collect(self, topic: Topic, count: int, timeout_s: float = TIMEOUT_S) -> list[Event]:
        """Return all events of a topic, from its beginning, lane by lane, once there are `count`.

        What a killed relay wrote twice counts once, as it does for every reader.

        Raises:
            AssertionError: fewer or more came in time; it shows which.
        """
        lanes = [TopicPartition(topic.name, index) for index in range(topic.partitions)]
        found: dict[TopicPartition, dict[bytes, Event]] = {lane: {} for lane in lanes}
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
        )
        consumer.assign(lanes)
        loop = asyncio.get_running_loop()
        end_s = loop.time() + timeout_s
        async with consumer:
            while sum(map(len, found.values())) < count and loop.time() < end_s:
                for lane, records in (await consumer.getmany(timeout_ms=POLL_MS)).items():
                    for record in records:
                        headers = dict(record.headers)
                        event = decode(headers["ce_type"].decode(), record.value or b"")
                        found[lane].setdefault(headers["ce_id"], event)
        events = [event for lane in lanes for event in found[lane].values()]
        assert len(events) == count, f"{len(events)} events of {count} in {topic.name}: {events}"
        return events

    async def _until(self, is_reached: Callable[[set[str]], bool]) -> None:
        """Wait until the broker's topics are as wished; it makes and deletes them by and by."""
        async with asyncio.timeout(TIMEOUT_S):
            # The broker does the work, so there is no event of this process to wait for.
            while not is_reached(set(await self._admin.list_topics())):  # noqa: ASYNC110
                await asyncio.sleep(POLL_S)

    async def _send(self, record: StoredRecord) -> None:
        headers = [(name, value) for name, value in record.headers if value is not None]
        await self._producer.send_and_wait(
            record.topic,
            record.value,
            key=record.key,
            partition=record.partition,
            headers=headers,
        )
