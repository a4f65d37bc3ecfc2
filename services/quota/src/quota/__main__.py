"""Run with `python -m quota`."""

from quota.api import router
from quota.consume import consumer
from quota.schedule import schedule
from runtime.service import Service

service = Service(
    "quota",
    title="Quota: what dealers may still order",
    router=router,
    consumer=consumer,
    schedule=schedule,
)

if __name__ == "__main__":
    service.main()
