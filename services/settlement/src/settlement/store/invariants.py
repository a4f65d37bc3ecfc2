"""What is always true of the books, each as a query that finds the rows of which it is not."""

from collections.abc import Mapping
from types import MappingProxyType

from backbone import Transaction
from settlement.model import Invariant
from settlement.store.ledger import GENESIS

VERIFY_TIMEOUT_S = 300.0

# Each query returns the rows that break the property of its name.
JOURNALS: Mapping[str, str] = {
    "journal sums to zero in each layer": """
        SELECT journal_no, layer FROM entry GROUP BY journal_no, layer
        HAVING sum(amount_minor) <> 0
    """,
    "book sums to zero per currency and layer": """
        SELECT book_id, currency, layer FROM entry JOIN account USING (account_no)
        GROUP BY book_id, currency, layer HAVING sum(amount_minor) <> 0
    """,
    "journal has all of its entries, and entries a journal": """
        SELECT journal_no
        FROM (SELECT journal_no, count(*) AS entries FROM entry GROUP BY journal_no) AS e
        FULL JOIN journal AS j USING (journal_no)
        WHERE e.entries IS DISTINCT FROM j.entries_count
    """,
    "entry is on an account of its journal's book and currency": """
        SELECT e.journal_no, e.entry_index
        FROM entry AS e JOIN journal AS j USING (journal_no)
        LEFT JOIN account AS a USING (account_no)
        WHERE (a.book_id, a.currency) IS DISTINCT FROM (j.book_id, j.currency)
    """,
    "journal's hash covers its content": """
        SELECT j.journal_no
        FROM journal AS j
        JOIN (
            SELECT journal_no, string_agg(concat_ws(E'\\t', e.entry_index, a.account_id,
                e.amount_minor, e.layer, e.component, coalesce(e.line_id, ''),
                coalesce(e.counterparty_id, '')), E'\\n' ORDER BY e.entry_index) AS lines
            FROM entry AS e JOIN account AS a USING (account_no) GROUP BY journal_no
        ) AS entries USING (journal_no)
        WHERE j.content_hash <> sha256(convert_to(concat_ws(E'\\t', j.journal_id, j.group_id,
            j.book_id, j.kind, j.currency, j.order_id, j.source_type, j.source_id,
            j.event_id,
            (extract(epoch FROM j.effective_at) * 1000000)::bigint,
            (extract(epoch FROM j.booked_at) * 1000000)::bigint,
            coalesce(j.reverses::text, '')) || E'\\n' || entries.lines, 'UTF8'))
    """,
    "source is booked once per kind and book": """
        SELECT source_type, source_id, kind, book_id FROM journal
        GROUP BY source_type, source_id, kind, book_id HAVING count(*) > 1
    """,
    "reversal names a journal of its own book and order": """
        SELECT r.journal_no FROM journal AS r
        LEFT JOIN journal AS j ON j.journal_id = r.reverses
        WHERE (r.kind IN ('planned_reversed', 'earned_reversed')) <> (r.reverses IS NOT NULL)
           OR (r.reverses IS NOT NULL
               AND (j.book_id, j.order_id) IS DISTINCT FROM (r.book_id, r.order_id))
    """,
}
PAIRS: Mapping[str, str] = {
    "what a book owes another is what the other is owed": """
        SELECT least(book_id, counterparty_book_id), greatest(book_id, counterparty_book_id),
               currency, layer
        FROM entry JOIN account USING (account_no) WHERE counterparty_book_id IS NOT NULL
        GROUP BY 1, 2, currency, layer HAVING sum(amount_minor) <> 0
    """,
    "inter-company group has both sides of every debt": """
        SELECT group_id, least(a.book_id, counterparty_book_id),
               greatest(a.book_id, counterparty_book_id), layer
        FROM entry JOIN account AS a USING (account_no) JOIN journal USING (journal_no)
        WHERE counterparty_book_id IS NOT NULL
        GROUP BY 1, 2, 3, layer HAVING sum(amount_minor) <> 0
    """,
}
BALANCES: Mapping[str, str] = {
    "balance is the sum of its entries": """
        SELECT account_no
        FROM (
            SELECT account_no, sum(amount_minor) FILTER (WHERE layer = 'pending') AS pending_minor,
                   sum(amount_minor) FILTER (WHERE layer = 'settled') AS settled_minor
            FROM entry GROUP BY account_no
        ) AS entries
        FULL JOIN (
            SELECT account_no, sum(pending_minor) AS pending_minor,
                   sum(settled_minor) AS settled_minor
            FROM (
                SELECT account_no, pending_minor, settled_minor FROM balance
                UNION ALL
                SELECT account_no,
                       CASE layer WHEN 'pending' THEN amount_minor ELSE 0 END,
                       CASE layer WHEN 'settled' THEN amount_minor ELSE 0 END
                FROM journal JOIN entry USING (journal_no)
                WHERE xid >= (SELECT below_xid FROM fold)
            ) AS parts GROUP BY account_no
        ) AS kept USING (account_no)
        WHERE coalesce(entries.pending_minor, 0) <> coalesce(kept.pending_minor, 0)
           OR coalesce(entries.settled_minor, 0) <> coalesce(kept.settled_minor, 0)
    """,
    "block's hash binds its journals to the block before": """
        SELECT b.book_id, b.block_index
        FROM (
            SELECT *, lag(block_hash) OVER chain AS head, lag(block_index) OVER chain AS before
            FROM block WINDOW chain AS (PARTITION BY book_id ORDER BY block_index)
        ) AS b
        CROSS JOIN LATERAL (
            SELECT string_agg(content_hash, ''::bytea ORDER BY journal_no) AS hashes,
                   count(*) AS journals
            FROM journal AS j
            WHERE j.book_id = b.book_id AND j.xid >= b.from_xid AND j.xid < b.below_xid
        ) AS sealed
        WHERE b.block_index <> coalesce(b.before, 0) + 1
           OR b.previous_hash <> coalesce(b.head, $1)
           OR b.journals_count <> sealed.journals
           OR b.block_hash IS DISTINCT FROM sha256(b.previous_hash || sealed.hashes)
    """,
    "folded journal is in a block of its book": """
        SELECT book_id
        FROM (SELECT book_id, count(*) AS journals FROM journal
              WHERE xid < (SELECT below_xid FROM fold) GROUP BY book_id) AS folded
        FULL JOIN (SELECT book_id, sum(journals_count) AS journals FROM block GROUP BY book_id
        ) AS sealed USING (book_id)
        WHERE folded.journals IS DISTINCT FROM sealed.journals
    """,
}
ORDERS: Mapping[str, str] = {
    "paid line is allocated to the unit": """
        SELECT order_id, line_id
        FROM order_line
        LEFT JOIN (SELECT order_id, line_id, sum(planned_minor) AS planned_minor FROM share
                   GROUP BY order_id, line_id) AS shares USING (order_id, line_id)
        WHERE coalesce(planned_minor, 0) <> amount_minor + freight_minor
    """,
    "plan's total is what its lines add up to": """
        SELECT order_id
        FROM plan
        FULL JOIN (SELECT order_id, sum(amount_minor + freight_minor) AS paid_minor
                   FROM order_line GROUP BY order_id) AS lines USING (order_id)
        WHERE total_minor IS DISTINCT FROM paid_minor
    """,
    "what remains of a share is what its entries say": """
        SELECT order_id, line_id, party_id, component
        FROM (
            SELECT order_id, line_id, party_id, component, sum(pending_minor) AS pending_minor,
                   sum(settled_minor) AS settled_minor
            FROM share GROUP BY order_id, line_id, party_id, component
        ) AS shares
        FULL JOIN (
            SELECT order_id, line_id, party_id, component,
                   -sum(CASE layer WHEN 'pending' THEN amount_minor ELSE 0 END) AS pending_minor,
                   -sum(CASE layer WHEN 'settled' THEN amount_minor ELSE 0 END) AS settled_minor
            FROM entry JOIN journal USING (journal_no) JOIN account USING (account_no)
            WHERE line_id IS NOT NULL GROUP BY order_id, line_id, party_id, component
        ) AS entries USING (order_id, line_id, party_id, component)
        WHERE shares.pending_minor IS DISTINCT FROM entries.pending_minor
           OR shares.settled_minor IS DISTINCT FROM entries.settled_minor
    """,
    "units that are gone or came back leave nothing behind": """
        SELECT order_id, rank
        FROM share JOIN order_line USING (order_id, line_id)
        WHERE (earned_units = refunded_units AND settled_minor <> 0)
           OR (ordered_units = cancelled_units + unroutable_units + withdrawn_units + earned_units
               AND pending_minor <> 0)
    """,
    "line's shipped, earned and returned units are those of its parcels": """
        SELECT order_id, line_id
        FROM order_line AS l
        FULL JOIN (
            SELECT order_id, line_id, sum(shipped_units) AS shipped, sum(earned_units) AS earned,
                   sum(withdrawn_units) AS withdrawn, sum(refunded_units) AS refunded
            FROM parcel_line GROUP BY order_id, line_id
        ) AS parcels USING (order_id, line_id)
        WHERE (l.shipped_units, l.earned_units, l.withdrawn_units, l.refunded_units)
            IS DISTINCT FROM (coalesce(shipped, 0), coalesce(earned, 0), coalesce(withdrawn, 0),
                              coalesce(refunded, 0))
    """,
}
STATEMENTS: Mapping[str, str] = {
    "statement's opening and movements make its closing": """
        SELECT statement_id
        FROM statement
        LEFT JOIN (SELECT statement_id, sum(amount_minor) AS moved_minor FROM statement_line
                   GROUP BY statement_id) AS lines USING (statement_id)
        WHERE opening_minor + coalesce(moved_minor, 0) <> closing_minor
    """,
    "statement opens with the closing of the one before": """
        SELECT statement_id
        FROM (SELECT *, lag(closing_minor, 1, 0::bigint) OVER (
                  PARTITION BY party_id, book_id, currency ORDER BY period_end) AS before_minor,
                  lag(period_end) OVER (
                  PARTITION BY party_id, book_id, currency ORDER BY period_end) AS before_end
              FROM statement) AS statements
        WHERE opening_minor <> before_minor OR period_start < before_end
    """,
    "statement's movements are the entries it covers": """
        SELECT statement_id, component
        FROM statement_line AS lines
        FULL JOIN (
            SELECT statement_id, component, count(*) AS entries, -sum(amount_minor) AS amount_minor
            FROM stated_entry JOIN entry USING (journal_no, entry_index)
            GROUP BY statement_id, component
        ) AS stated USING (statement_id, component)
        WHERE lines.entries_count IS DISTINCT FROM stated.entries
           OR lines.amount_minor IS DISTINCT FROM stated.amount_minor
    """,
    "entry in a statement is settled and of the statement's party": """
        SELECT s.journal_no, s.entry_index
        FROM stated_entry AS s
        LEFT JOIN statement AS t USING (statement_id)
        LEFT JOIN entry AS e USING (journal_no, entry_index)
        LEFT JOIN account AS a USING (account_no)
        WHERE e.layer IS DISTINCT FROM 'settled'
           OR (a.party_id, a.book_id, a.currency)
               IS DISTINCT FROM (t.party_id, t.book_id, t.currency)
    """,
    "entry is in one statement at most": """
        SELECT journal_no, entry_index FROM stated_entry
        GROUP BY journal_no, entry_index HAVING count(*) > 1
    """,
}
INVARIANTS: Mapping[str, str] = MappingProxyType(
    {**JOURNALS, **PAIRS, **BALANCES, **ORDERS, **STATEMENTS}
)
_CHAINED = "block's hash binds its journals to the block before"


async def count_violations(tx: Transaction) -> list[Invariant]:
    """Return every invariant with the number of rows that break it; each is one statement.

    Every statement sees the books as of one instant, so the result holds while orders are booked.
    """
    found: list[Invariant] = []
    for name, query in INVARIANTS.items():  # one after another: a transaction runs one at a time
        parameters = [GENESIS] if name == _CHAINED else []
        count = f"SELECT count(*) FROM ({query}) AS broken"  # noqa: S608 the queries are ours
        broken = await tx.fetchval(count, *parameters, timeout=VERIFY_TIMEOUT_S)
        found.append(Invariant(name, broken))
    return found
