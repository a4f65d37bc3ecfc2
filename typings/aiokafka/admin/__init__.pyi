from collections.abc import Mapping, Sequence
from ssl import SSLContext
from typing import Any

from aiokafka.structs import OffsetAndMetadata, TopicPartition

class NewTopic:
    name: str
    def __init__(
        self,
        name: str,
        num_partitions: int,
        replication_factor: int,
        replica_assignments: Mapping[int, Sequence[int]] | None = ...,
        topic_configs: Mapping[str, str] | None = ...,
    ) -> None: ...

class NewPartitions:
    def __init__(
        self, total_count: int, new_assignments: Sequence[Sequence[int]] | None = ...
    ) -> None: ...

class RecordsToDelete:
    def __init__(self, before_offset: int) -> None: ...

class AIOKafkaAdminClient:
    def __init__(
        self,
        *,
        bootstrap_servers: str | list[str] = ...,
        client_id: str = ...,
        request_timeout_ms: int = ...,
        connections_max_idle_ms: int = ...,
        retry_backoff_ms: int = ...,
        metadata_max_age_ms: int = ...,
        security_protocol: str = ...,
        ssl_context: SSLContext | None = ...,
    ) -> None: ...
    async def start(self) -> None: ...
    async def close(self) -> None: ...
    async def create_topics(
        self,
        new_topics: Sequence[NewTopic],
        timeout_ms: int | None = ...,
        validate_only: bool = ...,
    ) -> Any: ...
    async def delete_topics(self, topics: Sequence[str], timeout_ms: int | None = ...) -> Any: ...
    async def list_topics(self) -> list[str]: ...
    async def describe_topics(self, topics: Sequence[str] | None = ...) -> list[dict[str, Any]]: ...
    async def describe_cluster(self) -> dict[str, Any]: ...
    async def create_partitions(
        self,
        topic_partitions: Mapping[str, NewPartitions],
        timeout_ms: int | None = ...,
        validate_only: bool = ...,
    ) -> Any: ...
    async def list_consumer_group_offsets(
        self,
        group_id: str,
        group_coordinator_id: int | None = ...,
        partitions: Sequence[TopicPartition] | None = ...,
    ) -> dict[TopicPartition, OffsetAndMetadata]: ...
    async def delete_records(
        self,
        records_to_delete: Mapping[TopicPartition, RecordsToDelete],
        timeout_ms: int | None = ...,
    ) -> dict[TopicPartition, int]: ...
