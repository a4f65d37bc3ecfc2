"""Watches bounds and conservation while everything runs, from outside, one snapshot at a time."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import psycopg

EVERY_S = 0.25

# Each is one statement, so one snapshot of one database; every row that it gives is a violation.
FORBIDDEN: Mapping[str, Mapping[str, str]] = {
    "inventory": {
        "G5 reserved within on hand": """
            SELECT node_id, goods_id, condition, on_hand_units, reserved_units FROM stock
            WHERE reserved_units < 0 OR reserved_units > on_hand_units""",
        "G5 reserved = what parcels hold": """
            SELECT s.node_id, s.goods_id, s.reserved_units, coalesce(sum(r.held_units), 0)
            FROM stock AS s LEFT JOIN reservation AS r
                ON (r.node_id, r.goods_id) = (s.node_id, s.goods_id)
            WHERE s.condition = 'sellable'
            GROUP BY s.node_id, s.goods_id, s.reserved_units
            HAVING s.reserved_units <> coalesce(sum(r.held_units), 0)""",
    },
    "quota": {
        "G6 held and used within the limit at every hold": """
            SELECT account_id, entry_sequence, held_minor - settled_minor, limit_minor
            FROM account_entry
            WHERE kind = 'hold' AND held_minor - settled_minor > limit_minor""",
        "G6 held = what holds hold": """
            SELECT a.account_id, a.held_minor, coalesce(sum(
                h.amount_minor - h.captured_minor - h.released_minor)
                FILTER (WHERE h.granted_at IS NOT NULL), 0)
            FROM account AS a LEFT JOIN hold AS h USING (account_id)
            GROUP BY a.account_id, a.held_minor
            HAVING a.held_minor <> coalesce(sum(
                h.amount_minor - h.captured_minor - h.released_minor)
                FILTER (WHERE h.granted_at IS NOT NULL), 0)""",
    },
    "settlement": {
        "G7 books sum to zero": """
            SELECT book_id, currency, layer, sum(amount_minor)
            FROM entry JOIN journal USING (journal_no) GROUP BY 1, 2, 3
            HAVING sum(amount_minor) <> 0""",
    },
}
CURSORS = "SELECT 'reads ' || topic || '/' || partition, next_offset FROM inbound"
SEQUENCES = "SELECT 'writes ' || topic || '/' || partition, last_seq FROM outbound"


@dataclass(slots=True)
class Sampled:
    """What was seen: how many snapshots, and what was wrong in any."""

    snapshots: int = 0
    wrong: list[str] = field(default_factory=list[str])


class Steadiness:
    """Checks that what only grows never falls: a cursor that falls back has lost a commit."""

    def __init__(self) -> None:
        self._highest: dict[tuple[str, str], int] = {}

    def violations(self, service: str, now: Mapping[str, int]) -> list[str]:
        """Take one more reading of a service; return what fell since an earlier one."""
        found: list[str] = []
        for name, value in now.items():
            before = self._highest.get((service, name), 0)
            if value < before:
                found.append(f"{service} {name} fell from {before} to {value}")
            self._highest[service, name] = max(before, value)
        return found


class Sampler:
    """Reads every database again and again in a thread of its own, whatever is away."""

    def __init__(self, urls: Mapping[str, str], every_s: float = EVERY_S) -> None:
        self.sampled = Sampled()
        self._urls = urls
        self._every_s = every_s
        self._steady = Steadiness()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> Sampled:
        """End, and return what was seen."""
        self._stop.set()
        self._thread.join()
        return self.sampled

    def _run(self) -> None:
        while not self._stop.is_set():
            for service, url in self._urls.items():
                if self._stop.wait(self._every_s / len(self._urls)):
                    return
                try:
                    wrong = self._look(service, url)
                except psycopg.OperationalError:
                    continue  # it is away: nothing can be said
                self.sampled.snapshots += 1
                self.sampled.wrong += wrong

    def _look(self, service: str, url: str) -> list[str]:
        with psycopg.connect(url, connect_timeout=3, options="-c statement_timeout=5s") as database:
            wrong = [
                f"{promise}: {row}"
                for promise, statement in FORBIDDEN.get(service, {}).items()
                for row in database.execute(statement.encode()).fetchall()
            ]
            growing: Sequence[tuple[str, int]] = [
                (str(name), int(value))
                for statement in (CURSORS, SEQUENCES)
                for name, value in database.execute(statement.encode()).fetchall()
            ]
        return wrong + self._steady.violations(service, dict(growing))
