"""Pages of a list, by cursor: stable while rows come and go, and no deeper page costs more."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeAlias, TypeVar

import msgspec
from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from runtime.fields import CountParameter
from runtime.problems import FieldProblem, Invalid

T = TypeVar("T")
CursorKey: TypeAlias = tuple[str | int, ...]

PAGE_ITEMS_MAX = 200
PAGE_ITEMS_DEFAULT_COUNT = 50
CURSOR_CHARACTERS_MAX = 512


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page is asked for: at most so many items, of those after a cursor."""

    items_max: int
    after: str | None

    def key(self, *types: type[str] | type[int]) -> CursorKey | None:
        """Return the sort key of the last item seen, or None for the first page.

        `types` are those of the key's columns. Raises Invalid when the cursor is not one of ours.
        """
        if self.after is None:
            return None
        try:
            text = urlsafe_b64decode(self.after + "=" * (-len(self.after) % 4))
            key = msgspec.json.decode(text, type=list[str | int])
        except (ValueError, msgspec.MsgspecError):
            raise _unknown_cursor() from None
        if [type(column) for column in key] != list(types):
            raise _unknown_cursor()
        return tuple(key)


class Page(BaseModel, Generic[T]):
    """Some items of a list; `next` is the cursor of the following page, none at the end."""

    model_config = ConfigDict(frozen=True)

    items: list[T]
    next: str | None = Field(description="give it as `after` to get the following page")

    @classmethod
    def of(
        cls, found: Sequence[T], request: PageRequest, key_of: Callable[[T], CursorKey]
    ) -> "Page[T]":
        """Make a page of what was found when one item more than `items_max` was looked for."""
        items = list(found[: request.items_max])
        has_more = len(found) > request.items_max
        return cls(items=items, next=cursor(key_of(items[-1])) if has_more else None)


def cursor(key: CursorKey) -> str:
    """Return a sort key as an opaque cursor."""
    return urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def _unknown_cursor() -> Invalid:
    field = FieldProblem(location="query", field="after", message="not a cursor of ours")
    return Invalid("query after: not a cursor of ours", errors=[field])


async def _page_request(
    limit: Annotated[CountParameter, Query(ge=1, le=PAGE_ITEMS_MAX)] = PAGE_ITEMS_DEFAULT_COUNT,
    after: Annotated[str | None, Query(max_length=CURSOR_CHARACTERS_MAX)] = None,
) -> PageRequest:
    return PageRequest(limit, after)


Paging: TypeAlias = Annotated[PageRequest, Depends(_page_request)]
"""The parameters `limit` (1 to 200, 50 unless said) and `after` of a route that lists."""
