"""What the `api` room of a service is written with."""

from typing import Annotated, TypeAlias

from fastapi import Depends, Request
from pydantic import JsonValue

from runtime.body import Body, canonical, parse
from runtime.database import DatabaseAccess, Performer, Reader
from runtime.paging import Page, PageRequest, Paging
from runtime.problems import (
    BadRequest,
    Conflict,
    FieldProblem,
    Forbidden,
    Invalid,
    NotFound,
    Problem,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UnsupportedMediaType,
    responses,
)
from runtime.route import StrictRoute

__all__ = [
    "BadRequest",
    "Body",
    "Conflict",
    "FieldProblem",
    "Forbidden",
    "Invalid",
    "JsonValue",
    "NotFound",
    "Page",
    "PageRequest",
    "Paging",
    "Perform",
    "Problem",
    "RawBody",
    "Read",
    "StrictRoute",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "UnsupportedMediaType",
    "canonical",
    "parse",
    "responses",
]


def _access(request: Request) -> DatabaseAccess:
    access: DatabaseAccess = request.app.state.access
    return access


async def _performer(request: Request) -> Performer:
    return _access(request).perform


async def _reader(request: Request) -> Reader:
    return _access(request).read


async def _raw_body(request: Request) -> bytes:
    return await request.body()


Perform: TypeAlias = Annotated[Performer, Depends(_performer)]
"""`answer = await perform(command)`: state and events in one transaction."""

Read: TypeAlias = Annotated[Reader, Depends(_reader)]
"""`async with read() as tx: ...`"""

RawBody: TypeAlias = Annotated[bytes, Depends(_raw_body)]
"""The body as it came, for signatures over raw bytes; read it with `parse` after checking them."""
