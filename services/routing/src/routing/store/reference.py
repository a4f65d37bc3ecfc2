"""What the directory says, freight rates and policy; read again only when one of them changed."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import time
from uuid import UUID

import asyncpg
import msgspec

from backbone import Transaction
from contracts.entries import AgreementDefined, GoodsDefined, NodeDefined
from contracts.values import Service
from routing.model.world import FreightRate, Node, Policy, Reference

# A random version, so that it differs between databases and after a rollback.
TOUCH_REFERENCE = """
INSERT INTO reference_version (version) VALUES (gen_random_uuid())
ON CONFLICT (single) DO UPDATE SET version = excluded.version
"""
FIND_VERSION = "SELECT version FROM reference_version"
LOAD_NODES = """
SELECT node_id, region_code, latitude, longitude, timezone, services, capacity_parcels,
    handling_minor, currency, coverage, working_weekdays, closed_on, cut_off, safety_units, tier,
    is_enabled
FROM node ORDER BY node_id
"""
LOAD_RATES = """
SELECT currency, from_region, to_region, base_minor, base_weight_g, step_minor, step_weight_g
FROM freight_rate ORDER BY currency, from_region, to_region
"""
LOAD_POLICY = "SELECT name, value FROM policy"
# Lists travel as JSON because unnest would flatten arrays of arrays.
SAVE_NODES = """
INSERT INTO node AS k
SELECT n.node_id, n.entry_version, n.name, n.owner_id, n.region_code, n.latitude, n.longitude,
    n.timezone, n.services, n.capacity_parcels_day, n.handling_minor, n.currency, n.coverage,
    n.working_weekdays, n.closed_on, n.cut_off, n.safety_units, n.tier, n.enabled
FROM jsonb_to_recordset($1::jsonb) AS n (node_id text, entry_version int, name text, owner_id text,
    region_code text, latitude float8, longitude float8, timezone text, services text[],
    capacity_parcels_day int, handling_minor bigint, currency text, coverage text[],
    working_weekdays int[], closed_on date[], cut_off time, safety_units bigint, tier int,
    enabled boolean)
ORDER BY n.node_id
ON CONFLICT (node_id) DO UPDATE SET entry_version = excluded.entry_version, name = excluded.name,
    owner_id = excluded.owner_id, region_code = excluded.region_code,
    latitude = excluded.latitude, longitude = excluded.longitude, timezone = excluded.timezone,
    services = excluded.services, capacity_parcels = excluded.capacity_parcels,
    handling_minor = excluded.handling_minor, currency = excluded.currency,
    coverage = excluded.coverage, working_weekdays = excluded.working_weekdays,
    closed_on = excluded.closed_on, cut_off = excluded.cut_off,
    safety_units = excluded.safety_units, tier = excluded.tier, is_enabled = excluded.is_enabled
WHERE excluded.entry_version > k.entry_version
"""
SAVE_GOODS = """
INSERT INTO goods AS k (goods_id, entry_version, product_line, weight_g)
SELECT * FROM unnest($1::text[], $2::int[], $3::text[], $4::bigint[]) AS n (goods_id) ORDER BY 1
ON CONFLICT (goods_id) DO UPDATE SET entry_version = excluded.entry_version,
    product_line = excluded.product_line, weight_g = excluded.weight_g
WHERE excluded.entry_version > k.entry_version
"""
SAVE_AGREEMENTS = """
INSERT INTO agreement (agreement_id, entry_version, coverage, product_lines)
SELECT agreement_id, entry_version, coverage, product_lines
FROM jsonb_to_recordset($1::jsonb) AS n (agreement_id text, entry_version int, coverage text[],
    product_lines text[])
ON CONFLICT (agreement_id, entry_version) DO NOTHING
"""
SAVE_RATES = """
INSERT INTO freight_rate
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
    $7::bigint[])
ON CONFLICT (currency, from_region, to_region) DO UPDATE SET base_minor = excluded.base_minor,
    base_weight_g = excluded.base_weight_g, step_minor = excluded.step_minor,
    step_weight_g = excluded.step_weight_g
"""
DELETE_RATE = """
DELETE FROM freight_rate WHERE currency = $1 AND from_region = $2 AND to_region = $3 RETURNING 1
"""
SAVE_POLICY = """
INSERT INTO policy (name, value) SELECT * FROM unnest($1::text[], $2::bigint[])
ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""

