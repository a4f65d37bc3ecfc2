"""HTTP in: accounts, limits, top-ups and blocks; one or thousands, all or none."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from fastapi import APIRouter

from backbone import Outcome, Transaction
from contracts.event import Event
from quota import decide, store
from quota.api.bodies import (
    AccountBody,
    AccountsBody,
    AccountsView,
    AccountView,
    BlockBody,
    LimitBody,
    LimitsBody,
    LimitsView,
    LimitView,
    NamedAccountBody,
    NamedLimitBody,
    NamedTopUpBody,
    TopUpBody,
    TopUpsBody,
    TopUpsView,
    TopUpView,
)
from quota.model import Account, Book, Entry, EntryKind, Limit, TopUp
from runtime.api import Conflict, Invalid, NotFound, Perform, StrictRoute, responses
from runtime.fields import Id

router = APIRouter(route_class=StrictRoute, tags=["accounts"])
T = TypeVar("T", Limit, TopUp)
Key = tuple[str, str]


@router.put("/accounts/{account_id}", responses=responses(409, 422))
async def put_account(account_id: Id, body: AccountBody, perform: Perform) -> AccountView:
    """Open an account, or change its policy; party and currency cannot change."""
    named = NamedAccountBody(account_id=account_id, **dict(body))

    async def command(tx: Transaction, now: datetime) -> Outcome[AccountView]:
        events = await _put_accounts(tx, [named], now)
        return Outcome(await _view(tx, account_id, now), events)

    return await perform(command)


@router.put("/accounts", responses=responses(409, 422))
async def put_accounts(body: AccountsBody, perform: Perform) -> AccountsView:
    """Open or change many accounts at once."""

    async def command(tx: Transaction, now: datetime) -> Outcome[AccountsView]:
        events = await _put_accounts(tx, body.accounts, now)
        return Outcome(AccountsView(accounts=len(body.accounts)), events)

    return await perform(command)


@router.post("/accounts/{account_id}/limits", responses=responses(404, 409, 422))
async def post_limit(account_id: Id, body: LimitBody, perform: Perform) -> LimitView:
    """Set a limit from a time on. The same id and content again changes nothing.

    The last recorded of several in force counts. Lowering a limit blocks new holds only.
    """
    named = NamedLimitBody(account_id=account_id, **dict(body))

    async def command(tx: Transaction, now: datetime) -> Outcome[LimitView]:
        outcome = await _set_limits(tx, [named], now)
        return Outcome(outcome.answer.limits[0], outcome.events)

    return await perform(command)


@router.post("/limits", responses=responses(404, 409, 422))
async def post_limits(body: LimitsBody, perform: Perform) -> LimitsView:
    """Set many limits at once."""

    async def command(tx: Transaction, now: datetime) -> Outcome[LimitsView]:
        return await _set_limits(tx, body.limits, now)

    return await perform(command)


@router.post("/accounts/{account_id}/top-ups", responses=responses(404, 409, 422))
async def post_top_up(account_id: Id, body: TopUpBody, perform: Perform) -> TopUpView:
    """Book money paid in advance, once per id; orders that wait go on in fair order."""
    named = NamedTopUpBody(account_id=account_id, **dict(body))

    async def command(tx: Transaction, now: datetime) -> Outcome[TopUpView]:
        outcome = await _top_up(tx, [named], now)
        return Outcome(outcome.answer.top_ups[0], outcome.events)

    return await perform(command)


@router.post("/top-ups", responses=responses(404, 409, 422))
async def post_top_ups(body: TopUpsBody, perform: Perform) -> TopUpsView:
    """Book many top-ups at once."""

    async def command(tx: Transaction, now: datetime) -> Outcome[TopUpsView]:
        return await _top_up(tx, body.top_ups, now)

    return await perform(command)


@router.post("/accounts/{account_id}/block", responses=responses(404, 422))
async def block_account(account_id: Id, body: BlockBody, perform: Perform) -> AccountView:
    """Refuse new holds; what is held stays and is captured as it ships."""
    return await _block(account_id, body, perform, is_blocked=True)


@router.post("/accounts/{account_id}/unblock", responses=responses(404, 422))
async def unblock_account(account_id: Id, body: BlockBody, perform: Perform) -> AccountView:
    """Grant holds again; orders that wait go on in fair order."""
    return await _block(account_id, body, perform, is_blocked=False)


async def _block(
    account_id: str, body: BlockBody, perform: Perform, *, is_blocked: bool
) -> AccountView:
    async def command(tx: Transaction, now: datetime) -> Outcome[AccountView]:
        book = await _load_known(tx, [account_id], now)
        decision = decide.block(book, account_id, now, is_blocked=is_blocked, reason=body.reason)
        await store.save(tx, decision, now)
        return Outcome(await _view(tx, account_id, now), decision.events)

    return await perform(command)


async def _put_accounts(
    tx: Transaction, bodies: Sequence[NamedAccountBody], now: datetime
) -> Sequence[Event]:
    wanted = {body.account_id: _account_of(body) for body in bodies}
    if len(wanted) < len(bodies):
        raise Invalid("an account comes twice in the list")
    await store.add_accounts(tx, list(wanted.values()), now)
    book = await store.load_book(tx, now, account_ids=wanted)
    for account_id, account in book.accounts.items():
        target = wanted[account_id]
        if (account.party_id, account.currency) != (target.party_id, target.currency):
            raise Conflict(f"account {account_id} exists with another party or currency")
    decision = decide.policies(book, wanted, now)
    await store.save(tx, decision, now)
    return decision.events


async def _set_limits(
    tx: Transaction, bodies: Sequence[NamedLimitBody], now: datetime
) -> Outcome[LimitsView]:
    wanted = _unique(((body.account_id, body.limit_id), _limit_of(body, now)) for body in bodies)
    book = await _load_known(tx, [account_id for account_id, _ in wanted], now)
    known = await store.find_limits(tx, wanted)
    given = {(body.account_id, body.limit_id): body for body in bodies}
    for key, limit in known.items():
        if not _repeats(given[key], limit):
            raise Conflict(f"limit {key[1]} of account {key[0]} was set with other content")
    fresh = [limit for key, limit in wanted.items() if key not in known]
    decision, numbered = decide.limit(book, fresh, now)
    await store.save(tx, decision, now)
    await store.save_limits(tx, numbered, now)
    known |= {(limit.account_id, limit.limit_id): limit for limit in numbered}
    answers = [LimitView.of(known[body.account_id, body.limit_id]) for body in bodies]
    return Outcome(LimitsView(limits=answers), decision.events)


async def _top_up(
    tx: Transaction, bodies: Sequence[NamedTopUpBody], now: datetime
) -> Outcome[TopUpsView]:
    wanted = _unique(((body.account_id, body.top_up_id), _top_up_of(body)) for body in bodies)
    book = await _load_known(tx, [account_id for account_id, _ in wanted], now)
    known: dict[Key, Entry] = await store.find_top_ups(tx, wanted)
    for key, entry in known.items():
        if entry.settled_change_minor != wanted[key].amount_minor:
            raise Conflict(f"top-up {key[1]} of account {key[0]} was booked with another amount")
    fresh = [each for key, each in wanted.items() if key not in known]
    decision = decide.top_up(book, fresh, now)
    await store.save(tx, decision, now)
    booked = [entry for entry in decision.entries if entry.kind is EntryKind.TOP_UP]
    known |= {(entry.account_id, entry.cause_id): entry for entry in booked}
    answers = [TopUpView.of(known[body.account_id, body.top_up_id]) for body in bodies]
    return Outcome(TopUpsView(top_ups=answers), decision.events)


async def _load_known(tx: Transaction, account_ids: Sequence[str], now: datetime) -> Book:
    book = await store.load_book(tx, now, account_ids=account_ids)
    missing = sorted(set(account_ids) - set(book.accounts))
    if missing:
        raise NotFound(f"there is no account {missing[0]}")
    return book


async def _view(tx: Transaction, account_id: str, now: datetime) -> AccountView:
    standing = await store.find_standing(tx, account_id, now)
    if standing is None:
        raise NotFound(f"there is no account {account_id}")
    return AccountView.of(standing)


def _unique(keyed: Iterable[tuple[Key, T]]) -> dict[Key, T]:
    wanted: dict[Key, T] = {}
    for key, each in keyed:
        if wanted.setdefault(key, each) != each:
            raise Invalid(f"the id {key[1]} comes twice for account {key[0]}, with other content")
    return wanted


def _account_of(body: NamedAccountBody) -> Account:
    return Account(
        account_id=body.account_id,
        party_id=body.party_id,
        currency=body.currency,
        skips_max=body.skips_max,
        wait_hours=body.wait_hours,
        settled_minor=0,
        held_minor=0,
        limit_minor=0,
        is_blocked=False,
        entry_sequence=0,
    )


def _top_up_of(body: NamedTopUpBody) -> TopUp:
    return TopUp(body.account_id, body.top_up_id, body.amount_minor)


def _limit_of(body: NamedLimitBody, now: datetime) -> Limit:
    valid_from = now if body.valid_from is None else body.valid_from
    if body.valid_to is not None and body.valid_to <= valid_from:
        raise Invalid(f"limit {body.limit_id}: valid_to must be after valid_from")
    return Limit(body.account_id, body.limit_id, body.amount_minor, valid_from, body.valid_to)


def _repeats(body: NamedLimitBody, limit: Limit) -> bool:
    """Tell whether a limit is sent again; one that began "now" began when it came first."""
    began = body.valid_from is None or body.valid_from == limit.valid_from
    return began and (body.amount_minor, body.valid_to) == (limit.amount_minor, limit.valid_to)
