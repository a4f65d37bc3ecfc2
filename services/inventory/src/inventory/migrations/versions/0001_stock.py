"""Stock, what parcels hold of it, and the ledger of every movement."""

from alembic import op

revision = "0001"
down_revision = None

DDL = """
-- One row per goods, node and condition. version counts the ledger's rows of it. missing_units were
-- reported as not there while everything on hand is promised; they come off when a promise ends.
CREATE TABLE stock (
    node_id text NOT NULL,
    goods_id text NOT NULL,
    condition text NOT NULL,
    on_hand_units bigint NOT NULL DEFAULT 0,
    reserved_units bigint NOT NULL DEFAULT 0,
    missing_units bigint NOT NULL DEFAULT 0,
    version bigint NOT NULL DEFAULT 0 CHECK (version >= 0),
    PRIMARY KEY (node_id, goods_id, condition),
    CONSTRAINT stock_condition_known CHECK (
        condition IN ('sellable', 'damaged', 'inspection', 'quarantine', 'in_transit')),
    CONSTRAINT stock_never_oversold CHECK (0 <= reserved_units AND reserved_units <= on_hand_units),
    CONSTRAINT stock_reserved_if_sellable CHECK (condition = 'sellable' OR reserved_units = 0),
    CONSTRAINT stock_missing_is_promised CHECK (
        missing_units = 0
        OR (0 < missing_units AND missing_units <= on_hand_units
            AND on_hand_units = reserved_units))
) WITH (fillfactor = 70);
CREATE INDEX stock_of_goods ON stock (goods_id, node_id, condition);
CREATE INDEX stock_missing ON stock (node_id, goods_id, condition) WHERE missing_units > 0;

-- What one parcel holds of one kind of goods. The state is read off the units.
CREATE TABLE reservation (
    parcel_id text NOT NULL,
    goods_id text NOT NULL,
    order_id text NOT NULL,
    attempt int NOT NULL CHECK (attempt > 0),
    node_id text NOT NULL,
    quantity_units bigint NOT NULL CHECK (quantity_units > 0),
    consumed_units bigint NOT NULL DEFAULT 0 CHECK (consumed_units >= 0),
    released_units bigint NOT NULL DEFAULT 0 CHECK (released_units >= 0),
    quarantined_units bigint NOT NULL DEFAULT 0 CHECK (quarantined_units >= 0),
    -- Left the node although nothing held them any more; counted on top.
    conflicted_units bigint NOT NULL DEFAULT 0 CHECK (conflicted_units >= 0),
    held_units bigint NOT NULL GENERATED ALWAYS AS (
        quantity_units - consumed_units - released_units - quarantined_units) STORED,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (parcel_id, goods_id),
    CONSTRAINT reservation_holds_no_less_than_nothing CHECK (
        consumed_units + released_units + quarantined_units <= quantity_units)
) WITH (fillfactor = 70);
CREATE INDEX reservation_of_order ON reservation (order_id, attempt);

-- The highest attempt of an order that was answered or voided; lower ones are ignored for good.
CREATE TABLE order_fence (
    order_id text PRIMARY KEY,
    attempt int NOT NULL CHECK (attempt > 0)
) WITH (fillfactor = 70);

-- Every movement of stock, for good. The key makes a lost update impossible: two movements from the
-- same state would have the same version. excess_units is what the cause named beyond the books.
CREATE TABLE stock_ledger (
    node_id text NOT NULL,
    goods_id text NOT NULL,
    condition text NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    operation text NOT NULL,
    on_hand_delta_units bigint NOT NULL,
    reserved_delta_units bigint NOT NULL,
    missing_delta_units bigint NOT NULL,
    excess_units bigint NOT NULL CHECK (excess_units >= 0),
    cause_kind text NOT NULL CHECK (cause_kind IN ('event', 'receipt', 'adjustment', 'put_away')),
    cause_id text NOT NULL,
    parcel_id text,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (node_id, goods_id, condition, version),
    CONSTRAINT stock_ledger_moves_something CHECK (
        on_hand_delta_units <> 0 OR reserved_delta_units <> 0 OR missing_delta_units <> 0
        OR excess_units > 0)
);
CREATE FUNCTION refuse_change_of_ledger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the stock ledger is append-only: % is refused', TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER stock_ledger_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON stock_ledger
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_ledger();

-- Commands by HTTP: the same id with the same content gets the same answer, with other content 409.
CREATE TABLE command (
    kind text NOT NULL,
    command_id text NOT NULL,
    content jsonb NOT NULL,
    content_hash bytea NOT NULL,
    answer jsonb,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (kind, command_id)
);
"""


def upgrade() -> None:
    """Make the tables."""
    op.execute(DDL)


def downgrade() -> None:
    """Drop the tables with all that they hold."""
    op.execute("""
DROP TABLE command, stock_ledger, order_fence, reservation, stock;
DROP FUNCTION refuse_change_of_ledger;
""")