POLICY_NAMES = frozenset(field.name for field in fields(Policy))
_encode = msgspec.json.Encoder().encode
# What is true of every process that reads the same version; a database of its own has its own.
_read: dict[UUID, Reference] = {}
READ_VERSIONS_MAX = 4


async def load_reference(tx: Transaction) -> Reference:
    """Return nodes, rates and policy, from memory while their version stands."""
    version: UUID | None = await tx.fetchval(FIND_VERSION)
    known = None if version is None else _read.get(version)
    if known is not None:
        return known
    reference = Reference(
        nodes={row["node_id"]: _node(row) for row in await tx.fetch(LOAD_NODES)},
        rates=tuple(FreightRate(*row) for row in map(tuple, await tx.fetch(LOAD_RATES))),
        policy=await load_policy(tx),
    )
    if version is not None:
        if len(_read) >= READ_VERSIONS_MAX:
            _read.clear()
        _read[version] = reference
    return reference


async def load_policy(tx: Transaction) -> Policy:
    """Return the policy in force; rows of names that this version does not know are passed over."""
    rows = await tx.fetch(LOAD_POLICY)
    return Policy(**{row["name"]: row["value"] for row in rows if row["name"] in POLICY_NAMES})


async def save_nodes(tx: Transaction, nodes: Sequence[NodeDefined]) -> None:
    """Take nodes over, unless a higher version of them is known."""
    newest = {node.node_id: node for node in sorted(nodes, key=lambda node: node.entry_version)}
    await tx.execute(SAVE_NODES, _encode(list(newest.values())).decode())
    await tx.execute(TOUCH_REFERENCE)


async def save_goods(tx: Transaction, goods: Sequence[GoodsDefined]) -> None:
    """Take goods over, unless a higher version of them is known."""
    newest = {each.goods_id: each for each in sorted(goods, key=lambda each: each.entry_version)}
    await tx.execute(
        SAVE_GOODS,
        list(newest),
        [each.entry_version for each in newest.values()],
        [each.product_line for each in newest.values()],
        [each.weight_g for each in newest.values()],
    )


async def save_agreements(tx: Transaction, agreements: Sequence[AgreementDefined]) -> None:
    """Keep every version of agreements, because orders name theirs."""
    rows = {(each.agreement_id, each.entry_version): each for each in agreements}
    await tx.execute(SAVE_AGREEMENTS, _encode(list(rows.values())).decode())


async def load_rates(tx: Transaction) -> list[FreightRate]:
    """Return all freight rates, sorted by currency and regions."""
    return [FreightRate(*row) for row in map(tuple, await tx.fetch(LOAD_RATES))]


async def save_rates(tx: Transaction, rates: Sequence[FreightRate]) -> None:
    """Set freight rates; those of other regions stay."""
    await tx.execute(
        SAVE_RATES,
        [rate.currency for rate in rates],
        [rate.from_region for rate in rates],
        [rate.to_region for rate in rates],
        [rate.base_minor for rate in rates],
        [rate.base_weight_g for rate in rates],
        [rate.step_minor for rate in rates],
        [rate.step_weight_g for rate in rates],
    )
    await tx.execute(TOUCH_REFERENCE)


async def delete_rate(tx: Transaction, currency: str, from_region: str, to_region: str) -> bool:
    """Remove one freight rate; False when there is none such."""
    deleted = await tx.fetchval(DELETE_RATE, currency, from_region, to_region)
    await tx.execute(TOUCH_REFERENCE)
    return deleted is not None


async def save_policy(tx: Transaction, values: Mapping[str, int]) -> None:
    """Override parts of the policy."""
    await tx.execute(SAVE_POLICY, list(values), list(values.values()))
    await tx.execute(TOUCH_REFERENCE)


def _node(row: asyncpg.Record) -> Node:
    cut_off: time = row["cut_off"]
    return Node(
        node_id=row["node_id"],
        region_code=row["region_code"],
        latitude=row["latitude"],
        longitude=row["longitude"],
        timezone=row["timezone"],
        services=frozenset(map(Service, row["services"])),
        capacity_parcels=row["capacity_parcels"],
        handling_minor=row["handling_minor"],
        currency=row["currency"],
        coverage=tuple(row["coverage"]),
        working_weekdays=frozenset(row["working_weekdays"]),
        closed_on=frozenset(row["closed_on"]),
        cut_off=cut_off,
        safety_units=row["safety_units"],
        tier=row["tier"],
        is_enabled=row["is_enabled"],
    )
