"""Statements: issued on request, once for a party, book, currency and period."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from backbone import Outcome, Transaction
from runtime.api import (
    Conflict,
    Invalid,
    NotFound,
    Page,
    Paging,
    Perform,
    Read,
    StrictRoute,
    responses,
)
from runtime.fields import Id
from settlement.api.bodies import PostedLineView, StatementRequest, StatementView
from settlement.decide.statement import (
    Period,
    StatementRefusedError,
    check,
    closes_at,
    issue,
    issued,
    period_of,
    statement_id,
)
from settlement.model import Series, Statement
from settlement.store import ledger, reference
from settlement.store import statements as statement_store

router = APIRouter(route_class=StrictRoute, tags=["statements"])


@router.post("/statements", status_code=201, responses=responses(400, 404, 409, 415, 422, 503))
async def issue_statement(body: StatementRequest, perform: Perform) -> StatementView:
    """Issue a party's statement; asked again it is the same, and nothing happens.

    It covers every settled entry booked before the period's end and in no statement yet. 409 when
    the days are stated already or lie ahead.
    """
    try:
        period = period_of(body.period)
    except ValueError as error:
        raise Invalid(f"body /period: {error}") from None

    async def command(tx: Transaction, now: datetime) -> Outcome[Statement]:
        series, timezone = await _series(tx, body)
        try:
            return await _issue(tx, series, period, timezone, now)
        except StatementRefusedError as error:
            raise Conflict(str(error)) from None

    return StatementView.of(await perform(command))


async def _series(tx: Transaction, body: StatementRequest) -> tuple[Series, str]:
    """Return what is asked for, and the timezone of its book."""
    if not await reference.is_party(tx, body.party_id):
        raise NotFound(f"there is no party {body.party_id}")
    book_id = body.book_id or await reference.find_party_book(tx, body.party_id)
    if book_id is None:
        raise Invalid(f"body /book_id: party {body.party_id} keeps no book, name one")
    book = await reference.find_book(tx, book_id)
    if book is None:
        raise NotFound(f"there is no book {book_id}")
    currency, timezone = book
    return Series(body.party_id, book_id, body.currency or currency), timezone


async def _issue(
    tx: Transaction, series: Series, period: Period, timezone: str, now: datetime
) -> Outcome[Statement]:
    await statement_store.lock_series(tx, series)
    own_id = statement_id(series, period)
    known = await statement_store.find_statement(tx, own_id)
    if known is not None:
        return Outcome(known)
    previous = await statement_store.find_last(tx, series)
    check(period, previous, now, timezone)
    ends = closes_at(period, timezone)
    movements = await statement_store.claim_entries(tx, own_id, series, ends)
    statement = issue(series, period, previous, movements, now)
    await statement_store.save_statement(tx, statement)
    return Outcome(statement, [issued(statement)])


@router.get("/statements", responses=responses(400, 422, 503))
async def list_statements(
    read: Read, paging: Paging, party_id: Annotated[Id | None, Query()] = None
) -> Page[StatementView]:
    """List statements, the latest period first."""
    last = paging.key(str, str)
    after = None if last is None else (date.fromisoformat(str(last[0])), str(last[1]))
    async with read() as tx:
        found = await statement_store.list_statements(tx, party_id, after, paging.items_max + 1)
    shown = [StatementView.of(statement) for statement in found]
    return Page[StatementView].of(
        shown, paging, lambda each: (each.period_end.isoformat(), each.statement_id)
    )


@router.get("/statements/{statement_id}", responses=responses(404, 422, 503))
async def get_statement(statement_id: UUID, read: Read) -> StatementView:
    """Return a statement."""
    async with read() as tx:
        found = await statement_store.find_statement(tx, str(statement_id))
    if found is None:
        raise NotFound(f"there is no statement {statement_id}")
    return StatementView.of(found)


@router.get("/statements/{statement_id}/entries", responses=responses(400, 422, 503))
async def list_stated_entries(
    statement_id: UUID, read: Read, paging: Paging
) -> Page[PostedLineView]:
    """List the entries that a statement covers, oldest first."""
    last = paging.key(int, int)
    after = (0, 0) if last is None else (int(last[0]), int(last[1]))
    async with read() as tx:
        entries = await ledger.list_stated_lines(tx, str(statement_id), after, paging.items_max + 1)
    shown = [PostedLineView.of(entry) for entry in entries]
    return Page[PostedLineView].of(
        shown, paging, lambda entry: (entry.journal_index, entry.entry_index)
    )
