"""Every SQL statement of this service. Each takes a batch and is one round trip."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

import asyncpg

from backbone import Transaction
from inventory.model import (
    Cause,
    CauseKind,
    Change,
    Command,
    Condition,
    Decision,
    EarlierCommand,
    Movement,
    Operation,
    RecordedMovement,
    Reservation,
    Source,
    StockFilter,
    StockKey,
    StockLevel,
    StockRow,
)

# RETURNING OLD needs PostgreSQL 18: one statement raises the fence and tells where it stood.
_RAISE_FENCES = """
INSERT INTO order_fence AS fence (order_id, attempt)
SELECT order_id, attempt FROM unnest($1::text[], $2::int[]) AS raised (order_id, attempt)
ORDER BY order_id
ON CONFLICT (order_id) DO UPDATE SET attempt = greatest(fence.attempt, excluded.attempt)
RETURNING new.order_id, coalesce(old.attempt, 0) AS attempt
"""
_LOCK_STOCK = """
SELECT node_id, goods_id, condition, on_hand_units, reserved_units, missing_units, version
FROM stock
JOIN unnest($1::text[], $2::text[], $3::text[]) AS wanted (node_id, goods_id, condition)
    USING (node_id, goods_id, condition)
ORDER BY node_id, goods_id, condition
FOR NO KEY UPDATE OF stock
"""
_OPEN_STOCK = """
INSERT INTO stock (node_id, goods_id, condition)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) AS opened (node_id, goods_id, condition)
ORDER BY node_id, goods_id, condition
ON CONFLICT DO NOTHING
"""
_SAVE_LEVELS = """
UPDATE stock SET on_hand_units = level.on_hand_units, reserved_units = level.reserved_units,
    missing_units = level.missing_units, version = level.version
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
    $7::bigint[]) AS level (node_id, goods_id, condition, on_hand_units, reserved_units,
    missing_units, version)
WHERE (stock.node_id, stock.goods_id, stock.condition)
    = (level.node_id, level.goods_id, level.condition)
"""
_SAVE_MOVEMENTS = """
INSERT INTO stock_ledger (recorded_at, node_id, goods_id, condition, version, operation, cause_kind,
    cause_id, parcel_id, on_hand_delta_units, reserved_delta_units, missing_delta_units,
    excess_units)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[],
    $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[])
"""
_LOCK_RESERVATIONS = """
SELECT parcel_id, goods_id, order_id, attempt, node_id, quantity_units, consumed_units,
    released_units, quarantined_units, conflicted_units
FROM reservation
WHERE parcel_id IN (
    SELECT unnest($1::text[])
    UNION
    SELECT voided.parcel_id FROM reservation AS voided
    JOIN unnest($2::text[], $3::int[]) AS void (order_id, attempt) USING (order_id, attempt))
ORDER BY parcel_id, goods_id
FOR NO KEY UPDATE
"""
_SAVE_RESERVATIONS = """
INSERT INTO reservation (recorded_at, parcel_id, goods_id, order_id, attempt, node_id,
    quantity_units)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::int[], $6::text[], $7::bigint[])
"""
_SAVE_HOLDINGS = """
UPDATE reservation SET consumed_units = held.consumed_units, released_units = held.released_units,
    quarantined_units = held.quarantined_units, conflicted_units = held.conflicted_units
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
    AS held (parcel_id, goods_id, consumed_units, released_units, quarantined_units,
    conflicted_units)
