"""Orders, their parcels, decisions and messages; what routing knows of the world; its policy."""

from alembic import op

revision = "0001"
down_revision = None

ORDERS = """
-- attempt: the last one given out. planned_attempt: the one that waits for its stock, 0 for none.
CREATE TABLE sales_order (
    order_id text PRIMARY KEY,
    brand_id text NOT NULL,
    channel text NOT NULL,
    shop_id text NOT NULL,
    seller_id text NOT NULL,
    agreement_id text NOT NULL,
    agreement_version int NOT NULL,
    currency text NOT NULL,
    service text NOT NULL,
    region_code text NOT NULL,
    latitude double precision,
    longitude double precision,
    ship_complete boolean NOT NULL,
    placed_at timestamptz NOT NULL,
    is_granted boolean NOT NULL DEFAULT false,
    attempt int NOT NULL DEFAULT 0,
    planned_attempt int NOT NULL DEFAULT 0,
    failures int NOT NULL DEFAULT 0,
    retry_at timestamptz,
    recorded_at timestamptz NOT NULL,
    CONSTRAINT order_plans_its_last_attempt CHECK (planned_attempt IN (0, attempt))
) WITH (fillfactor = 70);
CREATE INDEX sales_order_waiting ON sales_order (retry_at) WHERE retry_at IS NOT NULL;

-- ordered = cancelled + unroutable + shipped + open. parts: [{"goods_id", "units_each"}].
CREATE TABLE order_line (
    order_id text NOT NULL REFERENCES sales_order,
    line_id text NOT NULL,
    place int NOT NULL,
    goods_id text NOT NULL,
    parts jsonb NOT NULL,
    ordered_units bigint NOT NULL CHECK (ordered_units > 0),
    cancelled_units bigint NOT NULL DEFAULT 0 CHECK (cancelled_units >= 0),
    unroutable_units bigint NOT NULL DEFAULT 0 CHECK (unroutable_units >= 0),
    shipped_units bigint NOT NULL DEFAULT 0 CHECK (shipped_units >= 0),
    returned_units bigint NOT NULL DEFAULT 0 CHECK (returned_units >= 0),
    open_units bigint NOT NULL GENERATED ALWAYS AS (
        ordered_units - cancelled_units - unroutable_units - shipped_units) STORED,
    PRIMARY KEY (order_id, line_id),
    CONSTRAINT line_gives_up_or_ships_no_more_than_ordered CHECK (
        cancelled_units + unroutable_units + shipped_units <= ordered_units),
    CONSTRAINT line_returns_no_more_than_shipped CHECK (returned_units <= shipped_units)
) WITH (fillfactor = 70);

-- promised_on: the node's local date whose capacity is used. answer_until: the offer's end, or that
-- of the asks to cancel: [{"request_id", "lines"}].
CREATE TABLE parcel (
    parcel_id text PRIMARY KEY,
    order_id text NOT NULL REFERENCES sales_order,
    attempt int NOT NULL CHECK (attempt > 0),
    node_id text NOT NULL,
    execution text NOT NULL CHECK (execution IN ('planned', 'released', 'picking', 'picked',
        'packed', 'shipped', 'delivered', 'cancelled', 'incomplete')),
    negotiation text NOT NULL CHECK (negotiation IN ('unsent', 'sent', 'accepted', 'rejected',
        'timed_out', 'cancel_requested', 'cancel_accepted', 'cancel_refused')),
    promised_at timestamptz NOT NULL,
    promised_on date NOT NULL,
    freight_minor bigint NOT NULL CHECK (freight_minor >= 0),
    handling_minor bigint NOT NULL CHECK (handling_minor >= 0),
    answer_until timestamptz,
    asks jsonb NOT NULL DEFAULT '[]',
    carrier_id text,
    waybill text,
    conflicted boolean NOT NULL DEFAULT false,
    CONSTRAINT parcel_asks_only_begun_work CHECK (
        asks = '[]' OR execution IN ('picking', 'picked')),
    CONSTRAINT parcel_conflicts_only_when_taken_away CHECK (
        NOT conflicted OR execution IN ('cancelled', 'incomplete'))
) WITH (fillfactor = 70);
CREATE INDEX parcel_of_order ON parcel (order_id);
CREATE INDEX parcel_work ON parcel (execution, node_id, parcel_id);
CREATE INDEX parcel_unanswered ON parcel (answer_until) WHERE answer_until IS NOT NULL;

-- content = planned - short - cancelled.
CREATE TABLE parcel_line (
    order_id text NOT NULL,
    parcel_id text NOT NULL REFERENCES parcel,
    line_id text NOT NULL,
    place int NOT NULL,
    planned_units bigint NOT NULL CHECK (planned_units > 0),
    short_units bigint NOT NULL DEFAULT 0 CHECK (short_units >= 0),
    cancelled_units bigint NOT NULL DEFAULT 0 CHECK (cancelled_units >= 0),
    shipped_units bigint NOT NULL DEFAULT 0 CHECK (shipped_units >= 0),
    returned_units bigint NOT NULL DEFAULT 0 CHECK (returned_units >= 0),
    PRIMARY KEY (order_id, parcel_id, line_id),
    CONSTRAINT parcel_line_ships_what_is_left CHECK (
        short_units + cancelled_units + shipped_units <= planned_units),
    CONSTRAINT parcel_line_returns_no_more_than_shipped CHECK (returned_units <= shipped_units)
) WITH (fillfactor = 70);
CREATE INDEX parcel_line_of_parcel ON parcel_line (parcel_id);

-- What an order may still take from a node: of one kind of goods, or nothing at all (goods_id '').
CREATE TABLE exclusion (
    order_id text NOT NULL REFERENCES sales_order,
    node_id text NOT NULL,
    goods_id text NOT NULL,
    units_max bigint NOT NULL CHECK (units_max >= 0),
    cause text NOT NULL,
    PRIMARY KEY (order_id, node_id, goods_id)
);

-- Why each plan is as it is; see the README for the record.
CREATE TABLE decision (
    order_id text NOT NULL REFERENCES sales_order,
    attempt int NOT NULL,
    decision_id text NOT NULL,
    decided_at timestamptz NOT NULL,
    record jsonb NOT NULL,
    PRIMARY KEY (order_id, attempt)
);

-- Every command of a node, also the fenced and refused ones, with what it was answered.
CREATE TABLE node_message (
    message_id text PRIMARY KEY,
    parcel_id text NOT NULL,
    action text NOT NULL,
    attempt int NOT NULL,
    actor text NOT NULL,
    content_hash text NOT NULL,
    content jsonb NOT NULL,
    verdict text NOT NULL,
    execution text,
    negotiation text,
    detail text NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX node_message_of_parcel ON node_message (parcel_id, recorded_at);

-- lines: [{"line_id", "quantity_units"}], null for all that is open. Not applied: it came before
-- its order.
CREATE TABLE cancellation (
    order_id text NOT NULL,
    request_id text NOT NULL,
    lines jsonb,
    reason text NOT NULL,
    requested_by text NOT NULL,
    is_applied boolean NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (order_id, request_id)
);

-- What consumers said that they will send back.
CREATE TABLE expected_return (
    order_id text NOT NULL,
    return_id text NOT NULL,
    line_id text NOT NULL,
    quantity_units bigint NOT NULL CHECK (quantity_units > 0),
    reason text NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (order_id, return_id, line_id)
);
"""

