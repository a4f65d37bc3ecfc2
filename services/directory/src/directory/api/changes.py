"""HTTP in: one entry at a time. The same content again makes no version."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path

from backbone import Outcome, Transaction
from directory import store
from directory.api.bodies import (
    AgreementBody,
    AgreementRow,
    ChannelSku,
    GoodsBody,
    GoodsRow,
    Item,
    LegalEntityBody,
    LegalEntityRow,
    ListingBody,
    ListingRow,
    NodeBody,
    NodeRow,
    PartyBody,
    PartyRow,
    ShopBody,
    ShopRow,
)
from directory.api.define import define
from directory.api.views import EntryView, view_of
from directory.model import Draft, Fault, key_of
from runtime.api import FieldProblem, Invalid, Perform, StrictRoute, responses
from runtime.fields import Id

router = APIRouter(route_class=StrictRoute)
FAULTS = responses(422)
FAULTS_MAX = 100


@router.put("/legal-entities/{legal_entity_id}", tags=["organisation"], responses=FAULTS)
async def put_legal_entity(
    legal_entity_id: Id, body: LegalEntityBody, perform: Perform
) -> EntryView[LegalEntityRow]:
    """Define a legal entity; its currency never changes."""
    return await _put(perform, body, legal_entity_id=legal_entity_id)


@router.put("/parties/{party_id}", tags=["organisation"], responses=FAULTS)
async def put_party(party_id: Id, body: PartyBody, perform: Perform) -> EntryView[PartyRow]:
    """Define a party at its place in the tree; its kind never changes."""
    return await _put(perform, body, party_id=party_id)


@router.put("/goods/{goods_id}", tags=["goods"], responses=FAULTS)
async def put_goods(goods_id: Id, body: GoodsBody, perform: Perform) -> EntryView[GoodsRow]:
    """Define goods, or a bundle by its parts; brand and being a bundle never change."""
    return await _put(perform, body, goods_id=goods_id)


@router.put("/nodes/{node_id}", tags=["nodes"], responses=FAULTS)
async def put_node(node_id: Id, body: NodeBody, perform: Perform) -> EntryView[NodeRow]:
    """Define a place that can ship."""
    return await _put(perform, body, node_id=node_id)


@router.put("/agreements/{agreement_id}", tags=["agreements"], responses=FAULTS)
async def put_agreement(
    agreement_id: Id, body: AgreementBody, perform: Perform
) -> EntryView[AgreementRow]:
    """Add a version of an agreement, which begins after the one before it.

    Versions are never changed: orders keep the one they were accepted under. An open version ends
    where its successor begins.
    """
    return await _put(perform, body, agreement_id=agreement_id)


@router.put("/shops/{shop_id}", tags=["shops"], responses=FAULTS)
async def put_shop(shop_id: Id, body: ShopBody, perform: Perform) -> EntryView[ShopRow]:
    """Define a shop; brand, seller and currency are those of its agreement."""
    return await _put(perform, body, shop_id=shop_id)


@router.put("/shops/{shop_id}/listings/{channel_sku:path}", tags=["shops"], responses=FAULTS)
async def put_listing(
    shop_id: Id, channel_sku: Annotated[ChannelSku, Path()], body: ListingBody, perform: Perform
) -> EntryView[ListingRow]:
    """Say what a shop's article number means in goods."""
    return await _put(perform, body, shop_id=shop_id, channel_sku=channel_sku)


async def _put(perform: Perform, body: Item, **ids: str) -> Any:
    definition = body.definition(**ids)
    draft = Draft(key_of(definition), definition)

    async def command(tx: Transaction, now: datetime) -> Outcome[dict[str, Any]]:
        decision = await define(tx, [draft], now)
        if decision.faults:
            raise _refusal(decision.faults)
        entry = await store.find_entry(tx, draft.key, None)
        return Outcome({} if entry is None else view_of(entry), decision.events)

    return await perform(command)


def _refusal(faults: Sequence[Fault]) -> Invalid:
    errors = [
        FieldProblem(
            location="body", field=fault.field and f"/{fault.field}", message=fault.message
        )
        for fault in faults[:FAULTS_MAX]
    ]
    return Invalid(" ".join(filter(None, (faults[0].field, faults[0].message))), errors=errors)
