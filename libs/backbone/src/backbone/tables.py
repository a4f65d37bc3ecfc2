"""The tables that every service database has; they need no extension, collation or compression."""

BACKBONE_DDL = """
-- Where each lane that is read stands. The row is locked first in every transaction that applies
-- its records. Of the records before next_offset, each was applied, or repeated something (a
-- duplicate), or lies in dead_letter or in parked. blocking: open dead letters that hold their key.
-- last_seq -1: the next sequence is taken as it comes, because older records are gone.
CREATE TABLE IF NOT EXISTS inbound (
    topic text NOT NULL,
    partition int NOT NULL,
    next_offset bigint NOT NULL DEFAULT 0,
    last_seq bigint NOT NULL DEFAULT 0,
    applied bigint NOT NULL DEFAULT 0,
    duplicates bigint NOT NULL DEFAULT 0,
    dead bigint NOT NULL DEFAULT 0,
    parked bigint NOT NULL DEFAULT 0,
    blocking bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);

-- The last sequence given out on each lane that is written; locked until COMMIT, so sequences have
-- no gaps and follow the order of commits.
CREATE TABLE IF NOT EXISTS outbound (
    topic text NOT NULL,
    partition int NOT NULL,
    last_seq bigint NOT NULL,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);

-- Committed and not yet acknowledged by Kafka: n events from seq on, for one lane.
CREATE TABLE IF NOT EXISTS outbox (
    topic text NOT NULL,
    partition int NOT NULL,
    seq bigint NOT NULL,
    n int NOT NULL,
    size_bytes int NOT NULL,
    keys bytea[] NOT NULL,
    dataschemas text[] NOT NULL,
    payloads bytea[] NOT NULL,
    traceparents text[],
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (topic, partition, seq)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
ALTER TABLE outbox ALTER payloads SET STORAGE EXTERNAL;

CREATE OR REPLACE VIEW outbox_event AS
SELECT o.topic, o.partition, o.seq + e.place - 1 AS seq, e.dataschema,
       convert_from(e.key, 'UTF8') AS key, convert_from(e.payload, 'UTF8') AS payload,
       o.traceparents[e.place] AS traceparent, o.recorded_at
FROM outbox AS o
CROSS JOIN LATERAL unnest(o.keys, o.dataschemas, o.payloads)
    WITH ORDINALITY AS e (key, dataschema, payload, place);

-- Records that could not be applied, as they were. state: open, redrive and discard (asked for,
-- done by the service itself), redriven, discarded. blocks: later records of its key wait for it.
CREATE TABLE IF NOT EXISTS dead_letter (
    dead_letter_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    partition int NOT NULL,
    record_offset bigint NOT NULL,
    seq bigint,
    key bytea,
    headers text NOT NULL,
    payload bytea,
    reason text NOT NULL,
    blocks boolean NOT NULL,
    state text NOT NULL DEFAULT 'open'
        CHECK (state IN ('open', 'redrive', 'discard', 'redriven', 'discarded')),
    recorded_at timestamptz NOT NULL,
    settled_at timestamptz
);
CREATE INDEX IF NOT EXISTS dead_letter_blocking ON dead_letter (topic, partition, key)
    WHERE blocks AND state IN ('open', 'redrive', 'discard');
CREATE INDEX IF NOT EXISTS dead_letter_asked ON dead_letter (dead_letter_id)
    WHERE state IN ('redrive', 'discard');

-- Records that wait. awaits: what for; null behind an earlier record of the same queue (its key, or
-- itself alone where it has none). dead_letter_id: it waits for that dead letter to be settled.
CREATE TABLE IF NOT EXISTS parked (
    topic text NOT NULL,
    partition int NOT NULL,
    record_offset bigint NOT NULL,
    seq bigint,
    queue bytea NOT NULL,
    key bytea,
    awaits text,
    dead_letter_id bigint,
    headers text NOT NULL,
    payload bytea,
    parked_at timestamptz NOT NULL,
    PRIMARY KEY (topic, partition, record_offset)
);
CREATE INDEX IF NOT EXISTS parked_queue ON parked (topic, partition, queue, record_offset);
CREATE INDEX IF NOT EXISTS parked_head ON parked (topic, partition, record_offset)
    WHERE awaits IS NOT NULL AND dead_letter_id IS NULL;

-- When each scheduled task last ran, whichever replica ran it.
CREATE TABLE IF NOT EXISTS scheduled (
    name text PRIMARY KEY,
    ran_at timestamptz NOT NULL
);
"""