WORLD = """
CREATE TABLE node (
    node_id text PRIMARY KEY,
    entry_version int NOT NULL,
    name text NOT NULL,
    owner_id text NOT NULL,
    region_code text NOT NULL,
    latitude double precision,
    longitude double precision,
    timezone text NOT NULL,
    services text[] NOT NULL,
    capacity_parcels int NOT NULL,
    handling_minor bigint NOT NULL,
    currency text NOT NULL,
    coverage text[] NOT NULL,
    working_weekdays int[] NOT NULL,
    closed_on date[] NOT NULL,
    cut_off time NOT NULL,
    safety_units bigint NOT NULL,
    tier int NOT NULL,
    is_enabled boolean NOT NULL
);
CREATE TABLE goods (
    goods_id text PRIMARY KEY,
    entry_version int NOT NULL,
    product_line text NOT NULL,
    weight_g bigint NOT NULL
);
CREATE TABLE agreement (
    agreement_id text NOT NULL,
    entry_version int NOT NULL,
    coverage text[] NOT NULL,
    product_lines text[] NOT NULL,
    PRIMARY KEY (agreement_id, entry_version)
);

-- The projection of inventory's availability, and what plans in flight ask of it.
CREATE TABLE stock (
    goods_id text NOT NULL,
    node_id text NOT NULL,
    available_units bigint NOT NULL,
    stock_version bigint NOT NULL,
    PRIMARY KEY (goods_id, node_id)
) WITH (fillfactor = 70);
CREATE TABLE in_flight (
    order_id text NOT NULL,
    attempt int NOT NULL,
    node_id text NOT NULL,
    goods_id text NOT NULL,
    quantity_units bigint NOT NULL CHECK (quantity_units > 0),
    PRIMARY KEY (order_id, node_id, goods_id)
);
CREATE INDEX in_flight_of_goods ON in_flight (goods_id) INCLUDE (node_id, quantity_units);

-- Parcels promised per node and local date; those that were never shipped are given back.
CREATE TABLE node_day (
    node_id text NOT NULL,
    day date NOT NULL,
    parcels int NOT NULL CHECK (parcels >= 0),
    PRIMARY KEY (node_id, day)
) WITH (fillfactor = 70);
"""

