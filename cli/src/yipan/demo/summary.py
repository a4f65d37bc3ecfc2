"""What came of a story, in figures and tables."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from yipan.demo.costs import Cost
from yipan.demo.story import Story
from yipan.verify.databases import Databases, Row
from yipan.verify.report import Report

LISTED_MAX = 50
Section = tuple[Row, ...]

_QUERIES: Mapping[str, tuple[str, str]] = {
    "orders by state": (
        "ingest",
        """SELECT status, count(*) FROM pool_order WHERE content IS NOT NULL
           GROUP BY 1 ORDER BY 2 DESC""",
    ),
    "quarantined, by reason": (
        "ingest",
        """SELECT reason, count(*) FROM quarantine WHERE resolved_at IS NULL
           GROUP BY 1 ORDER BY 2 DESC""",
    ),
    "parcels by state": (
        "routing",
        "SELECT execution, count(*) FROM parcel GROUP BY 1 ORDER BY 2 DESC",
    ),
    "refusals by reason": (
        "ingest",
        """SELECT what || coalesce(' ' || (detail ->> 'reason'), ''), count(*) FROM timeline
           WHERE what IN ('quota_refused', 'order_unroutable', 'stock_short', 'parcel_rejected',
                          'cancellation_refused') GROUP BY 1 ORDER BY 2 DESC""",
    ),
    "splits": (
        "settlement",
        """SELECT component, currency, sum(planned_minor)::bigint, sum(settled_minor)::bigint
           FROM share JOIN plan USING (order_id) GROUP BY 1, 2 ORDER BY 1""",
    ),
    "top parties by earned money": (
        "settlement",
        """SELECT party_id, sum(settled_minor)::bigint AS earned FROM share
           GROUP BY 1 ORDER BY 2 DESC LIMIT 5""",
    ),
    "limits used": (
        "quota",
        """SELECT count(*), sum(-settled_minor + held_minor)::bigint, sum(held_minor)::bigint,
                  sum(limit_in_force(account_id, now()))::bigint FROM account""",
    ),
    "ledger": (
        "settlement",
        "SELECT layer, count(*), sum(amount_minor)::bigint FROM entry GROUP BY 1 ORDER BY 1",
    ),
}

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "orders by state": ("state", "orders"),
    "quarantined, by reason": ("reason", "orders"),
    "parcels by state": ("state", "parcels"),
    "refusals by reason": ("refusal", "times"),
    "splits": ("component", "currency", "planned, minor units", "earned, minor units"),
    "top parties by earned money": ("party", "minor units"),
    "limits used": ("accounts", "used", "of it held", "limit"),
    "ledger": ("layer", "entries", "sum"),
}
_MISMATCHED = """
SELECT channel_order_number FROM quarantine
WHERE reason = 'total_mismatch' ORDER BY 1
"""
_ACCEPTED = """
SELECT channel_order_number, (content ->> 'total_minor')::bigint FROM pool_order
WHERE accepted_at IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures read from the services' databases.

    `accepted_minor` is the money of accepted orders, `paid_minor` what their buyers paid by the
    story's source, `unequal` the accepted orders for which the two differ: there must be none.
    `mismatched` are the orders in quarantine because their totals differ.
    """

    sections: dict[str, Section]
    accepted_orders: int
    accepted_minor: int
    paid_minor: int
    unequal: tuple[str, ...]
    mismatched: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """A story that was played, with what it cost and what the reconciler says."""

    title: str
    seconds: float
    figures: Figures
    done: Counter[str]
    costs: dict[str, Cost]
    kills: Counter[str]
    report: Report

    @property
    def is_good(self) -> bool:
        """Whether the books agree with each other and with what was paid."""
        return self.report.differences == 0 and not self.figures.unequal


def figures(databases: Databases, story: Story) -> Figures:
    """Read the figures of a story that has come to rest.

    The sections cover all that is in the databases, the sums this story's orders.
    """
    totals: dict[str, int] = databases.totals("ingest", _ACCEPTED)
    accepted = {number: totals[number] for number in story.payments_minor if number in totals}
    paid = {number: story.payments_minor[number] for number in accepted}
    return Figures(
        sections={name: tuple(databases.rows(*query)) for name, query in _QUERIES.items()},
        accepted_orders=len(accepted),
        accepted_minor=sum(accepted.values()),
        paid_minor=sum(paid.values()),
        unequal=tuple(sorted(number for number in accepted if accepted[number] != paid[number])),
        mismatched=tuple(row[0] for row in databases.rows("ingest", _MISMATCHED)),
    )


def tables(result: Result) -> list[Table]:
    """Return a result as tables to print."""
    found = result.figures
    sections = [_table(name, _COLUMNS[name], rows) for name, rows in found.sections.items() if rows]
    return [
        *sections,
        _pairs("what was done", result.done),
        _money(found),
        *([_pairs("killed with SIGKILL", result.kills)] if result.kills else []),
        _costs(result),
        checks_table(result.report),
    ]


def _table(title: str, columns: tuple[str, ...], rows: Section) -> Table:
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*(_text(cell) for cell in row))
    return table


def _pairs(title: str, counts: Mapping[str, int]) -> Table:
    return _table(title, ("what", "times"), tuple(sorted(counts.items())))


def _money(found: Figures) -> Table:
    table = Table("", "", title="money in", title_justify="left")
    table.add_row("accepted orders", _text(found.accepted_orders))
    table.add_row("accepted, minor units", _text(found.accepted_minor))
    table.add_row("paid by the source", _text(found.paid_minor))
    table.add_row("orders that differ", _text(len(found.unequal)))
    listed = ", ".join(found.mismatched[:LISTED_MAX])
    more = len(found.mismatched) - LISTED_MAX
    table.add_row("total_mismatch", _text(len(found.mismatched)))
    table.add_row("", listed + (f" and {more} more (--json lists all)" if more > 0 else ""))
    return table


def _costs(result: Result) -> Table:
    orders = max(result.figures.accepted_orders, 1)
    title = (
        f"{result.title}: {result.seconds:.1f} s, "
        f"{orders / result.seconds:.1f} accepted orders/s with all their parcels"
    )
    table = Table("process", "CPU s", "CPU ms per order", "MiB", title=title, title_justify="left")
    for name, cost in result.costs.items():
        per_order = f"{1000 * cost.cpu_s / orders:.2f}"
        table.add_row(name, f"{cost.cpu_s:.1f}", per_order, str(cost.memory_mib))
    total_s = sum(cost.cpu_s for cost in result.costs.values())
    total_mib = sum(cost.memory_mib for cost in result.costs.values())
    table.add_row("all", f"{total_s:.1f}", f"{1000 * total_s / orders:.2f}", str(total_mib))
    return table


def checks_table(report: Report) -> Table:
    """Return what the reconciler found as a table to print."""
    title = f"verify: {report.differences} differences in {report.compared:,} comparisons"
    table = Table("check", "compared", "differences", "examples", title=title, title_justify="left")
    for check in report.checks:
        examples = "\n".join(
            f"{each.subject}: {each.expected} ≠ {each.found}" for each in check.examples[:3]
        )
        table.add_row(check.name, _text(check.compared), _text(check.differences), examples)
    return table


def _text(cell: Any) -> str:
    return f"{cell:,}" if isinstance(cell, int) else str(cell)
