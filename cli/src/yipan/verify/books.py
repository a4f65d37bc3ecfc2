"""Money: splits against orders and terms, books against themselves and each other."""

from yipan.verify.databases import Databases
from yipan.verify.report import Check

_PAID = """
SELECT order_id, (content ->> 'total_minor')::bigint FROM pool_order WHERE accepted_at IS NOT NULL
"""
_PLANNED = """
SELECT plan.order_id, coalesce(sum(planned_minor), 0)::bigint
FROM plan LEFT JOIN share USING (order_id) GROUP BY 1
"""
_UNBALANCED = """
SELECT journal_no, layer, sum(amount_minor)::bigint FROM entry GROUP BY 1, 2
HAVING sum(amount_minor) <> 0
"""
_INCOMPLETE = """
SELECT journal_no, entries_count, count(e.entry_index) FROM journal
LEFT JOIN entry AS e USING (journal_no) GROUP BY 1, 2 HAVING entries_count <> count(e.entry_index)
"""
_BOOKS = """
SELECT book_id, currency, layer, sum(amount_minor)::bigint
FROM entry JOIN journal USING (journal_no) GROUP BY 1, 2, 3
"""
# What one book is owed by another is what the other owes it, in each group of journals.
_PAIRS = """
SELECT group_id, least(a.book_id, a.counterparty_book_id),
       greatest(a.book_id, a.counterparty_book_id), layer, sum(amount_minor)::bigint
FROM entry JOIN journal USING (journal_no) JOIN account AS a USING (account_no)
WHERE a.counterparty_book_id IS NOT NULL
GROUP BY 1, 2, 3, 4 HAVING sum(amount_minor) <> 0
"""
_SUPPLY = """
SELECT order_id, sum(planned_minor)::bigint FROM share WHERE component = 'supply' GROUP BY 1
"""


def check_splits(databases: Databases) -> Check:
    """Expect the shares of every accepted order to add up to what its buyer paid."""
    check = Check("splits = what buyers paid")
    check.expect_same(databases.totals("ingest", _PAID), databases.totals("settlement", _PLANNED))
    return check


def check_journals(databases: Databases) -> Check:
    """Expect every journal to be whole and to sum to zero in each layer."""
    check = Check("journals sum to zero")
    check.compared = databases.rows("settlement", "SELECT count(*) FROM journal")[0][0]
    check.expect_none(databases.rows("settlement", _UNBALANCED))
    check.expect_none(databases.rows("settlement", _INCOMPLETE))
    return check


def check_books(databases: Databases) -> Check:
    """Expect every book to sum to zero, and books to agree on what they owe each other."""
    check = Check("books sum to zero, and agree pairwise")
    for book_id, currency, layer, total in databases.rows("settlement", _BOOKS):
        check.expect(f"{book_id} {currency} {layer}", 0, total)
    check.expect_none(databases.rows("settlement", _PAIRS))
    return check
