"""Events published against events applied, lane by lane."""

from collections.abc import Mapping

import psycopg

from contracts.topics import TOPICS
from yipan.verify.databases import Databases
from yipan.verify.report import Check

Lanes = dict[tuple[str, int], int]
"""The last sequence by topic and partition."""

READS: Mapping[str, frozenset[str]] = {
    "directory": frozenset(),
    "ingest": frozenset(
        {
            "directory.entries",
            "ingest.orders",
            "inventory.reservations",
            "quota.holds",
            "routing.fulfilments",
            "routing.plans",
            "settlement.postings",
        }
    ),
    "quota": frozenset({"ingest.orders", "routing.fulfilments", "routing.plans"}),
    "routing": frozenset(
        {
            "directory.entries",
            "ingest.orders",
            "inventory.availability",
            "inventory.reservations",
            "quota.holds",
        }
    ),
    "inventory": frozenset({"routing.fulfilments", "routing.plans"}),
    "settlement": frozenset(
        {"directory.entries", "ingest.orders", "routing.fulfilments", "routing.plans"}
    ),
}
"""The sequenced topics that each service must have applied, stated apart from the services."""

_OUTBOUND = "SELECT topic, partition, last_seq FROM outbound"
_INBOUND = "SELECT topic, partition, last_seq FROM inbound"
_UNSENT = "SELECT topic, sum(n)::bigint FROM outbox GROUP BY topic"
_WAITING_FOR_STOCK = "SELECT count(*) FROM sales_order WHERE retry_at IS NOT NULL"
_PARKED = "SELECT topic, coalesce(awaits, 'an earlier event'), count(*) FROM parked GROUP BY 1, 2"
_DEAD = """
SELECT topic, reason, count(*) FROM dead_letter
WHERE state NOT IN ('redriven', 'discarded') GROUP BY 1, 2
"""


def check_lanes(databases: Databases) -> Check:
    """Expect every reader of a topic to have applied the last event of each of its lanes."""
    check = Check("events applied = events published, per lane and reader")
    published = _published(databases)
    for reader in databases.names:
        applied = databases.totals(reader, _INBOUND)
        for (topic, partition), sequence in published.items():
            if topic in READS[reader]:
                lane = f"{reader} reads {topic}/{partition}"
                check.expect(lane, sequence, applied.get((topic, partition), 0))
    return check


def check_outboxes(databases: Databases) -> Check:
    """Expect no event that is committed and not published."""
    check = Check("outboxes are empty")
    for writer in databases.names:
        unsent = databases.totals(writer, _UNSENT)
        for topic in TOPICS.values():
            if topic.producer == writer:
                check.expect(f"{writer} to {topic.name}", 0, unsent.get(topic.name, 0))
    return check


def check_set_aside(databases: Databases) -> Check:
    """Expect no event parked and no dead letter that nobody has settled."""
    check = Check("nothing is parked or dead-lettered")
    for reader in databases.names:
        set_aside = databases.rows(reader, _PARKED) + databases.rows(reader, _DEAD)
        check.expect(reader, [], set_aside)
    return check


def at_rest(urls: Mapping[str, str]) -> bool:
    """Tell whether everything that was published is applied, and nothing is about to be.

    Orders that wait a moment for stock before they are given up are not at rest.

    The databases are read one after the other, so two looks must find the same last events. A
    database that is away is not at rest.
    """
    try:
        first, second = _look(urls), _look(urls)
    except psycopg.OperationalError:
        return False
    return first == second and first[0] == 0


def _look(urls: Mapping[str, str]) -> tuple[int, Lanes]:
    with Databases(urls) as databases:
        unsent = sum(
            events
            for name in databases.names
            for events in databases.totals(name, _UNSENT).values()
        )
        waiting: int = databases.rows("routing", _WAITING_FOR_STOCK)[0][0]
        return backlog(databases) + unsent + waiting, _published(databases)


def backlog(databases: Databases) -> int:
    """Return how many events are committed and not yet applied, summed over their readers."""
    published = _published(databases)
    behind = 0
    for reader in databases.names:
        applied = databases.totals(reader, _INBOUND)
        behind += sum(
            max(sequence - applied.get(lane, 0), 0)
            for lane, sequence in published.items()
            if lane[0] in READS[reader]
        )
    return behind


def _published(databases: Databases) -> Lanes:
    published: Lanes = {}
    for writer in databases.names:
        published |= databases.totals(writer, _OUTBOUND)
    return published
