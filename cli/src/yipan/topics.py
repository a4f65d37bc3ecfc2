"""Kafka's topics as the contracts declare them: made when missing, compared when there."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from contracts.topics import TOPICS, Topic

REQUEST_TIMEOUT_MS = 20_000
EVENT_BYTES_MAX = 1_048_576


class TopicState(StrEnum):
    """How a topic on the broker compares with its contract."""

    OK = "ok"
    MISSING = "missing"
    CREATED = "created"
    WRONG_PARTITIONS = "wrong partitions"


@dataclass(frozen=True, slots=True)
class TopicReport:
    """One topic, what was found, and what it should be."""

    topic: Topic
    state: TopicState
    partitions_found: int


async def compare(bootstrap: str) -> list[TopicReport]:
    """Return the state of every topic, by name; changes nothing."""
    admin = _admin(bootstrap)
    await admin.start()
    try:
        return await _compare(admin)
    finally:
        await admin.close()


async def apply(bootstrap: str, replication: int = 1) -> list[TopicReport]:
    """Make the topics that are missing; never change one that is there.

    A partition count is not raised in place: a key would move to another lane, and an order's
    events would no longer be in sequence.
    """
    admin = _admin(bootstrap)
    await admin.start()
    try:
        reports = await _compare(admin)
        missing = [each.topic for each in reports if each.state is TopicState.MISSING]
        if missing:
            await admin.create_topics([_new(topic, replication) for topic in missing])
        return [
            TopicReport(each.topic, TopicState.CREATED, each.topic.partitions)
            if each.topic in missing
            else each
            for each in reports
        ]
    finally:
        await admin.close()


def _admin(bootstrap: str) -> AIOKafkaAdminClient:
    return AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=REQUEST_TIMEOUT_MS)


async def _compare(admin: AIOKafkaAdminClient) -> list[TopicReport]:
    # Asking for all topics: a question for a missing one by name would be an error for all.
    described = cast("Sequence[dict[str, Any]]", await admin.describe_topics())
    found = {each["topic"]: len(each["partitions"]) for each in described}
    return [_report(topic, found.get(name, 0)) for name, topic in sorted(TOPICS.items())]


def _report(topic: Topic, partitions_found: int) -> TopicReport:
    if not partitions_found:
        return TopicReport(topic, TopicState.MISSING, 0)
    same = partitions_found == topic.partitions
    return TopicReport(
        topic, TopicState.OK if same else TopicState.WRONG_PARTITIONS, partitions_found
    )


def _new(topic: Topic, replication: int) -> NewTopic:
    return NewTopic(
        name=topic.name,
        num_partitions=topic.partitions,
        replication_factor=replication,
        topic_configs={
            "cleanup.policy": "delete",
            "retention.ms": str(topic.retention_hours * 3_600_000),
            "max.message.bytes": str(EVENT_BYTES_MAX),
        },
    )
