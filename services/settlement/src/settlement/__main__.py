"""Run with `python -m settlement`."""

from runtime.service import Service
from settlement.api import router
from settlement.consume import consumer
from settlement.schedule import schedule

service = Service(
    "settlement",
    title="Settlement: who earned what",
    router=router,
    consumer=consumer,
    schedule=schedule,
)

if __name__ == "__main__":
    service.main()
