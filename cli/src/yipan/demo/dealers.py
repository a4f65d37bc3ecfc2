"""The dealers' side of a story: they pay when orders wait for their limit."""

from collections import Counter

from yipan.http import Services


class Dealers:
    """Tops up accounts with waiting orders; `done` counts top-ups and the money in them."""

    def __init__(self, services: Services, story_name: str) -> None:
        self.done: Counter[str] = Counter()
        self._services = services
        self._story_name = story_name
        self._paid: Counter[str] = Counter()

    def top_up(self) -> int:
        """Pay what the waiting orders lack, and as much again; return how many dealers paid."""
        accounts = self._services.pages("quota", "/accounts")
        waiting = [account for account in accounts if account["waiting_orders"]]
        for account in waiting:
            account_id = account["account_id"]
            amount_minor = 2 * account["waiting_minor"] + max(-account["available_minor"], 0)
            self._paid[account_id] += 1
            self._services.post(
                "quota",
                f"/accounts/{account_id}/top-ups",
                {
                    "top_up_id": f"{self._story_name}-{account_id}-{self._paid[account_id]}",
                    "amount_minor": amount_minor,
                },
            )
            self.done["top-ups"] += 1
            self.done["topped up, minor units"] += amount_minor
        return len(waiting)
