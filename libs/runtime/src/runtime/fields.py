"""Types of the fields that strangers fill in: strict, bounded, without silent conversion.

Bodies are validated in strict mode, so a plain `int` takes no string and no fraction there; these
types add the bounds, and say in the schema what they take.
"""

import re
from datetime import UTC, date, datetime
from typing import Annotated, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from runtime.currency import SCALES

AMOUNT_MINOR_MAX = 2**53 - 1  # the largest whole number that every JSON reader keeps exactly
UNITS_MAX = 1_000_000
ID_PATTERN = r"^[A-Za-z0-9_.:-]{1,64}$"
DECIMAL_PATTERN = r"^[0-9]{1,13}(\.[0-9]{1,4})?$"
WITHOUT_NUL = r"^[^\x00]*$"  # PostgreSQL's text cannot hold it

# RFC 3339 with its zone; no leap second (PostgreSQL and Python would move it), no lower case.
TIMESTAMP_PATTERN = (
    r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?"
    r"(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])$"
)
DAY_PATTERN = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
YEAR_MIN_INDEX = 2000
YEAR_MAX_INDEX = 2099
_TIMESTAMP = re.compile(TIMESTAMP_PATTERN.replace("$", r"\Z"))
_DAY = re.compile(DAY_PATTERN.replace("$", r"\Z"))
_COUNT = re.compile(r"[0-9]{1,9}\Z")


def _currency(code: str) -> str:
    if code not in SCALES:
        raise ValueError("not an ISO 4217 currency code in capitals")
    return code


def _instant(value: object) -> datetime:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value
    if not isinstance(value, str) or _TIMESTAMP.match(value) is None:
        raise ValueError("not an RFC 3339 timestamp with a zone, such as 2026-11-22T10:00:00+08:00")
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("no such day") from None


def _in_our_years(moment: datetime) -> datetime:
    if not YEAR_MIN_INDEX <= moment.year <= YEAR_MAX_INDEX:
        raise ValueError(f"the year must be {YEAR_MIN_INDEX} to {YEAR_MAX_INDEX}")
    return moment


def _day(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str) or _DAY.match(value) is None:
        raise ValueError("not a day, such as 2026-11-22")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError("no such day") from None


def _count(value: object) -> object:
    if isinstance(value, str):
        if _COUNT.match(value) is None:
            raise ValueError("not a whole number of at most 9 digits")
        return int(value)
    return value


Id: TypeAlias = Annotated[str, StringConstraints(strict=True, pattern=ID_PATTERN)]
"""An identifier: 1 to 64 of A-Z a-z 0-9 _ . : - ; opaque, compared byte by byte."""

Name: TypeAlias = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=200, pattern=WITHOUT_NUL)
]
"""1 to 200 characters of any script, kept unchanged."""

Text: TypeAlias = Annotated[
    str, StringConstraints(strict=True, max_length=2000, pattern=WITHOUT_NUL)
]
"""Up to 2,000 characters of any script, kept unchanged."""

Units: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=UNITS_MAX)]
"""Whole units, 1 to 1,000,000."""

SignedUnits: TypeAlias = Annotated[int, Field(strict=True, ge=-UNITS_MAX, le=UNITS_MAX)]
"""A change of units, up to 1,000,000 either way."""

AmountMinor: TypeAlias = Annotated[int, Field(strict=True, ge=0, le=AMOUNT_MINOR_MAX)]
"""Money in whole minor units, not negative."""

SignedAmountMinor: TypeAlias = Annotated[
    int, Field(strict=True, ge=-AMOUNT_MINOR_MAX, le=AMOUNT_MINOR_MAX)
]
"""Money in whole minor units, of either sign."""

DecimalAmount: TypeAlias = Annotated[str, StringConstraints(strict=True, pattern=DECIMAL_PATTERN)]
"""Money as a decimal string; `runtime.currency.minor_units` makes it exact."""

Currency: TypeAlias = Annotated[
    str, StringConstraints(strict=True, pattern=r"^[A-Z]{3}$"), AfterValidator(_currency)
]
"""An ISO 4217 code."""

Version: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
"""A version number, counted from 1."""

ChannelTimestamp: TypeAlias = Annotated[
    datetime,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": TIMESTAMP_PATTERN}),
]
"""An RFC 3339 timestamp with its zone, of any year, in UTC: for input that is judged later."""

Timestamp: TypeAlias = Annotated[ChannelTimestamp, AfterValidator(_in_our_years)]
"""An RFC 3339 timestamp with its zone, of the years 2000 to 2099, in UTC."""

Day: TypeAlias = Annotated[
    date,
    BeforeValidator(_day),
    WithJsonSchema({"type": "string", "format": "date", "pattern": DAY_PATTERN}),
]
"""A calendar day, YYYY-MM-DD."""

CountParameter: TypeAlias = Annotated[int, BeforeValidator(_count), Field(ge=0, le=999_999_999)]
"""A whole number in a path or query, ASCII digits only; bodies use the types above."""
