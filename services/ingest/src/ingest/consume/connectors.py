"""The entrance for connectors that write to Kafka: canonical orders, good or not."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec
from pydantic import ValidationError

from backbone import Batch, RawRecord, Transaction
from contracts.event import Event
from contracts.topics import CONNECTORS_ORDERS
from ingest.consume.binding import consumer
from ingest.decide.review import misunderstand, orders_in
from ingest.decide.take import take
from ingest.gateway.canonical import CanonicalOrder
from ingest.gateway.digest import raw_input, submission
from ingest.model.order import Entrance, Misunderstood, Submission
from ingest.model.pool import Reason
from ingest.store.pool import lock_orders
from ingest.store.save import save
from ingest.store.terms import load_directory
from runtime.body import parse, without_mark
from runtime.problems import Problem

ACTOR = "connectors"
NUMBER_CHARACTERS_MAX = 64


@consumer.on(CONNECTORS_ORDERS, RawRecord)
async def take_orders(batch: Batch[RawRecord], tx: Transaction) -> Sequence[Event]:
    """Take what can be read into the pool, put the rest into quarantine with its bytes."""
    read = [_read(record) for record in batch.events]
    submissions = [each for each in read if isinstance(each, Submission)]
    pool = await lock_orders(tx, [each.order_id for each in submissions])
    orders = [each.order for each in submissions] + orders_in(pool)
    directory = await load_directory(tx, orders)
    _, decision = take(submissions, pool, {}, directory, batch.now)
    bad = [each for each in read if isinstance(each, Misunderstood)]
    misunderstand(bad, batch.now, decision)
    await save(tx, decision, batch.now)
    return decision.events


def _read(record: RawRecord) -> Submission | Misunderstood:
    value = record.value or b""
    try:
        parse(value)
        body = CanonicalOrder.model_validate_json(without_mark(value), strict=True)
    except Problem as problem:
        return _misunderstood(value, str(problem.detail))
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False, include_context=False)[0]
        return _misunderstood(value, "/".join(map(str, found["loc"])) + ": " + found["msg"])
    raw = raw_input(Entrance.TOPIC, (body.channel, body.shop_id), value)
    return replace(submission(body.order(), body.buyer(), raw, ACTOR), replaces=True)


class _Claimed(msgspec.Struct):
    """What bad bytes say of their origin, for the operator's list."""

    channel: str = "unknown"
    shop_id: str = "unknown"
    order_number: str | None = None


def _misunderstood(value: bytes, detail: str) -> Misunderstood:
    try:
        claimed = msgspec.json.decode(value, type=_Claimed)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        claimed = _Claimed()
    shop = (_plain(claimed.channel), _plain(claimed.shop_id))
    number = None if claimed.order_number is None else _plain(claimed.order_number)
    return Misunderstood(
        str(Reason.MALFORMED), detail, raw_input(Entrance.TOPIC, shop, value), number
    )


def _plain(text: str) -> str:
    """Cut what a stranger says of itself to what can be stored and listed."""
    cut = text[:NUMBER_CHARACTERS_MAX].replace("\x00", "")
    return cut.encode(errors="replace").decode()
