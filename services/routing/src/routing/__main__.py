"""Run with `python -m routing`."""

from routing.api import router
from routing.consume import consumer
from routing.schedule import schedule
from runtime.service import Service

service = Service(
    "routing",
    title="Routing: who ships what, and how far the work has come",
    router=router,
    consumer=consumer,
    schedule=schedule,
)

if __name__ == "__main__":
    service.main()
