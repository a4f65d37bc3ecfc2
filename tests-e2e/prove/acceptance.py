"""Checks that every order whose acceptance was answered is stored, and nothing else is (G1, G2)."""

from collections.abc import Collection, Mapping
from typing import Any

import psycopg

from yipan.http import Services

STORED = """
SELECT channel_order_number FROM pool_order WHERE channel_order_number IS NOT NULL
UNION SELECT channel_order_number FROM quarantine WHERE channel_order_number IS NOT NULL
"""
RAW = (
    "SELECT count(*) FROM pool_order AS o LEFT JOIN raw_input USING (raw_id) WHERE content IS NULL"
)


class RecordingServices(Services):
    """Calls services and notes what was sent to ingest and what it answered to it.

    A number is in `sent` before its first byte leaves; in `acked`, with the state that it was
    answered, only after a 2xx arrived. `twice` has those that got two different answers.
    """

    def __init__(self, urls: Mapping[str, str], patience_s: float) -> None:
        super().__init__(urls, patience_s)
        self.sent: set[str] = set()
        self.acked: dict[str, str] = {}
        self.twice: dict[str, tuple[str, str]] = {}

    def post(self, service: str, path: str, body: Any) -> Any:
        """Note orders on their way out and their answers on the way back."""
        if (service, path) != ("ingest", "/orders/bulk"):
            return super().post(service, path, body)
        numbers = [str(order["order_number"]) for order in body["orders"]]
        self.sent.update(numbers)
        answer = super().post(service, path, body)
        for number, result in zip(numbers, answer["results"], strict=True):
            if result["status"] < 300:
                self._note(number, result["state"])
        return answer

    def _note(self, number: str, state: str) -> None:
        before = self.acked.setdefault(number, state)
        if before != state:
            self.twice[number] = (before, state)


def violations(sent: Collection[str], acked: Collection[str], stored: Collection[str]) -> list[str]:
    """Return what was answered and is not stored, and what is stored and was never sent."""
    lost = sorted(set(acked) - set(stored))
    invented = sorted(set(stored) - set(sent))
    return [f"{number} was acknowledged and is not stored" for number in lost] + [
        f"{number} is stored and was never sent" for number in invented
    ]


def stored_numbers(ingest_url: str) -> set[str]:
    """Return the order numbers that ingest has as orders or in quarantine."""
    with psycopg.connect(ingest_url) as connection:
        return {number for (number,) in connection.execute(STORED)}
