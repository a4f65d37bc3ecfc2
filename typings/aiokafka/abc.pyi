from abc import ABC
from collections.abc import Awaitable, Collection

from aiokafka.structs import TopicPartition

class ConsumerRebalanceListener(ABC):
    def on_partitions_revoked(
        self, revoked: Collection[TopicPartition]
    ) -> Awaitable[None] | None: ...
    def on_partitions_assigned(
        self, assigned: Collection[TopicPartition]
    ) -> Awaitable[None] | None: ...
