"""Real Apache Kafka and real PostgreSQL without Docker, root or system packages.

Example:
    ```python
    with embedded.start(Path(".yipan")) as stack:
        stack.kafka.bootstrap  # "127.0.0.1:21733"
        stack.postgres.create_database("quota")  # "postgresql://quota:...@127.0.0.1:24310/quota"
    ```
"""

from embedded.errors import AlreadyRunning, DownloadFailed, PortTaken, StackError
from embedded.kafka import Kafka, KafkaOptions
from embedded.postgres import Postgres
from embedded.stack import Stack, erase, start

__all__ = [
    "AlreadyRunning",
    "DownloadFailed",
    "Kafka",
    "KafkaOptions",
    "PortTaken",
    "Postgres",
    "Stack",
    "StackError",
    "erase",
    "start",
]
