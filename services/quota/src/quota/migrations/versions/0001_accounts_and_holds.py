"""Accounts, limits, holds and entries, with the bounds that no program may pass."""

from alembic import op

revision = "0001"
down_revision = None

DDL = """
CREATE TABLE account (
    account_id text PRIMARY KEY,
    party_id text NOT NULL,
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    skips_max int NOT NULL CHECK (skips_max >= 0),
    wait_hours int NOT NULL CHECK (wait_hours > 0),
    -- Top-ups and reversals raise it, captures lower it; negative while credit is used.
    settled_minor bigint NOT NULL DEFAULT 0,
    held_minor bigint NOT NULL DEFAULT 0 CHECK (held_minor >= 0),
    is_blocked boolean NOT NULL DEFAULT false,
    entry_sequence bigint NOT NULL DEFAULT 0,
    recorded_at timestamptz NOT NULL
) WITH (fillfactor = 70);

-- Of the rows in force the one with the highest entry_sequence counts. Rows are never changed.
CREATE TABLE account_limit (
    account_id text NOT NULL REFERENCES account,
    entry_sequence bigint NOT NULL,
    limit_id text NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
    valid_from timestamptz NOT NULL,
    valid_to timestamptz CHECK (valid_to > valid_from),
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, entry_sequence),
    UNIQUE (account_id, limit_id)
);
CREATE FUNCTION limit_in_force(wanted_id text, moment timestamptz) RETURNS bigint
STABLE LANGUAGE sql AS $$
    SELECT coalesce((
        SELECT amount_minor FROM account_limit
        WHERE account_id = wanted_id AND valid_from <= moment
            AND (valid_to IS NULL OR moment < valid_to)
        ORDER BY entry_sequence DESC LIMIT 1), 0)
$$;

-- The tables that grow with orders have no foreign keys: rows are written under the account's lock
-- by this service alone, and a key check per row would cost more than the row.

-- One row per accepted order. It waits while waits_until is set and holds
-- amount - captured - released from granted_at on.
CREATE TABLE hold (
    order_id text PRIMARY KEY,
    hold_id text NOT NULL,
    account_id text,
    currency text NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
    captured_minor bigint NOT NULL DEFAULT 0 CHECK (captured_minor >= 0),
    released_minor bigint NOT NULL DEFAULT 0 CHECK (released_minor >= 0),
    reversed_minor bigint NOT NULL DEFAULT 0 CHECK (reversed_minor >= 0),
    priority int NOT NULL,
    placed_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    granted_at timestamptz,
    granted_minor bigint,
    limit_minor bigint,
    available_minor bigint,
    refused_at timestamptz,
    waits_until timestamptz,
    expired_at timestamptz,
    skips int NOT NULL DEFAULT 0 CHECK (skips >= 0),
    CONSTRAINT never_more_than_held CHECK (captured_minor + released_minor <= amount_minor),
    CONSTRAINT never_more_than_captured CHECK (reversed_minor <= captured_minor),
    CONSTRAINT captured_only_when_granted CHECK (captured_minor = 0 OR granted_at IS NOT NULL),
    CONSTRAINT granted_within_available
        CHECK (granted_minor <= greatest(available_minor, 0) OR account_id IS NULL),
    CONSTRAINT waits_or_goes
        CHECK (waits_until IS NULL OR (granted_at IS NULL AND expired_at IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX hold_queue ON hold (account_id, priority DESC, placed_at, order_id)
    WHERE waits_until IS NOT NULL;
CREATE INDEX hold_wait_ends ON hold (waits_until) WHERE waits_until IS NOT NULL;

CREATE TABLE hold_line (
    order_id text NOT NULL,
    line_id text NOT NULL,
    supply_price_minor bigint NOT NULL CHECK (supply_price_minor >= 0),
    quantity_units bigint NOT NULL CHECK (quantity_units > 0),
    captured_units bigint NOT NULL DEFAULT 0 CHECK (captured_units >= 0),
    released_units bigint NOT NULL DEFAULT 0 CHECK (released_units >= 0),
    reversed_units bigint NOT NULL DEFAULT 0 CHECK (reversed_units >= 0),
    PRIMARY KEY (order_id, line_id),
    CONSTRAINT never_more_than_ordered CHECK (captured_units + released_units <= quantity_units),
    CONSTRAINT never_more_than_shipped CHECK (reversed_units <= captured_units)
) WITH (fillfactor = 80);

-- Append only. Each row continues the one before it; settled, held and limit are those after it.
CREATE TABLE account_entry (
    account_id text NOT NULL,
    entry_sequence bigint NOT NULL,
    kind text NOT NULL CHECK (kind IN ('hold', 'capture', 'release', 'reverse', 'top_up',
                                       'limit', 'block', 'unblock')),
    settled_change_minor bigint NOT NULL,
    held_change_minor bigint NOT NULL,
    settled_minor bigint NOT NULL,
    held_minor bigint NOT NULL CHECK (held_minor >= 0),
    limit_minor bigint NOT NULL,
    cause_id text NOT NULL,
    order_id text,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, entry_sequence),
    -- G6: used and held within the limit in force, at every hold that was ever made.
    CONSTRAINT never_overspent
        CHECK (kind <> 'hold' OR held_minor - settled_minor <= limit_minor)
);
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed', tg_table_name;
END $$;
CREATE TRIGGER account_entry_is_append_only BEFORE UPDATE OR DELETE ON account_entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER account_limit_is_append_only BEFORE UPDATE OR DELETE ON account_limit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE UNIQUE INDEX top_up_happens_once ON account_entry (account_id, cause_id)
    WHERE kind = 'top_up';
"""


def upgrade() -> None:
    op.execute(DDL)
