"""HTTP in: where accounts and orders stand."""

from typing import Annotated

from fastapi import APIRouter, Query

from quota import store
from quota.api.bodies import AccountView, EntryView, HoldView, LimitView, WaitingView
from runtime.api import NotFound, Page, Paging, Read, StrictRoute, responses
from runtime.clock import now as present
from runtime.fields import Id

router = APIRouter(route_class=StrictRoute, tags=["accounts"])


@router.get("/accounts", responses=responses(422))
async def list_accounts(
    read: Read, paging: Paging, party_id: Annotated[Id | None, Query()] = None
) -> Page[AccountView]:
    """List accounts by id, those of one party if it is given."""
    (after,) = paging.key(str) or ("",)
    async with read() as tx:
        standings = await store.list_standings(
            tx, present(), after=str(after), party_id=party_id, items_max=paging.items_max + 1
        )
    views = [AccountView.of(standing) for standing in standings]
    return Page[AccountView].of(views, paging, lambda view: (view.account_id,))


@router.get("/accounts/{account_id}", responses=responses(404))
async def get_account(account_id: Id, read: Read) -> AccountView:
    """Return what is settled, held, the limit in force, what is available, and who waits."""
    async with read() as tx:
        standing = await store.find_standing(tx, account_id, present())
    if standing is None:
        raise NotFound(f"there is no account {account_id}")
    return AccountView.of(standing)


@router.get("/accounts/{account_id}/entries", responses=responses(404, 422))
async def list_entries(account_id: Id, read: Read, paging: Paging) -> Page[EntryView]:
    """List every change of an account, the last one first."""
    (before,) = paging.key(int) or (None,)
    await get_account(account_id, read)
    async with read() as tx:
        found = await store.list_entries(tx, account_id, _sequence(before), paging.items_max + 1)
    views = [EntryView.of(entry) for entry in found]
    return Page[EntryView].of(views, paging, lambda view: (view.entry_sequence,))


@router.get("/accounts/{account_id}/limits", responses=responses(404, 422))
async def list_limits(account_id: Id, read: Read, paging: Paging) -> Page[LimitView]:
    """List an account's limits, the last recorded first; future ones are among them."""
    (before,) = paging.key(int) or (None,)
    await get_account(account_id, read)
    async with read() as tx:
        found = await store.list_limits(tx, account_id, _sequence(before), paging.items_max + 1)
    views = [LimitView.of(limit) for limit in found]
    return Page[LimitView].of(views, paging, lambda view: (view.entry_sequence,))


@router.get("/accounts/{account_id}/waiting", responses=responses(404, 422))
async def list_waiting(account_id: Id, read: Read, paging: Paging) -> Page[WaitingView]:
    """List the orders that wait for their limit, in the order in which they will be granted."""
    (behind,) = paging.key(str) or (None,)
    await get_account(account_id, read)
    async with read() as tx:
        found = await store.list_waiting(
            tx, account_id, None if behind is None else str(behind), paging.items_max + 1
        )
    views = [WaitingView.of(hold) for hold in found]
    return Page[WaitingView].of(views, paging, lambda view: (view.order_id,))


@router.get("/orders/{order_id}/hold", responses=responses(404))
async def get_hold(order_id: Id, read: Read) -> HoldView:
    """Return what an order holds, captured and gave back, per line."""
    async with read() as tx:
        hold = await store.find_hold(tx, order_id)
        lines = await store.find_lines(tx, order_id)
    if hold is None:
        raise NotFound(f"order {order_id} is not known here")
    return HoldView.of(hold, lines)


def _sequence(column: str | int | None) -> int | None:
    return None if column is None else int(column)
