"""Every SQL statement of this service. Each takes a batch and is one round trip."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import asyncpg
import msgspec

from backbone import Transaction
from contracts.entries import PartyDefined
from directory.model import KINDS, Definition, Entry, Key, Kind

DEPTH_MAX_COUNT = 64  # beyond any tree that is let in, so that a walk ends whatever the rows say

# Conflicts with itself and not with readers: one change at a time sees everything it refers to.
LOCK_ENTRIES = "LOCK TABLE entry IN SHARE ROW EXCLUSIVE MODE"
LOAD_CURRENT = """
SELECT e.kind, e.entry_key, e.content
FROM unnest($1::text[], $2::text[]) AS wanted (kind, entry_key)
CROSS JOIN LATERAL (
    SELECT * FROM entry WHERE kind = wanted.kind AND entry_key = wanted.entry_key
    ORDER BY entry_version DESC LIMIT 1
) AS e
"""
LOAD_ANCESTORS = """
WITH RECURSIVE above (entry_key, depth) AS (
    SELECT unnest($1::text[]), 0
    UNION
    SELECT e.content ->> 'parent_id', above.depth + 1 FROM above
    CROSS JOIN LATERAL (
        SELECT content FROM entry WHERE kind = 'party' AND entry_key = above.entry_key
        ORDER BY entry_version DESC LIMIT 1
    ) AS e
    WHERE e.content ->> 'parent_id' IS NOT NULL AND above.depth < $2
)
SELECT DISTINCT entry_key FROM above
"""
SAVE_ENTRIES = """
INSERT INTO entry (kind, entry_key, entry_version, content, recorded_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::jsonb[], $5::timestamptz[])
"""
FIND_ENTRY = """
SELECT kind, entry_key, content, recorded_at FROM entry
WHERE kind = $1 AND entry_key = $2 AND ($3::timestamptz IS NULL OR recorded_at <= $3)
ORDER BY entry_version DESC LIMIT 1
"""
LIST_VERSIONS = """
SELECT kind, entry_key, content, recorded_at FROM entry
WHERE kind = $1 AND entry_key = $2 AND ($3::int IS NULL OR entry_version < $3)
ORDER BY entry_version DESC LIMIT $4
"""
LIST_ENTRIES = """
SELECT DISTINCT ON (entry_key) kind, entry_key, content, recorded_at FROM entry
WHERE kind = $1 AND entry_key > $2 AND starts_with(entry_key, $3)
    AND ($4::timestamptz IS NULL OR recorded_at <= $4)
ORDER BY entry_key, entry_version DESC LIMIT $5
"""
LIST_BELOW = """
WITH RECURSIVE below (entry_key, depth) AS (
    SELECT $1::text, 0
    UNION
    SELECT child.entry_key, below.depth + 1 FROM below
    JOIN entry AS child ON child.kind = 'party' AND child.content ->> 'parent_id' = below.entry_key
    WHERE below.depth < $2 AND NOT EXISTS (
        SELECT FROM entry AS later WHERE later.kind = 'party'
            AND later.entry_key = child.entry_key AND later.entry_version > child.entry_version)
)
SELECT e.kind, e.entry_key, e.content, e.recorded_at, below.depth
FROM below CROSS JOIN LATERAL (
    SELECT * FROM entry WHERE kind = 'party' AND entry_key = below.entry_key
    ORDER BY entry_version DESC LIMIT 1
) AS e
ORDER BY below.depth, e.entry_key LIMIT $3
"""
# Kinds in the order of reference; of agreements every version, of all else the last.
LIST_FROM = """
SELECT e.kind, e.entry_key, e.content, e.recorded_at, e.entry_version
FROM entry AS e
WHERE (array_position($1::text[], e.kind), e.entry_key, e.entry_version)
        > ($2::int, $3::text, $4::int)
    AND (e.kind = 'agreement' OR NOT EXISTS (
        SELECT FROM entry AS later WHERE later.kind = e.kind AND later.entry_key = e.entry_key
            AND later.entry_version > e.entry_version))