WHERE (reservation.parcel_id, reservation.goods_id) = (held.parcel_id, held.goods_id)
"""
_SAVE_COMMAND = """
INSERT INTO command (kind, command_id, content, content_hash, recorded_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
RETURNING command_id
"""
_FIND_COMMAND = """
SELECT content_hash, answer FROM command WHERE kind = $1 AND command_id = $2
"""
_SAVE_ANSWER = "UPDATE command SET answer = $3 WHERE kind = $1 AND command_id = $2"
_FIND_STOCK = """
SELECT node_id, goods_id, condition, on_hand_units, reserved_units, missing_units, version
FROM stock
WHERE ($1::text IS NULL OR node_id = $1) AND ($2::text IS NULL OR goods_id = $2)
    AND ($3::text IS NULL OR condition = $3) AND (NOT $4 OR missing_units > 0)
    AND (node_id, goods_id, condition) > ($5, $6, $7)
ORDER BY node_id, goods_id, condition
LIMIT $8
"""
_FIND_LEDGER = """
SELECT node_id, goods_id, condition, version, operation, cause_kind, cause_id, parcel_id,
    on_hand_delta_units, reserved_delta_units, missing_delta_units, excess_units, recorded_at
FROM stock_ledger
WHERE node_id = $1 AND goods_id = $2 AND condition = $3 AND version < $4
ORDER BY version DESC
LIMIT $5
"""
_FIND_RESERVATIONS = """
SELECT parcel_id, goods_id, order_id, attempt, node_id, quantity_units, consumed_units,
    released_units, quarantined_units, conflicted_units
FROM reservation WHERE order_id = $1
ORDER BY attempt, parcel_id, goods_id
"""
VERSION_MAX = 2**63 - 1


async def raise_fences(tx: Transaction, attempts: Mapping[str, int]) -> dict[str, int]:
    """Set the highest attempt dealt with of each order; return where each stood, 0 if nowhere.

    The rows stay locked: a plan and the cancellation that voids it come on different topics and may
    be applied by two replicas at once; whoever is second sees what the first has done.
    """
    if not attempts:
        return {}
    rows = await tx.fetch(_RAISE_FENCES, list(attempts.keys()), list(attempts.values()))
    return {row["order_id"]: row["attempt"] for row in rows}


async def lock_stock(tx: Transaction, keys: Collection[StockKey]) -> dict[StockKey, StockLevel]:
    """Read and lock the stock there is, in key order so that batches cannot deadlock."""
    if not keys:
        return {}
    rows = await tx.fetch(_LOCK_STOCK, *_columns(keys, 3))
    return {_stock_key(row): _stock_level(row) for row in rows}


async def open_stock(tx: Transaction, keys: Collection[StockKey]) -> dict[StockKey, StockLevel]:
    """Read and lock stock as `lock_stock` does, and make the rows that are not there yet."""
    stock = await lock_stock(tx, keys)
    absent = sorted(key for key in keys if key not in stock)
    if absent:
        await tx.execute(_OPEN_STOCK, *_columns(absent, 3))
        stock |= await lock_stock(tx, absent)
    return stock


async def save_stock(tx: Transaction, decision: Decision, now: datetime) -> None:
    """Write the levels that changed and the movements that changed them."""
    if not decision.movements:
        return
    levels = [
        (*key, each.on_hand_units, each.reserved_units, each.missing_units, each.version)
        for key, each in decision.stock.items()
    ]
    await tx.execute(_SAVE_LEVELS, *_columns(levels, 7))
    movements = [_ledger_row(movement) for movement in decision.movements]
    await tx.execute(_SAVE_MOVEMENTS, now, *_columns(movements, 12))


async def lock_reservations(
    tx: Transaction, parcel_ids: Collection[str], voided: Collection[tuple[str, int]]
) -> list[Reservation]:
    """Read and lock what parcels hold: those named, and all of the orders' voided attempts."""
    rows = await tx.fetch(_LOCK_RESERVATIONS, list(parcel_ids), *_columns(voided, 2))
    return [Reservation(*row) for row in rows]


async def save_reservations(tx: Transaction, held: Sequence[Reservation], now: datetime) -> None:
    """Write new reservations; a parcel that holds the same goods already is an error."""
    if not held:
        return
    rows = [
        (row.parcel_id, row.goods_id, row.order_id, row.attempt, row.node_id, row.quantity_units)
        for row in held
    ]
    await tx.execute(_SAVE_RESERVATIONS, now, *_columns(rows, 6))


async def save_holdings(tx: Transaction, changed: Sequence[Reservation]) -> None:
    """Write what became of reservations."""
    if not changed:
        return
    rows = [
        (
            row.parcel_id,
            row.goods_id,
            row.consumed_units,
            row.released_units,
            row.quarantined_units,
            row.conflicted_units,
        )
        for row in changed
    ]
    await tx.execute(_SAVE_HOLDINGS, *_columns(rows, 6))


async def save_command(tx: Transaction, command: Command, now: datetime) -> EarlierCommand | None:
    """Write a command, or return the one of the same kind and id that was there first.

    While that one is still being carried out elsewhere this waits for its end.
    """
    kind, command_id = command.cause.kind, command.cause.cause_id
    saved = await tx.fetchval(
        _SAVE_COMMAND, kind, command_id, command.content, command.content_hash, now
    )
    if saved is not None:
        return None
    row = await tx.fetchrow(_FIND_COMMAND, kind, command_id)
    if row is None:
        raise LookupError(f"{kind} {command_id} is neither new nor there")
    return EarlierCommand(row["content_hash"], row["answer"])


async def save_answer(tx: Transaction, cause: Cause, answer: str) -> None:
    """Write what a command was answered."""
    await tx.execute(_SAVE_ANSWER, cause.kind, cause.cause_id, answer)


async def find_stock(
    tx: Transaction, wanted: StockFilter, after: tuple[str, str, str] | None, rows_max: int
) -> list[StockRow]:
    """Return stock in key order, those after a key."""
    rows = await tx.fetch(
        _FIND_STOCK,
        wanted.node_id,
        wanted.goods_id,
        wanted.condition,
        wanted.is_missing,
        *(after or ("", "", "")),
        rows_max,
    )
    return [StockRow(_stock_key(row), _stock_level(row)) for row in rows]


async def find_ledger(
    tx: Transaction, key: StockKey, before_version: int | None, rows_max: int
) -> list[RecordedMovement]:
    """Return the movements of one stock level, latest first, those before a version."""
    version = VERSION_MAX if before_version is None else before_version
    rows = await tx.fetch(_FIND_LEDGER, *key, version, rows_max)
    return [RecordedMovement(_movement(row), row["recorded_at"]) for row in rows]


async def find_reservations(tx: Transaction, order_id: str) -> list[Reservation]:
    """Return all reservations that an order ever had, by attempt, parcel and goods."""
    return [Reservation(*row) for row in await tx.fetch(_FIND_RESERVATIONS, order_id)]


def _columns(rows: Iterable[Sequence[object]], count: int) -> list[tuple[object, ...]]:
    """Turn rows into one array per column, as `unnest` takes them."""
    return list(zip(*rows, strict=True)) or [()] * count


def _ledger_row(movement: Movement) -> tuple[object, ...]:
    source, change = movement.source, movement.change
    return (
        *movement.key,
        movement.version,
        source.operation,
        source.cause.kind,
        source.cause.cause_id,
        source.parcel_id,
        change.on_hand_units,
        change.reserved_units,
        change.missing_units,
        change.excess_units,
    )


def _stock_key(row: asyncpg.Record) -> StockKey:
    return StockKey(row["node_id"], row["goods_id"], Condition(row["condition"]))


def _stock_level(row: asyncpg.Record) -> StockLevel:
    return StockLevel(
        row["on_hand_units"], row["reserved_units"], row["missing_units"], row["version"]
    )


def _movement(row: asyncpg.Record) -> Movement:
    return Movement(
        _stock_key(row),
        row["version"],
        Source(
            Operation(row["operation"]),
            Cause(CauseKind(row["cause_kind"]), row["cause_id"]),
            row["parcel_id"],
        ),
        Change(
            row["on_hand_delta_units"],
            row["reserved_delta_units"],
            row["missing_delta_units"],
            row["excess_units"],
        ),
    )
