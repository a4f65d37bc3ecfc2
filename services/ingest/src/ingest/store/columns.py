"""Turns rows into column arrays for `unnest`, and values into JSON text and back."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode


def columns(rows: Iterable[Sequence[Any]], width: int) -> list[list[Any]]:
    """Transpose rows; without rows, return as many empty columns as the statement needs."""
    transposed = [list(column) for column in zip(*rows, strict=True)]
    return transposed or [[] for _ in range(width)]


def to_json(value: object) -> str:
    """Return a dataclass, mapping or list as JSON text."""
    return _encode(value).decode()


def from_json(text: str, into: type[T]) -> T:
    """Read JSON text that `to_json` wrote."""
    return msgspec.json.decode(text, type=into)