ORDER BY array_position($1::text[], e.kind), e.entry_key, e.entry_version LIMIT $5
"""

_DECODERS: Mapping[Kind, msgspec.json.Decoder[Definition]] = {
    kind: msgspec.json.Decoder(definition) for definition, kind in KINDS.items()
}
_encode = msgspec.json.Encoder().encode


async def lock_entries(tx: Transaction) -> None:
    """Let no other change in until this transaction ends."""
    await tx.execute(LOCK_ENTRIES)


async def load_current(tx: Transaction, keys: Collection[Key]) -> dict[Key, Definition]:
    """Return the latest version of each entry that exists, and of all parties above parties."""
    found = await _load(tx, keys)
    parents = {
        definition.parent_id
        for definition in found.values()
        if isinstance(definition, PartyDefined) and definition.parent_id is not None
    }
    if parents:
        rows = await tx.fetch(LOAD_ANCESTORS, sorted(parents), DEPTH_MAX_COUNT)
        above = {(Kind.PARTY, str(row[0])) for row in rows}
        found |= await _load(tx, above - set(found))
    return found


async def save_entries(tx: Transaction, entries: Sequence[Entry]) -> None:
    """Add versions."""
    if entries:
        await tx.execute(
            SAVE_ENTRIES,
            [entry.key[0] for entry in entries],
            [entry.key[1] for entry in entries],
            [entry.definition.entry_version for entry in entries],
            [_encode(entry.definition).decode() for entry in entries],
            [entry.recorded_at for entry in entries],
        )


async def find_entry(tx: Transaction, key: Key, as_of: datetime | None) -> Entry | None:
    """Return the last version recorded by a time (None: by now), or None."""
    row = await tx.fetchrow(FIND_ENTRY, *key, as_of)
    return None if row is None else _entry(row)


async def list_versions(
    tx: Transaction, key: Key, before: int | None, items_max: int
) -> list[Entry]:
    """Return an entry's versions, the last first, from before a version."""
    return [_entry(row) for row in await tx.fetch(LIST_VERSIONS, *key, before, items_max)]


async def list_entries(
    tx: Transaction, within: Key, *, after: str, as_of: datetime | None, items_max: int
) -> list[Entry]:
    """Return entries by key, as they were recorded by a time (None: by now).

    `within` is their kind and what their keys begin with.
    """
    rows = await tx.fetch(LIST_ENTRIES, within[0], after, within[1], as_of, items_max)
    return [_entry(row) for row in rows]


async def list_below(tx: Transaction, party_id: str, items_max: int) -> list[tuple[Entry, int]]:
    """Return a party and those below it with their depth, level by level."""
    rows = await tx.fetch(LIST_BELOW, party_id, DEPTH_MAX_COUNT, items_max)
    return [(_entry(row), row["depth"]) for row in rows]


async def list_from(
    tx: Transaction, after: tuple[Kind, str, int] | None, items_max: int
) -> list[Entry]:
    """Return entries to be published again, behind a place (None: from the start)."""
    kinds = list(Kind)
    place = (0, "", 0) if after is None else (kinds.index(after[0]) + 1, *after[1:])
    rows = await tx.fetch(LIST_FROM, kinds, *place, items_max)
    return [_entry(row) for row in rows]


async def _load(tx: Transaction, keys: Collection[Key]) -> dict[Key, Definition]:
    if not keys:
        return {}
    rows = await tx.fetch(LOAD_CURRENT, [key[0] for key in keys], [key[1] for key in keys])
    return {(Kind(row[0]), row[1]): _definition(Kind(row[0]), row[2]) for row in rows}


def _entry(row: asyncpg.Record) -> Entry:
    kind = Kind(row["kind"])
    return Entry((kind, row["entry_key"]), _definition(kind, row["content"]), row["recorded_at"])


def _definition(kind: Kind, content: str) -> Definition:
    return _DECODERS[kind].decode(content)
