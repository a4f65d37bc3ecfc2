"""Entries: every version of everything that is true, never changed."""

from alembic import op

revision = "0001"
down_revision = None

DDL = """
-- content is the event as it was published. The version with the highest entry_version is current;
-- of an agreement every version stays in force for its orders.
CREATE TABLE entry (
    kind text NOT NULL CHECK (kind IN ('legal-entity', 'party', 'goods', 'node', 'agreement',
                                       'shop', 'listing')),
    entry_key text NOT NULL,
    entry_version int NOT NULL CHECK (entry_version > 0),
    content jsonb NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (kind, entry_key, entry_version)
);
-- The tree is walked downwards by it.
CREATE INDEX entry_parent ON entry ((content ->> 'parent_id')) WHERE kind = 'party';

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed', tg_table_name;
END $$;
CREATE TRIGGER entry_is_append_only BEFORE UPDATE OR DELETE ON entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


def upgrade() -> None:
    op.execute(DDL)
