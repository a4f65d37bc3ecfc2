"""Legal entities, parties and agreements as the directory last said."""

from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import TypeAlias, TypeVar

import asyncpg

from backbone import Transaction
from contracts.entries import AgreementDefined, EarnedOn, LegalEntityDefined, PartyDefined
from contracts.orders import Scenario
from settlement.model import Terms
from settlement.store.columns import columns

SAVE_LEGAL_ENTITIES = """
INSERT INTO legal_entity (legal_entity_id, entry_version, name, currency, timezone)
SELECT * FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[])
ON CONFLICT (legal_entity_id) DO UPDATE SET
    entry_version = excluded.entry_version, name = excluded.name,
    currency = excluded.currency, timezone = excluded.timezone
WHERE legal_entity.entry_version < excluded.entry_version
"""
SAVE_PARTIES = """
INSERT INTO party (party_id, entry_version, kind, name, parent_id, legal_entity_id, enabled)
SELECT * FROM unnest(
    $1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[])
ON CONFLICT (party_id) DO UPDATE SET
    entry_version = excluded.entry_version, kind = excluded.kind, name = excluded.name,
    parent_id = excluded.parent_id, legal_entity_id = excluded.legal_entity_id,
    enabled = excluded.enabled
WHERE party.entry_version < excluded.entry_version
"""
SAVE_AGREEMENTS = """
INSERT INTO agreement (
    agreement_id, agreement_version, scenario, brand_id, seller_id, currency, valid_from,
    valid_to, platform_id, platform_rate_ppm, freight_payee_id, freight_bearer_id, earned_on)
SELECT * FROM unnest(
    $1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
    $8::timestamptz[], $9::text[], $10::int[], $11::text[], $12::text[], $13::text[])
ON CONFLICT DO NOTHING
"""
LOAD_TERMS = """
SELECT agreement_id, agreement_version, a.scenario, a.brand_id, a.seller_id, a.platform_id,
       a.platform_rate_ppm, a.freight_payee_id, a.freight_bearer_id, a.earned_on,
       named.party_ids, named.book_ids, named.missing
FROM unnest($1::text[], $2::int[]) AS wanted (agreement_id, agreement_version)
JOIN agreement AS a USING (agreement_id, agreement_version)
CROSS JOIN LATERAL (
    SELECT array_agg(n.party_id) AS party_ids,
           array_agg(p.legal_entity_id) AS book_ids,
           min(CASE WHEN p.party_id IS NULL THEN 'party:' || n.party_id
                    WHEN p.legal_entity_id IS NOT NULL AND l.legal_entity_id IS NULL
                    THEN 'legal-entity:' || p.legal_entity_id END) AS missing
    FROM unnest(ARRAY[a.brand_id, a.seller_id, a.platform_id, a.freight_payee_id,
                      a.freight_bearer_id]) AS n (party_id)
    LEFT JOIN party AS p ON p.party_id = n.party_id
    LEFT JOIN legal_entity AS l ON l.legal_entity_id = p.legal_entity_id
    WHERE n.party_id IS NOT NULL
) AS named
"""
FIND_BOOK = "SELECT currency, timezone FROM legal_entity WHERE legal_entity_id = $1"
IS_PARTY = "SELECT EXISTS (SELECT FROM party WHERE party_id = $1)"
FIND_PARTY_BOOK = "SELECT legal_entity_id FROM party WHERE party_id = $1"

TermsKey: TypeAlias = tuple[str, int]
"""An agreement's id and version."""

E = TypeVar("E", LegalEntityDefined, PartyDefined)


async def save_legal_entities(tx: Transaction, entities: Sequence[LegalEntityDefined]) -> None:
    """Keep the highest version of each legal entity."""
    newest = sorted(_newest(entities), key=attrgetter("legal_entity_id"))
    rows = [
        (each.legal_entity_id, each.entry_version, each.name, each.currency, each.timezone)
        for each in newest
    ]
    await tx.execute(SAVE_LEGAL_ENTITIES, *columns(rows))


async def save_parties(tx: Transaction, parties: Sequence[PartyDefined]) -> None:
    """Keep the highest version of each party."""
    rows = [
        (
            each.party_id,
            each.entry_version,
            each.kind.value,
            each.name,
            each.parent_id,
            each.legal_entity_id,
            each.enabled,
        )
        for each in sorted(_newest(parties), key=attrgetter("party_id"))
    ]
    await tx.execute(SAVE_PARTIES, *columns(rows))


async def save_agreements(tx: Transaction, agreements: Sequence[AgreementDefined]) -> None:
    """Keep every version of every agreement; a version never changes."""
    rows = [
        (
            each.agreement_id,
            each.entry_version,
            each.scenario.value,
            each.brand_id,
            each.seller_id,
            each.currency,
            each.valid_from,
            each.valid_to,
            each.platform_id,
            each.platform_rate_ppm,
            each.freight_payee_id,
            each.freight_bearer_id,
            each.earned_on.value,
        )
        for each in sorted(agreements, key=attrgetter("agreement_id", "entry_version"))
    ]
    await tx.execute(SAVE_AGREEMENTS, *columns(rows))


async def load_terms(
    tx: Transaction, wanted: Collection[TermsKey]
) -> tuple[dict[TermsKey, Terms], dict[TermsKey, str]]:
    """Return the terms of agreement versions that can be applied, and what the others lack.

    What is lacking reads `agreement:<id>@<version>`, `party:<id>` or `legal-entity:<id>`.
    """
    keys = sorted(wanted)
    rows = await tx.fetch(LOAD_TERMS, [key[0] for key in keys], [key[1] for key in keys])
    lacking = {key: f"agreement:{key[0]}@{key[1]}" for key in keys}
    known: dict[TermsKey, Terms] = {}
    for row in rows:
        key = (row["agreement_id"], row["agreement_version"])
        del lacking[key]
        if row["missing"] is None:
            known[key] = _terms(row)
        else:
            lacking[key] = row["missing"]
    return known, lacking


async def find_book(tx: Transaction, book_id: str) -> tuple[str, str] | None:
    """Return currency and timezone of a book, or None."""
    row = await tx.fetchrow(FIND_BOOK, book_id)
    return None if row is None else (row["currency"], row["timezone"])


async def is_party(tx: Transaction, party_id: str) -> bool:
    """Tell whether the directory named a party."""
    return bool(await tx.fetchval(IS_PARTY, party_id))


async def find_party_book(tx: Transaction, party_id: str) -> str | None:
    """Return the book a party keeps, or None."""
    book_id: str | None = await tx.fetchval(FIND_PARTY_BOOK, party_id)
    return book_id


def _newest(entries: Sequence[E]) -> list[E]:
    """One statement cannot write a row twice, so only the highest version of each entry stays."""
    by_version = sorted(entries, key=attrgetter("entry_version"))
    return list({entry.entry_id: entry for entry in by_version}.values())


def _terms(row: asyncpg.Record) -> Terms:
    named = zip(row["party_ids"], row["book_ids"], strict=True)
    return Terms(
        agreement_id=row["agreement_id"],
        agreement_version=row["agreement_version"],
        scenario=Scenario(row["scenario"]),
        brand_id=row["brand_id"],
        seller_id=row["seller_id"],
        platform_id=row["platform_id"],
        platform_rate_ppm=row["platform_rate_ppm"],
        freight_payee_id=row["freight_payee_id"],
        freight_bearer_id=row["freight_bearer_id"],
        earned_on=EarnedOn(row["earned_on"]),
        books={party_id: book_id for party_id, book_id in named if book_id is not None},
    )
