"""Reference data, plans and their counters, the ledger, its folding and its statements."""

from alembic import op

revision = "0001"
down_revision = None

REFERENCE = """
CREATE TABLE legal_entity (
    legal_entity_id text PRIMARY KEY,
    entry_version int NOT NULL,
    name text NOT NULL,
    currency text NOT NULL,
    timezone text NOT NULL
);
CREATE TABLE party (
    party_id text PRIMARY KEY,
    entry_version int NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    parent_id text,
    legal_entity_id text,
    enabled boolean NOT NULL
);
-- Every version that was ever in force: orders follow the one they were accepted under.
CREATE TABLE agreement (
    agreement_id text NOT NULL,
    agreement_version int NOT NULL,
    scenario text NOT NULL,
    brand_id text NOT NULL,
    seller_id text NOT NULL,
    currency text NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz,
    platform_id text,
    platform_rate_ppm int NOT NULL,
    freight_payee_id text NOT NULL,
    freight_bearer_id text NOT NULL,
    earned_on text NOT NULL,
    PRIMARY KEY (agreement_id, agreement_version)
);
"""
# The tables that grow with orders have no foreign keys: this service alone writes them, under the
# plan's lock, and GET /verify looks for what a key would have refused.
ORDERS = """
CREATE TABLE plan (
    order_id text PRIMARY KEY,
    plan_id uuid NOT NULL,
    plan_hash text NOT NULL,
    agreement_id text NOT NULL,
    agreement_version int NOT NULL,
    currency text NOT NULL,
    total_minor bigint NOT NULL CHECK (total_minor >= 0),
    home_book_id text NOT NULL,
    clearing_party_id text,
    earned_on text NOT NULL,
    freight_bearer_id text NOT NULL,
    freight_book_id text NOT NULL,
    trace json NOT NULL,
    planned_at timestamptz NOT NULL
);
CREATE TABLE order_line (
    order_id text NOT NULL,
    line_id text NOT NULL,
    amount_minor bigint NOT NULL,
    freight_minor bigint NOT NULL,
    ordered_units int NOT NULL CHECK (ordered_units > 0),
    cancelled_units int NOT NULL CHECK (cancelled_units >= 0),
    unroutable_units int NOT NULL CHECK (unroutable_units >= 0),
    shipped_units int NOT NULL CHECK (shipped_units >= 0),
    -- Of the shipped units: earned, came back unearned, came back after they were earned.
    earned_units int NOT NULL CHECK (earned_units >= 0),
    withdrawn_units int NOT NULL CHECK (withdrawn_units >= 0),
    refunded_units int NOT NULL CHECK (refunded_units BETWEEN 0 AND earned_units),
    PRIMARY KEY (order_id, line_id),
    CHECK (shipped_units + cancelled_units + unroutable_units <= ordered_units),
    CHECK (earned_units + withdrawn_units <= shipped_units)
) WITH (fillfactor = 80);
CREATE TABLE share (
    order_id text NOT NULL,
    rank int NOT NULL,
    line_id text NOT NULL,
    party_id text NOT NULL,
    component text NOT NULL,
    book_id text NOT NULL,
    planned_minor bigint NOT NULL CHECK (planned_minor <> 0),
    -- What remains of it, by layer; what is in neither was taken back.
    pending_minor bigint NOT NULL,
    settled_minor bigint NOT NULL,
    PRIMARY KEY (order_id, rank),
    CHECK (pending_minor BETWEEN least(planned_minor, 0) AND greatest(planned_minor, 0)),
    CHECK (settled_minor BETWEEN least(planned_minor, 0) AND greatest(planned_minor, 0)),
    CHECK (abs(pending_minor + settled_minor) <= abs(planned_minor))
) WITH (fillfactor = 80);
CREATE TABLE parcel_line (
    order_id text NOT NULL,
    parcel_id text NOT NULL,
    line_id text NOT NULL,
    shipped_units int NOT NULL CHECK (shipped_units > 0),
    -- Its units are the line's earned units after the first so many.
    earned_before_units int NOT NULL,
    earned_units int NOT NULL CHECK (earned_units >= 0),
    withdrawn_units int NOT NULL CHECK (withdrawn_units >= 0),
    refunded_units int NOT NULL CHECK (refunded_units BETWEEN 0 AND earned_units),
    PRIMARY KEY (order_id, parcel_id, line_id),
    CHECK (earned_units + withdrawn_units <= shipped_units)
) WITH (fillfactor = 80);
"""
LEDGER = """
CREATE TABLE account (
    account_no int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id text NOT NULL UNIQUE,
    book_id text NOT NULL,
    party_id text,
    counterparty_book_id text,
    code text NOT NULL,
    currency text NOT NULL,
    normal_side text NOT NULL CHECK (normal_side IN ('debit', 'credit')),
    CHECK ((counterparty_book_id IS NOT NULL) = (code IN ('due_from', 'due_to'))),
    CHECK (party_id IS NULL OR counterparty_book_id IS NULL)
);
CREATE INDEX account_of_party ON account (party_id, book_id, currency);
CREATE INDEX account_of_book ON account (book_id);

CREATE SEQUENCE journal_no_sequence;
CREATE TABLE journal (
    journal_no bigint PRIMARY KEY,
    -- Follows from (source_type, source_id, kind, book_id): the same source is booked once.
    journal_id uuid NOT NULL UNIQUE,
    group_id uuid NOT NULL,
    book_id text NOT NULL,
    kind text NOT NULL,
    order_id text NOT NULL,
    currency text NOT NULL,
    effective_at timestamptz NOT NULL,
    booked_at timestamptz NOT NULL,
    source_type text NOT NULL,
    source_id text NOT NULL,
    event_id uuid NOT NULL,
    reverses uuid,
    entries_count int NOT NULL CHECK (entries_count >= 2),
    content_hash bytea NOT NULL CHECK (length(content_hash) = 32),
    xid xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX journal_of_order ON journal (order_id);
CREATE INDEX journal_of_transaction ON journal (xid);

CREATE TABLE entry (
    journal_no bigint NOT NULL,
    entry_index smallint NOT NULL,
    account_no int NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor <> 0),
    layer text NOT NULL CHECK (layer IN ('pending', 'settled')),
    component text NOT NULL,
    line_id text,
    counterparty_id text,
    PRIMARY KEY (journal_no, entry_index)
);
CREATE INDEX entry_settled ON entry (account_no, journal_no) WHERE layer = 'settled';

-- A row trigger per entry costs more than the entry; all entries of a batch come in one statement,
-- so one look at them after it is enough. That no entry joins a journal later follows from the
-- count.
CREATE FUNCTION check_whole_journals() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE wrong bigint;
BEGIN
    SELECT fresh.journal_no INTO wrong FROM fresh
    GROUP BY fresh.journal_no
    HAVING sum(fresh.amount_minor) FILTER (WHERE fresh.layer = 'pending') <> 0
        OR sum(fresh.amount_minor) FILTER (WHERE fresh.layer = 'settled') <> 0
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'journal % does not sum to zero in each layer', wrong
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    SELECT f.journal_no INTO wrong
    FROM (SELECT journal_no, count(*) AS entries FROM fresh GROUP BY journal_no) AS f
    LEFT JOIN journal AS j ON j.journal_no = f.journal_no
    WHERE j.entries_count IS DISTINCT FROM f.entries LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the entries of journal % are not all of them', wrong
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER entry_whole AFTER INSERT ON entry REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION check_whole_journals();

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

-- Every entry of transactions below fold.below_xid is in balance and in a block of its book.
CREATE TABLE fold (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    below_xid xid8 NOT NULL
);
INSERT INTO fold (below_xid) VALUES ('0');
CREATE TABLE balance (
    account_no int PRIMARY KEY,
    pending_minor bigint NOT NULL,
    settled_minor bigint NOT NULL
) WITH (fillfactor = 50);
-- What is folded, and the entries that are not yet.
CREATE VIEW account_balance AS
SELECT a.account_no, a.account_id, a.book_id, a.party_id, a.counterparty_book_id, a.code,
       a.currency, a.normal_side,
       (coalesce(b.pending_minor, 0) + coalesce(t.pending_minor, 0))::bigint AS pending_minor,
       (coalesce(b.settled_minor, 0) + coalesce(t.settled_minor, 0))::bigint AS settled_minor
FROM account AS a
LEFT JOIN balance AS b ON b.account_no = a.account_no
LEFT JOIN (
    SELECT e.account_no,
           sum(e.amount_minor) FILTER (WHERE e.layer = 'pending') AS pending_minor,
           sum(e.amount_minor) FILTER (WHERE e.layer = 'settled') AS settled_minor
    FROM journal AS j JOIN entry AS e ON e.journal_no = j.journal_no
    WHERE j.xid >= (SELECT below_xid FROM fold)
    GROUP BY e.account_no
) AS t ON t.account_no = a.account_no;
CREATE TABLE block (
    book_id text NOT NULL,
    block_index int NOT NULL,
    previous_hash bytea NOT NULL,
    block_hash bytea NOT NULL,
    journals_count int NOT NULL,
    from_xid xid8 NOT NULL,
    below_xid xid8 NOT NULL,
    sealed_at timestamptz NOT NULL,
    PRIMARY KEY (book_id, block_index),
    UNIQUE (book_id, previous_hash)
);
"""
STATEMENTS = """
CREATE TABLE statement (
    statement_id uuid PRIMARY KEY,
    party_id text NOT NULL,
    book_id text NOT NULL,
    currency text NOT NULL,
    period_start date NOT NULL,
    period_end date NOT NULL CHECK (period_end > period_start),
    opening_minor bigint NOT NULL,
    closing_minor bigint NOT NULL,
    issued_at timestamptz NOT NULL,
    UNIQUE (party_id, book_id, currency, period_start),
    UNIQUE (party_id, book_id, currency, period_end)
);
CREATE TABLE statement_line (
    statement_id uuid NOT NULL REFERENCES statement,
    component text NOT NULL,
    entries_count int NOT NULL,
    amount_minor bigint NOT NULL,
    PRIMARY KEY (statement_id, component)
);
-- Which statement an entry is in: one at most, by the key.
CREATE TABLE stated_entry (
    journal_no bigint NOT NULL,
    entry_index smallint NOT NULL,
    statement_id uuid NOT NULL,
    PRIMARY KEY (journal_no, entry_index)
);
CREATE INDEX stated_entry_of_statement ON stated_entry (statement_id);
"""
APPEND_ONLY = ("journal", "entry", "block", "statement", "statement_line", "stated_entry")


def upgrade() -> None:
    for ddl in (REFERENCE, ORDERS, LEDGER, STATEMENTS):
        op.execute(ddl)
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
