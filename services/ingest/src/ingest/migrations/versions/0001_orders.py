"""The pool, its quarantine and timeline, and what the directory says."""

from alembic import op

revision = "0001"
down_revision = None

POOL = """
CREATE TABLE raw_input (
    raw_id text PRIMARY KEY,
    entrance text NOT NULL,
    channel text NOT NULL,
    shop_id text NOT NULL,
    content_type text NOT NULL,
    delivery_id text,
    content bytea NOT NULL,
    received_at timestamptz NOT NULL
);
ALTER TABLE raw_input ALTER content SET STORAGE EXTERNAL;

-- One row per order; content is null while only commands for it have come. Totals repeat the sums
-- of order_line so that the status is a rule over one row.
CREATE TABLE pool_order (
    order_id text PRIMARY KEY,
    channel text,
    shop_id text,
    channel_order_number text,
    order_version int NOT NULL,
    content jsonb,
    content_hash bytea NOT NULL,
    first_hash bytea NOT NULL,
    first_answer jsonb,
    raw_id text,
    received_at timestamptz,
    placed_at timestamptz,
    paid_at timestamptz,
    accepted_at timestamptz,
    cancelled_at timestamptz,
    quarantine_id text,
    waivers jsonb NOT NULL,
    flags jsonb NOT NULL,
    holds_open int NOT NULL CHECK (holds_open >= 0),
    waiting_for_limit boolean NOT NULL DEFAULT false,
    ordered_units bigint NOT NULL,
    cancelled_units bigint NOT NULL DEFAULT 0,
    unroutable_units bigint NOT NULL DEFAULT 0,
    reserved_units bigint NOT NULL DEFAULT 0,
    released_units bigint NOT NULL DEFAULT 0,
    shipped_units bigint NOT NULL DEFAULT 0,
    delivered_units bigint NOT NULL DEFAULT 0,
    return_requested_units bigint NOT NULL DEFAULT 0,
    returned_units bigint NOT NULL DEFAULT 0,
    status text GENERATED ALWAYS AS (
        CASE
            WHEN accepted_at IS NULL THEN
                CASE
                    WHEN cancelled_at IS NOT NULL THEN 'cancelled'
                    WHEN quarantine_id IS NOT NULL THEN 'quarantined'
                    WHEN holds_open > 0 THEN 'held'
                    WHEN paid_at IS NULL THEN 'waiting_for_payment'
                    ELSE 'received'
                END
            WHEN ordered_units <= cancelled_units + unroutable_units THEN
                CASE WHEN unroutable_units > 0 THEN 'unroutable' ELSE 'cancelled' END
            WHEN returned_units >= ordered_units - cancelled_units - unroutable_units
                THEN 'returned'
            WHEN delivered_units >= ordered_units - cancelled_units - unroutable_units
                THEN 'delivered'
            WHEN shipped_units >= ordered_units - cancelled_units - unroutable_units THEN 'shipped'
            WHEN shipped_units > 0 THEN 'partly_shipped'
            WHEN released_units > 0 THEN 'released'
            WHEN reserved_units > 0 THEN 'reserved'
            WHEN waiting_for_limit THEN 'waiting_for_limit'
            ELSE 'accepted'
        END
    ) STORED,
    CHECK ((content IS NULL) = (received_at IS NULL)),
    CHECK (accepted_at IS NULL OR (paid_at IS NOT NULL AND quarantine_id IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX pool_order_by_time ON pool_order (received_at, order_id) WHERE content IS NOT NULL;
CREATE INDEX pool_order_by_shop ON pool_order (shop_id, received_at, order_id);
CREATE INDEX pool_order_by_status ON pool_order (status, received_at, order_id);

CREATE TABLE order_consumer (
    order_id text PRIMARY KEY,
    name text NOT NULL,
    phone text NOT NULL,
    street text NOT NULL,
    memo text NOT NULL,
    latitude double precision,
    longitude double precision
);

-- Reserved and released are net of what was given back; a fact may be known here before the one
-- that preceded it at its source, so no order among the counters is enforced.
CREATE TABLE order_line (
    order_id text NOT NULL,
    line_id text NOT NULL,
    ordered_units bigint NOT NULL,
    cancelled_units bigint NOT NULL DEFAULT 0,
    unroutable_units bigint NOT NULL DEFAULT 0,
    reserved_units bigint NOT NULL DEFAULT 0,
    released_units bigint NOT NULL DEFAULT 0,
    shipped_units bigint NOT NULL DEFAULT 0,
    delivered_units bigint NOT NULL DEFAULT 0,
    return_requested_units bigint NOT NULL DEFAULT 0,
    returned_units bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (order_id, line_id)
) WITH (fillfactor = 80);

-- What each plan would reserve, known from routing, and whether stock answered or it was voided.
CREATE TABLE plan (
    order_id text NOT NULL,
    attempt int NOT NULL,
    lines jsonb,
    reserved boolean NOT NULL DEFAULT false,
    voided boolean NOT NULL DEFAULT false,
    PRIMARY KEY (order_id, attempt)
);
"""

