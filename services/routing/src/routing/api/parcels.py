"""HTTP in: the work of nodes, as a phone or a scanner asks for it."""

from typing import Annotated

from fastapi import APIRouter, Query

from backbone import Transaction
from routing.api.views import MessagesView, MessageView, ParcelView
from routing.decide.contents import parcel_of
from routing.model.fulfilment import Execution, Negotiation
from routing.store import orders, views
from routing.store.views import ParcelFilter
from runtime.api import NotFound, Page, Paging, Read, StrictRoute, responses
from runtime.fields import Id

router = APIRouter(route_class=StrictRoute, tags=["parcels"])

MESSAGES_MAX = 200


@router.get("/parcels", responses=responses(422))
async def list_parcels(
    read: Read,
    paging: Paging,
    state: Annotated[Execution | None, Query()] = None,
    negotiation: Annotated[Negotiation | None, Query()] = None,
) -> Page[ParcelView]:
    """List parcels of all nodes, by node and id."""
    node_id, parcel_id = paging.key(str, str) or ("", "")
    after = (str(node_id), str(parcel_id))
    async with read() as tx:
        wanted = ParcelFilter(state, negotiation)
        found = await views.list_parcels(tx, wanted, after, paging.items_max + 1)
        shown = await _show(tx, found)
    return Page[ParcelView].of(shown, paging, lambda view: (view.node_id, view.parcel_id))


@router.get("/nodes/{node_id}/parcels", responses=responses(404, 422))
async def list_node_parcels(
    node_id: Id,
    read: Read,
    paging: Paging,
    state: Annotated[Execution | None, Query()] = None,
    negotiation: Annotated[Negotiation | None, Query()] = None,
) -> Page[ParcelView]:
    """List a node's parcels by id; `state=released&negotiation=sent` are the offers."""
    (parcel_id,) = paging.key(str) or ("",)
    async with read() as tx:
        if not await views.has_node(tx, node_id):
            raise NotFound(f"there is no node {node_id}")
        wanted = ParcelFilter(state, negotiation)
        found = await views.list_parcels_of_node(
            tx, wanted, (node_id, str(parcel_id)), paging.items_max + 1
        )
        shown = await _show(tx, found)
    return Page[ParcelView].of(shown, paging, lambda view: (view.parcel_id,))


@router.get("/parcels/{parcel_id}", responses=responses(404))
async def get_parcel(parcel_id: Id, read: Read) -> ParcelView:
    """Return one parcel."""
    async with read() as tx:
        found = await orders.find_orders_of(tx, [parcel_id])
        if not found:
            raise NotFound(f"there is no parcel {parcel_id}")
        (view,) = await _show(tx, list(found.items()))
    return view


@router.get("/parcels/{parcel_id}/messages", responses=responses(404))
async def list_messages(parcel_id: Id, read: Read) -> MessagesView:
    """Return what was said about a parcel, also what was fenced or refused."""
    async with read() as tx:
        if not await orders.find_orders_of(tx, [parcel_id]):
            raise NotFound(f"there is no parcel {parcel_id}")
        found = await views.list_messages(tx, parcel_id, MESSAGES_MAX)
    return MessagesView(messages=[MessageView.model_validate(each) for each in found])


async def _show(tx: Transaction, found: list[tuple[str, str]]) -> list[ParcelView]:
    loaded = await orders.load_orders(tx, {order_id for _, order_id in found})
    return [
        ParcelView.of(loaded[order_id], parcel_of(loaded[order_id], parcel_id))
        for parcel_id, order_id in found
    ]
