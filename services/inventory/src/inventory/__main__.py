"""Run with `python -m inventory`."""

from inventory.api import router
from inventory.consume import consumer
from runtime.service import Service

service = Service(
    "inventory", title="Stock, reservations and the stock ledger", router=router, consumer=consumer
)

if __name__ == "__main__":
    service.main()