COMMANDS = """
CREATE TABLE idempotency_key (
    channel text NOT NULL,
    shop_id text NOT NULL,
    key text NOT NULL,
    content_hash bytea NOT NULL,
    order_id text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (channel, shop_id, key)
);

CREATE TABLE command (
    order_id text NOT NULL,
    kind text NOT NULL,
    command_id text NOT NULL,
    content_hash bytea NOT NULL,
    answer jsonb NOT NULL,
    raw_id text,
    answered_at timestamptz NOT NULL,
    PRIMARY KEY (order_id, kind, command_id)
);

CREATE TABLE parked_command (
    order_id text NOT NULL,
    kind text NOT NULL,
    command_id text NOT NULL,
    content jsonb NOT NULL,
    parked_at timestamptz NOT NULL,
    applied_at timestamptz,
    PRIMARY KEY (order_id, kind, command_id)
);
CREATE INDEX parked_command_waiting ON parked_command (parked_at) WHERE applied_at IS NULL;

CREATE TABLE order_hold (
    order_id text NOT NULL,
    hold_id text NOT NULL,
    reason text NOT NULL,
    scope text NOT NULL,
    line_ids jsonb NOT NULL,
    until timestamptz,
    placed_by text NOT NULL,
    placed_at timestamptz NOT NULL,
    lifted_by text,
    lifted_at timestamptz,
    PRIMARY KEY (order_id, hold_id)
);
CREATE INDEX order_hold_ending ON order_hold (until) WHERE lifted_at IS NULL;

CREATE TABLE order_payment (
    order_id text NOT NULL,
    payment_id text NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    method text NOT NULL,
    paid_at timestamptz NOT NULL,
    PRIMARY KEY (order_id, payment_id)
);

CREATE TABLE quarantine (
    quarantine_id text PRIMARY KEY,
    order_id text,
    channel text NOT NULL,
    shop_id text NOT NULL,
    channel_order_number text,
    reason text NOT NULL,
    complaints jsonb NOT NULL,
    awaits text[] NOT NULL,
    blocking boolean NOT NULL,
    recheck boolean NOT NULL DEFAULT false,
    raw_id text,
    opened_at timestamptz NOT NULL,
    resolved_at timestamptz,
    resolved_by text,
    resolution text
);
CREATE INDEX quarantine_open ON quarantine (opened_at, quarantine_id) WHERE resolved_at IS NULL;
CREATE INDEX quarantine_recheck ON quarantine (opened_at) WHERE recheck AND resolved_at IS NULL;
CREATE INDEX quarantine_awaits ON quarantine USING gin (awaits) WHERE resolved_at IS NULL;
CREATE INDEX quarantine_order ON quarantine (order_id);

CREATE TABLE alarm (
    kind text NOT NULL,
    subject text NOT NULL,
    raised_at timestamptz NOT NULL,
    cleared_at timestamptz,
    PRIMARY KEY (kind, subject)
);

CREATE TABLE timeline (
    order_id text NOT NULL,
    entry bigint GENERATED ALWAYS AS IDENTITY,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    actor text NOT NULL,
    what text NOT NULL,
    event_id text,
    detail jsonb NOT NULL,
    PRIMARY KEY (order_id, entry)
);
"""

DIRECTORY = """
CREATE TABLE shop (
    shop_id text PRIMARY KEY,
    entry_version int NOT NULL,
    channel text NOT NULL,
    brand_id text NOT NULL,
    seller_id text NOT NULL,
    agreement_id text NOT NULL,
    currency text NOT NULL,
    enabled boolean NOT NULL
);

CREATE TABLE listing (
    shop_id text NOT NULL,
    channel_sku text NOT NULL,
    entry_version int NOT NULL,
    goods_id text NOT NULL,
    enabled boolean NOT NULL,
    PRIMARY KEY (shop_id, channel_sku)
);
CREATE INDEX listing_goods ON listing (goods_id);

CREATE TABLE goods (
    goods_id text PRIMARY KEY,
    entry_version int NOT NULL,
    brand_id text NOT NULL,
    product_line text NOT NULL,
    list_price_minor bigint NOT NULL,
    currency text NOT NULL,
    parts jsonb NOT NULL,
    enabled boolean NOT NULL
);

CREATE TABLE agreement (
    agreement_id text NOT NULL,
    version int NOT NULL,
    terms jsonb NOT NULL,
    PRIMARY KEY (agreement_id, version)
);

CREATE TABLE supply_price (
    agreement_id text NOT NULL,
    version int NOT NULL,
    goods_id text NOT NULL,
    price_minor bigint NOT NULL,
    PRIMARY KEY (agreement_id, version, goods_id)
);
"""


def upgrade() -> None:
    op.execute(POOL)
    op.execute(COMMANDS)
    op.execute(DIRECTORY)


def downgrade() -> None:
    op.execute(
        "DROP TABLE raw_input, pool_order, order_consumer, order_line, plan, idempotency_key, "
        "command, parked_command, order_hold, order_payment, quarantine, alarm, timeline, shop, "
        "listing, goods, agreement, supply_price"
    )
