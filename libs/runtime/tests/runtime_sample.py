"""A small order API for the tests, served by the server that services run."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Annotated, TypeAlias

from fastapi import APIRouter
from pydantic import Field, JsonValue
from starlette.datastructures import State
from starlette.types import ASGIApp

from runtime.api import Body, Page, Paging, RawBody, StrictRoute, responses
from runtime.application import make_application
from runtime.edge import Edge
from runtime.fields import AmountMinor, Currency, Id, Text, Timestamp, Units
from runtime.limits import Limits
from runtime.serving import listen, make_server, serve
from runtime.settings import HttpSettings


class Line(Body):
    """A line of an order."""

    sku: Id
    quantity_units: Units
    price_minor: AmountMinor


class NewOrder(Body):
    """An order with every kind of field, a free-form one included."""

    order_id: Id
    currency: Currency
    placed_at: Timestamp
    lines: Annotated[list[Line], Field(min_length=1, max_length=500)]
    remark: Text = ""
    extras: dict[str, JsonValue] = Field(default_factory=dict)


@dataclass(slots=True)
class Sample:
    """The API's state: what arrived, and how long the slow route takes."""

    orders: list[NewOrder] = field(default_factory=list[NewOrder])
    raw: list[bytes] = field(default_factory=list[bytes])
    finished_count: int = 0
    release: asyncio.Event = field(default_factory=asyncio.Event)
    state: State = field(default_factory=State)

    def reset(self) -> None:
        """Forget everything."""
        self.orders.clear()
        self.raw.clear()
        self.finished_count = 0
        self.release.clear()

    def router(self) -> APIRouter:
        """Return the API's routes."""
        router = APIRouter(route_class=StrictRoute)

        @router.post("/orders", status_code=201, responses=responses(409))
        async def create_order(order: NewOrder) -> NewOrder:
            self.orders.append(order)
            return order

        @router.get("/orders/{order_id}")
        async def get_order(order_id: Id) -> NewOrder:
            return next(order for order in self.orders if order.order_id == order_id)

        @router.get("/orders")
        async def list_orders(paging: Paging) -> Page[str]:
            after = paging.key(str)
            found = sorted(each.order_id for each in self.orders)
            rest = [each for each in found if after is None or (each,) > after]
            return Page[str].of(rest[: paging.items_max + 1], paging, lambda each: (each,))

        @router.post("/hooks", status_code=202)
        async def take_hook(body: RawBody) -> int:
            self.raw.append(body)
            return len(body)

        @router.post("/slow")
        async def be_slow(body: RawBody) -> int:
            await self.release.wait()
            self.finished_count += 1
            return len(body)

        @router.get("/fault")
        async def fail() -> None:
            raise RuntimeError("the name of a consumer")

        return router

    def application(self, settings: HttpSettings) -> ASGIApp:
        """Return the API as a service would serve it."""
        app = make_application("Sample", "1", [self.router()])
        self.state = app.state
        return Edge(Limits(app, settings))


@dataclass(slots=True)
class Served:
    """A sample API at an address."""

    sample: Sample
    host: str
    port: int

    @property
    def url(self) -> str:
        """Where it is served."""
        return f"http://{self.host}:{self.port}"


Serve: TypeAlias = Callable[[HttpSettings], AbstractAsyncContextManager[Served]]


@asynccontextmanager
async def serve_sample(settings: HttpSettings) -> AsyncGenerator[Served]:
    sample = Sample()
    listener = listen(settings)
    host, port = listener.getsockname()[:2]
    server = make_server(sample.application(settings), settings, stop_timeout_s=2)
    task = asyncio.create_task(serve(server, listener))
    try:
        yield Served(sample, host, port)
    finally:
        sample.release.set()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
