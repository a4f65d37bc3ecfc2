"""Rows as the columns that `unnest` takes."""

from collections.abc import Sequence


def columns(rows: Sequence[Sequence[object]]) -> list[list[object]]:
    """Turn rows into columns; there must be a row, because none say how many columns there are."""
    return [list(column) for column in zip(*rows, strict=True)]
