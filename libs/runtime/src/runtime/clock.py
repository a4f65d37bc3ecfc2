"""The only reader of the wall clock; everything else is told the time."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the present instant in UTC, by this machine's clock, which may be minutes wrong."""
    return datetime.now(UTC)  # noqa: TID251 - this module is the one that may
