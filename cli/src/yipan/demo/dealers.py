"""The dealers' side of a story: they pay when orders wait for their limit."""

from collections import Counter

from yipan.demo.story import Document
from yipan.http import Services

PAGE = 200


class Dealers:
    """Tops up accounts with waiting orders; `done` counts top-ups and the money in them."""

    def __init__(self, services: Services) -> None:
        self.done: Counter[str] = Counter()
        self._services = services
        self._paid: Counter[str] = Counter()

    def top_up(self) -> int:
        """Pay what the waiting orders lack, and as much again; return how many dealers paid."""
        waiting = [account for account in self._accounts() if account["waiting_orders"]]
        for account in waiting:
            account_id = account["account_id"]
            amount_minor = 2 * account["waiting_minor"] + max(-account["available_minor"], 0)
            self._paid[account_id] += 1
            self._services.post(
                "quota",
                f"/accounts/{account_id}/top-ups",
                {
                    "top_up_id": f"{account_id}-{self._paid[account_id]}",
                    "amount_minor": amount_minor,
                },
            )
            self.done["top-ups"] += 1
            self.done["topped up, minor units"] += amount_minor
        return len(waiting)

    def _accounts(self) -> list[Document]:
        accounts: list[Document] = []
        query: dict[str, str | int] = {"limit": PAGE}
        while True:
            page = self._services.get("quota", "/accounts", **query)
            accounts += page["items"]
            if not page["next"]:
                return accounts
            query["after"] = page["next"]
