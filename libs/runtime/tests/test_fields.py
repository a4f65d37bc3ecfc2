"""Fields: what is taken is bounded and exact, what is refused is never repaired."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from runtime import fields
from runtime.currency import SCALES, decimal_amount, minor_units

REFUSED: list[tuple[Any, list[object]]] = [
    (fields.Units, [0, -1, 1.5, 1.0, 100.0, "1", " 1_000 ", True, 1_000_001, 10**9, None]),
    (fields.AmountMinor, [-1, 0.1, "1", True, 2**53, 2**63, None]),
    (fields.SignedAmountMinor, [-(2**53), 2**53, 1.0, "1"]),
    (
        fields.DecimalAmount,
        [
            0.1,
            1,
            "1E2",
            "-0.00",
            "1E+1000000",
            "\uff11\uff12",
            "1_0.0",
            " 1 ",
            "1 ",
            "1\n",
            "+1",
            "-1",
        ],
    ),
    (fields.DecimalAmount, ["", ".5", "1.", "1.00000", "9" * 14, "NaN", "Infinity", "1,00", None]),
    (fields.Currency, ["cny", "RMB", "CNY ", "", "XXX", "C", 156, None]),
    (fields.Id, ["", "a b", "a/b", "x" * 65, "é", "a\n", "a\x00", 2**31, None]),
    (
        fields.Timestamp,
        [1_760_000_000, "1760000000", "20260101", "2026-11-11", "2026-11-11T10:00:00", 17.5, None],
    ),
    (
        fields.Timestamp,
        ["2026-11-11T10:00:60Z", "2026-11-11T10:00:00+24:00", "2026-11-11 10:00:00Z"],
    ),
    (
        fields.Timestamp,
        ["2026-02-30T10:00:00Z", "2026-11-11T24:00:00Z", "\uff12026-11-11T10:00:00Z"],
    ),
    (fields.Timestamp, ["9999-12-31T00:00:00Z", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"]),
    (fields.ChannelTimestamp, ["0001-01-01T00:00:00+08:00", "2026-11-11T10:00:00Z\n", ""]),
    (fields.Day, ["2026-02-30", "2026-1-1", 20_260_101, "2026-11-11T00:00:00Z", None]),
    (fields.Name, ["", "x" * 201, "a\x00b", 1, None]),
    (fields.Text, ["x" * 2001, "\x00", b"bytes", None]),
    (fields.Version, [0, -1, 2**31, "1"]),
]

TAKEN: list[tuple[Any, object, object]] = [
    (fields.Units, 1, 1),
    (fields.Units, 1_000_000, 1_000_000),
    (fields.AmountMinor, 0, 0),
    (fields.AmountMinor, 2**53 - 1, 2**53 - 1),
    (fields.DecimalAmount, "0.10", "0.10"),
    (fields.DecimalAmount, "1234567890123.4567", "1234567890123.4567"),
    (fields.Currency, "CNY", "CNY"),
    (fields.Id, "SKU-1_a.b:c", "SKU-1_a.b:c"),
    (fields.Id, "x" * 64, "x" * 64),
    (fields.Timestamp, "2026-11-11T00:00:00+08:00", datetime(2026, 11, 10, 16, tzinfo=UTC)),
    (fields.Timestamp, "2026-11-11T00:00:00.5Z", datetime(2026, 11, 11, 0, 0, 0, 500_000, UTC)),
    (
        fields.Timestamp,
        "2026-11-11T00:00:00.123456789Z",
        datetime(2026, 11, 11, 0, 0, 0, 123_456, UTC),
    ),
    (fields.ChannelTimestamp, "9999-12-31T00:00:00Z", datetime(9999, 12, 31, tzinfo=UTC)),
    (fields.ChannelTimestamp, "1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
    (fields.Day, "2026-02-28", date(2026, 2, 28)),
    (fields.Name, "王小明 🙂 \u202e<script>", "王小明 🙂 \u202e<script>"),
    (fields.Text, "=cmd()\r\n'; DROP TABLE", "=cmd()\r\n'; DROP TABLE"),
]


@pytest.mark.parametrize(
    ("kind", "value"), [(kind, value) for kind, values in REFUSED for value in values]
)
def test_a_bad_value_is_refused(kind: Any, value: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(value)


@pytest.mark.parametrize(("kind", "value", "expected"), TAKEN)
def test_a_good_value_is_taken_exactly(kind: Any, value: object, expected: object) -> None:
    assert TypeAdapter(kind).validate_python(value) == expected


def test_messages_do_not_repeat_the_value() -> None:
    typed = "Wang Xiaoming 13800001111"
    for kind, _ in REFUSED:
        with pytest.raises(ValidationError) as refused:
            TypeAdapter(kind).validate_python({typed: typed})
        assert typed not in str(refused.value.errors(include_input=False))


def test_every_scale_is_one_of_iso_4217() -> None:
    assert set(SCALES.values()) == {0, 2, 3}
    known = {"CNY": 2, "BRL": 2, "USD": 2, "EUR": 2, "JPY": 0, "KWD": 3, "KRW": 0, "TND": 3}
    assert known.items() <= SCALES.items()


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("0.01", "CNY", 1),
        ("12", "CNY", 1200),
        ("12.30", "CNY", 1230),
        ("7", "JPY", 7),
        ("1.234", "KWD", 1234),
        ("1", "KWD", 1000),
        ("9999999999999.99", "USD", 999_999_999_999_999),
    ],
)
def test_an_amount_is_made_minor_units_exactly(amount: str, currency: str, minor: int) -> None:
    assert minor_units(amount, currency) == minor


@pytest.mark.parametrize(
    ("amount", "currency"),
    [("1.234", "CNY"), ("1.2", "CNY"), ("1.00", "JPY"), ("1.25", "KWD"), ("1.2500", "KWD")],
)
def test_decimals_that_are_not_the_currency_s_are_refused(amount: str, currency: str) -> None:
    with pytest.raises(ValueError, match=currency):
        minor_units(amount, currency)


@given(st.integers(0, 2**53 - 1), st.sampled_from(sorted(SCALES)))
def test_minor_units_and_decimals_are_inverse(minor: int, currency: str) -> None:
    assert minor_units(decimal_amount(minor, currency), currency) == minor
    assert decimal_amount(-minor, currency).lstrip("-") == decimal_amount(minor, currency)
