"""Accounts, what parties have, books and their chains, and the check of everything."""

from itertools import groupby
from typing import Annotated, TypeAlias

from fastapi import APIRouter, Query

from runtime.api import NotFound, Page, Paging, Read, StrictRoute, responses
from runtime.fields import Id
from settlement.api.bodies import (
    AccountView,
    BlockView,
    InvariantView,
    PartyBalanceView,
    PartyBookView,
    PostedLineView,
    TrialBalanceView,
    VerificationView,
)
from settlement.model import Balance
from settlement.store import invariants, ledger, reference

PARTY_ACCOUNTS_MAX = 5_000

router = APIRouter(route_class=StrictRoute, tags=["books"])

AccountId: TypeAlias = Annotated[str, Query(pattern=r"^[A-Za-z0-9_.:/-]{1,280}$")]


@router.get("/accounts", responses=responses(400, 422, 503))
async def list_accounts(
    read: Read,
    paging: Paging,
    party_id: Annotated[Id | None, Query()] = None,
    book_id: Annotated[Id | None, Query()] = None,
) -> Page[AccountView]:
    """List accounts with their balances, by account id."""
    last = paging.key(str)
    after = None if last is None else str(last[0])
    wanted = ledger.AccountFilter(party_id, book_id)
    async with read() as tx:
        balances = await ledger.list_balances(tx, wanted, after, paging.items_max + 1)
    shown = [AccountView.of(balance) for balance in balances]
    return Page[AccountView].of(shown, paging, lambda account: (account.account_id,))


@router.get("/entries", responses=responses(400, 422, 503))
async def list_entries(account_id: AccountId, read: Read, paging: Paging) -> Page[PostedLineView]:
    """List the entries of an account, oldest first, each with the event that made it."""
    last = paging.key(int, int)
    after = (0, 0) if last is None else (int(last[0]), int(last[1]))
    async with read() as tx:
        entries = await ledger.list_posted_lines(tx, account_id, after, paging.items_max + 1)
    shown = [PostedLineView.of(entry) for entry in entries]
    return Page[PostedLineView].of(
        shown, paging, lambda entry: (entry.journal_index, entry.entry_index)
    )


@router.get("/parties/{party_id}/balance", responses=responses(404, 422, 503))
async def get_party_balance(party_id: Id, read: Read) -> PartyBalanceView:
    """Return what a party has in every book, planned and earned, as of this moment."""
    wanted = ledger.AccountFilter(party_id, None)
    async with read() as tx:
        balances = await ledger.list_balances(tx, wanted, None, PARTY_ACCOUNTS_MAX)
        is_known = bool(balances) or await reference.is_party(tx, party_id)
    if not is_known:
        raise NotFound(f"there is no party {party_id}")
    by_book = sorted(balances, key=_book_and_currency)
    return PartyBalanceView(
        party_id=party_id,
        books=[
            _party_book(key, list(group)) for key, group in groupby(by_book, key=_book_and_currency)
        ],
    )


@router.get("/books/{book_id}/trial-balance", responses=responses(404, 422, 503))
async def get_trial_balance(book_id: Id, read: Read) -> TrialBalanceView:
    """Return a book's accounts by code, as of this moment; every sum is 0."""
    async with read() as tx:
        book = await reference.find_book(tx, book_id)
        totals = await ledger.list_totals(tx, book_id)
    if book is None:
        raise NotFound(f"there is no book {book_id}")
    return TrialBalanceView.of(book_id, totals)


@router.get("/books/{book_id}/chain", responses=responses(400, 404, 422, 503))
async def list_blocks(book_id: Id, read: Read, paging: Paging) -> Page[BlockView]:
    """List the blocks that bind a book's journals, the head first.

    Whoever keeps a head can later show that no journal before it was changed or removed.
    """
    last = paging.key(int)
    before_index = None if last is None else int(last[0])
    async with read() as tx:
        book = await reference.find_book(tx, book_id)
        blocks = await ledger.list_blocks(tx, book_id, before_index, paging.items_max + 1)
    if book is None:
        raise NotFound(f"there is no book {book_id}")
    shown = [BlockView.of(block) for block in blocks]
    return Page[BlockView].of(shown, paging, lambda block: (block.block_index,))


@router.get("/verify", responses=responses(503))
async def verify(read: Read) -> VerificationView:
    """Check every property of the books over all rows, and count what breaks it."""
    async with read() as tx:
        found = await invariants.count_violations(tx)
    return VerificationView(
        violations_count=sum(each.violations_count for each in found),
        invariants=[InvariantView.model_validate(each) for each in found],
    )


def _book_and_currency(balance: Balance) -> tuple[str, str]:
    return balance.account.book_id, balance.account.currency


def _party_book(key: tuple[str, str], balances: list[Balance]) -> PartyBookView:
    return PartyBookView(
        book_id=key[0],
        currency=key[1],
        pending_minor=-sum(balance.pending_minor for balance in balances),
        settled_minor=-sum(balance.settled_minor for balance in balances),
        accounts=[AccountView.of(balance) for balance in balances],
    )
