"""Webhooks in: signed by the channel, read by its adapter, answered only when stored."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Path, Request

from backbone import Outcome, Transaction
from contracts.event import Event
from ingest.api.commands import decide_request
from ingest.decide.review import misunderstand, orders_in
from ingest.decide.take import take
from ingest.gateway.channel import find_adapters
from ingest.gateway.digest import content_digest
from ingest.gateway.notice import Adapter, MisfitError, Notice
from ingest.gateway.secrets import Secrets, SecretSettings
from ingest.model import order as model
from ingest.model.pool import Answered, CommandKind, Decision, Reason, WantedCancellation
from ingest.model.pool import Request as Command
from ingest.store.attention import read_clock
from ingest.store.pool import lock_orders
from ingest.store.save import save
from ingest.store.terms import load_directory
from runtime.api import (
    BadRequest,
    JsonValue,
    Perform,
    Problem,
    RawBody,
    Read,
    Unauthorized,
    parse,
    responses,
)
from runtime.fields import Id
from runtime.logs import logger

router = APIRouter(tags=["webhooks"])

PARAMETERS_MAX = 32
adapters = find_adapters()
secrets = Secrets(SecretSettings().secrets_file)


async def _notice(
    channel: Annotated[Id, Path()], shop_id: Annotated[Id, Path()], request: Request, body: RawBody
) -> Notice:
    return Notice(channel, shop_id, dict(request.headers), _query(request), body)


@router.post("/webhooks/{channel}/{shop_id}", responses=responses(400, 401))
async def take_webhook(
    notice: Annotated[Notice, Depends(_notice)], read: Read, perform: Perform
) -> Mapping[str, JsonValue]:
    """Take what a channel pushes.

    A wrong signature, an unknown shop and an unknown channel get the same 401. Authentic bytes get
    2xx once they are stored, understood or not: a channel repeats what is refused, and in the end
    stops sending.
    """
    adapter = await _authenticated(notice, read)
    deliveries = _read(adapter, notice)

    async def command(tx: Transaction, now: datetime) -> Outcome[None]:
        events: list[Event] = []
        # One by one: a push carries few messages, and their order matters.
        for delivery in deliveries:
            events.extend(await _deliver(tx, delivery, now))
        return Outcome(None, events)

    await perform(command)
    return adapter.acknowledgement


def _query(request: Request) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            request.url.query,
            keep_blank_values=True,
            errors="strict",
            max_num_fields=PARAMETERS_MAX,
        )
    except ValueError:
        raise BadRequest("the query string cannot be read") from None
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise BadRequest("a query parameter comes twice")
    return dict(pairs)


async def _authenticated(notice: Notice, read: Read) -> Adapter:
    """Return the adapter of an authentic notice; windows of time are the database's."""
    adapter = adapters.get(notice.channel)
    credential = secrets.find(notice.channel, notice.shop_id)
    if adapter is not None and credential is not None:
        async with read() as tx:
            now = await read_clock(tx)
        if adapter.is_authentic(notice, credential, now):
            return adapter
    logger().warning("webhook refused", channel=notice.channel, shop_id=notice.shop_id)
    raise Unauthorized("the webhook is not signed by a shop of ours")


def _read(adapter: Adapter, notice: Notice) -> Sequence[model.Delivery]:
    try:
        return adapter.read(notice, parse(notice.body))
    except Problem as problem:
        detail = str(problem.detail)
    except MisfitError as misfit:
        detail = str(misfit)
    return [notice.misunderstood(Reason.MALFORMED, detail, notice.raw())]


async def _deliver(tx: Transaction, delivery: model.Delivery, now: datetime) -> Sequence[Event]:
    match delivery:
        case model.Submission():
            return await _submit(tx, delivery, now)
        case model.Misunderstood():
            decision = Decision()
            misunderstand([delivery], now, decision)
            await save(tx, decision, now)
            return []
        case model.CancellationNotice() | model.PaymentNotice():
            return await _ask(tx, delivery, now)


async def _submit(tx: Transaction, order: model.Submission, now: datetime) -> Sequence[Event]:
    pool = await lock_orders(tx, [order.order_id])
    directory = await load_directory(tx, [order.order, *orders_in(pool)])
    _, decision = take([order], pool, {}, directory, now)
    await save(tx, decision, now)
    return decision.events


async def _ask(
    tx: Transaction, notice: model.CancellationNotice | model.PaymentNotice, now: datetime
) -> Sequence[Event]:
    """Decide a channel's command; what is refused goes to a person, never back to the channel."""
    command = _command(notice)
    outcome = await decide_request(tx, command, now)
    if outcome.answer.outcome not in {"done", "parked"}:
        decision = Decision()
        misunderstand([_refused(notice, outcome.answer)], now, decision)
        await save(tx, decision, now)
    return outcome.events


def _command(notice: model.CancellationNotice | model.PaymentNotice) -> Command:
    match notice:
        case model.CancellationNotice():
            kind, command_id = CommandKind.CANCELLATION, notice.request_id
            wanted = WantedCancellation(command_id, notice.lines, notice.reason, notice.actor)
        case model.PaymentNotice():
            wanted = notice.payment
            kind, command_id = CommandKind.PAYMENT, wanted.payment_id
    return Command(
        order_id=notice.order_id,
        kind=kind,
        command_id=command_id,
        content_hash=content_digest(wanted),
        wanted=wanted,
        raw=notice.raw,
        actor=notice.actor,
    )


def _refused(
    notice: model.CancellationNotice | model.PaymentNotice, answer: Answered
) -> model.Misunderstood:
    return model.Misunderstood(str(Reason.REQUEST_INVALID), answer.detail, notice.raw)
