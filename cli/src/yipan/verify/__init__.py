"""The reconciler: reads all databases and names what differs; shares no code with the services."""

from collections.abc import Callable, Sequence

from yipan.verify import books, lanes, limits, orders, parcels, stock
from yipan.verify.databases import Databases
from yipan.verify.report import Check, Report

CHECKS: Sequence[Callable[[Databases], Check]] = (
    lanes.check_lanes,
    lanes.check_outboxes,
    lanes.check_set_aside,
    orders.check_ingest,
    orders.check_quota,
    orders.check_settlement,
    orders.check_sums,
    stock.check_ledger,
    stock.check_reserved,
    stock.check_overselling,
    parcels.check_held,
    parcels.check_consumed,
    parcels.check_capacity,
    parcels.check_answered,
    limits.check_accounts,
    limits.check_overspending,
    limits.check_holds,
    books.check_splits,
    books.check_journals,
    books.check_books,
)


def reconcile(databases: Databases) -> Report:
    """Run every check; reads only, in one snapshot per database."""
    return Report(tuple(check(databases) for check in CHECKS))