POLICY = """
-- Changes whenever nodes, rates or policy do, so that processes know when to read them again.
CREATE TABLE reference_version (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    version uuid NOT NULL
);

-- Rows override the defaults that the README lists.
CREATE TABLE policy (
    name text PRIMARY KEY,
    value bigint NOT NULL CHECK (value >= 0)
);

-- The longest pair of prefixes counts; an empty prefix is everywhere.
CREATE TABLE freight_rate (
    currency text NOT NULL,
    from_region text NOT NULL,
    to_region text NOT NULL,
    base_minor bigint NOT NULL CHECK (base_minor >= 0),
    base_weight_g bigint NOT NULL CHECK (base_weight_g >= 0),
    step_minor bigint NOT NULL CHECK (step_minor >= 0),
    step_weight_g bigint NOT NULL CHECK (step_weight_g > 0),
    PRIMARY KEY (currency, from_region, to_region)
);
"""

# Like the parcel networks' public tariffs: the first kilogram, then each begun one, less within a
# province or state.
RATES = """
INSERT INTO freight_rate VALUES
    ('CNY', '', '', 1200, 1000, 600, 1000),
    ('BRL', '', '', 2200, 1000, 500, 1000),
    ('EUR', '', '', 600, 1000, 100, 1000),
    ('USD', '', '', 800, 1000, 150, 1000);
INSERT INTO freight_rate SELECT 'CNY', p, p, 800, 1000, 200, 1000
FROM (SELECT 'CN-' || code AS p FROM unnest(ARRAY[11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34,
    35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52, 53, 54, 61, 62, 63, 64, 65]) AS code) AS c;
INSERT INTO freight_rate SELECT 'BRL', p, p, 1200, 1000, 250, 1000
FROM (SELECT 'BR-' || code AS p FROM unnest(ARRAY['AC', 'AL', 'AM', 'AP', 'BA', 'CE', 'DF', 'ES',
    'GO', 'MA', 'MG', 'MS', 'MT', 'PA', 'PB', 'PE', 'PI', 'PR', 'RJ', 'RN', 'RO', 'RR', 'RS', 'SC',
    'SE', 'SP', 'TO']) AS code) AS b;
"""


def upgrade() -> None:
    """Make the tables and the usual freight rates."""
    for ddl in (ORDERS, WORLD, POLICY, RATES):
        op.execute(ddl)


def downgrade() -> None:
    """Drop the tables with all that they hold."""
    op.execute("""
DROP TABLE freight_rate, policy, reference_version, node_day, in_flight, stock, agreement, goods,
    node, expected_return, cancellation, node_message, decision, exclusion, parcel_line, parcel,
    order_line, sales_order;
""")
