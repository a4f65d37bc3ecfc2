"""Run with `python -m ingest`."""

from ingest.api import router
from ingest.consume import consumer
from ingest.schedule import schedule
from runtime.service import Service

service = Service(
    "ingest",
    title="Ingest: one pool for the orders of every channel",
    router=router,
    consumer=consumer,
    schedule=schedule,
)

if __name__ == "__main__":
    service.main()
