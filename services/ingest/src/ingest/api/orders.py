"""Orders in: one, many, and later versions of one."""

from dataclasses import replace
from typing import Annotated

import msgspec
from fastapi import APIRouter, Header, Path, Response
from pydantic import ValidationError

from ingest.api.answers import detail_of, respond_taken, status_of
from ingest.api.bodies import BulkOrders, BulkResult, BulkResults, OrderTaken
from ingest.api.gather import Gatherer
from ingest.gateway.canonical import CanonicalOrder
from ingest.gateway.digest import raw_input, submission
from ingest.model.order import Entrance, Submission
from ingest.model.pool import Taken
from runtime.api import Invalid, JsonValue, Perform, RawBody, StrictRoute, canonical, responses
from runtime.fields import Id
from runtime.problems import invalid

router = APIRouter(route_class=StrictRoute, tags=["orders"])
gatherer = Gatherer()

ACTOR = "api"
IdempotencyKey = Annotated[
    Id | None,
    Header(alias="Idempotency-Key", description="without it the order's number is the key"),
]


@router.post("/orders", status_code=201, response_model=OrderTaken, responses=responses(409))
async def create_order(
    body: CanonicalOrder, raw: RawBody, perform: Perform, idempotency_key: IdempotencyKey = None
) -> Response:
    """Take an order into the pool, once.

    The same key with equal content gets the same answer, with other content 409. An order that is
    authentic and contradicts itself or the directory gets 422 with the id of its quarantine record.
    """
    stored = raw_input(Entrance.API, (body.channel, body.shop_id), raw)
    order = submission(body.order(), body.buyer(), stored, ACTOR, idempotency_key)
    taken = await gatherer.submit(perform, [order])
    return respond_taken(taken[0])


@router.post("/orders/bulk", response_model=BulkResults)
async def create_orders(body: BulkOrders, perform: Perform) -> Response:
    """Take up to 500 orders; each gets the result it would have got alone."""
    read = [_read(item) for item in body.orders]
    good = [each for each in read if isinstance(each, Submission)]
    taken = iter(await gatherer.submit(perform, good) if good else [])
    results = [
        _result(index, next(taken)) if isinstance(each, Submission) else _refused(index, each)
        for index, each in enumerate(read)
    ]
    # Encoded here: validating five hundred answers of our own again takes longer than the commit.
    content = msgspec.json.encode({"results": [result.model_dump() for result in results]})
    return Response(content, media_type="application/json")


@router.post("/orders/{order_id}/amendments", response_model=OrderTaken, responses=responses(409))
async def amend_order(
    order_id: Annotated[Id, Path()], body: CanonicalOrder, raw: RawBody, perform: Perform
) -> Response:
    """Put the next version in the place of an order that is not accepted yet.

    An older version changes nothing, a version behind a gap or before its order waits.
    """
    order = body.order()
    if order.order_id != order_id:
        raise Invalid(f"the order in the body is {order.order_id}, not {order_id}")
    stored = raw_input(Entrance.API, (body.channel, body.shop_id), raw)
    amendment = replace(submission(order, body.buyer(), stored, ACTOR), replaces=True)
    taken = await gatherer.submit(perform, [amendment])
    return respond_taken(taken[0])


def _read(item: JsonValue) -> Submission | str:
    """Return an order, or in words why it is none."""
    raw = canonical(item)
    try:
        body = CanonicalOrder.model_validate_json(raw, strict=True)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return str(invalid(found, "body").detail)
    stored = raw_input(Entrance.BULK, (body.channel, body.shop_id), raw)
    return submission(body.order(), body.buyer(), stored, ACTOR)


def _result(index: int, taken: Taken) -> BulkResult:
    return BulkResult(
        index=index,
        status=status_of(taken),
        order_id=taken.order_id,
        state=taken.state,
        version=taken.order_version,
        quarantine_id=taken.quarantine_id,
        detail=detail_of(taken),
    )


def _refused(index: int, detail: str) -> BulkResult:
    return BulkResult(index=index, status=422, state="invalid", detail=detail)
