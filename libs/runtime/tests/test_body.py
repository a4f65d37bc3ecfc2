"""Bodies: what is no JSON, or more than we hold, is refused; everything else is read unchanged."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from runtime.body import DEPTH_MAX_COUNT, canonical, parse
from runtime.problems import Problem

BIGINT = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=20)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | BIGINT | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=30,
)
DEEPEST = b"[" * DEPTH_MAX_COUNT + b"]" * DEPTH_MAX_COUNT

REFUSED = {
    "empty": (b"", 400),
    "white space": (b" \n\t", 400),
    "truncated": (b'{"a":', 400),
    "text after the value": (b"{}x", 400),
    "two documents": (b"{}{}", 400),
    "NaN": (b'{"a":NaN}', 400),
    "Infinity": (b'{"a":Infinity}', 400),
    "-Infinity": (b'{"a":-Infinity}', 400),
    "1e400": (b'{"a":1e400}', 422),
    "5,000 digits": (b'{"a":' + b"9" * 5_000 + b"}", 400),
    "5,000 digits, negative": (b'{"a":-' + b"9" * 5_000 + b"}", 400),
    "2^63": (b'{"a":9223372036854775808}', 422),
    "2^64 - 1": (b"[18446744073709551615]", 422),
    "2^70": (b'{"a":1180591620717411303424}', 422),
    "-2^63 - 1": (b"-9223372036854775809", 422),
    "duplicate key": (b'{"qty":1,"qty":9}', 400),
    "duplicate key inside": (b'[{"a":{"b":1,"c":2,"b":1}}]', 400),
    "duplicate key, escaped": (b'{"qt\\u0079":1,"qty":9}', 400),
    "duplicate key beside an escaped colon": (b'{"a\\u003Ab":1,"q":{"c":1,"c":1}}', 400),
    "duplicate empty key": (b'{"":1,"":1}', 400),
    "nesting 100,000": (b"[" * 100_000, 400),
    "nesting 900": (b"[" * 900 + b"]" * 900, 422),
    "nesting 33": (b"[" + DEEPEST + b"]", 422),
    "nesting hidden behind brackets in strings": (b'["]",' * 40 + b"1" + b"]" * 40, 422),
    "not UTF-8": (b'{"a":"\xff"}', 400),
    "UTF-8 of a surrogate": (b'"\xed\xa0\x80"', 400),
    "overlong UTF-8": (b'"\xc0\x80"', 400),
    "UTF-16": ('{"a":1}'.encode("utf-16"), 415),
    "UTF-16 without mark": ('{"a":1}'.encode("utf-16-be"), 415),
    "UTF-32": ('{"a":1}'.encode("utf-32-le"), 415),
    "lone surrogate": (b'"\\ud800"', 400),
    "lone low surrogate": (b'{"a":"x\\udc00"}', 400),
    "swapped surrogates": (b'"\\udc00\\ud800"', 400),
    "NUL in a string": (b'{"a":"x\\u0000"}', 422),
    "NUL in a key": (b'{"a\\u0000":1}', 422),
    "control character": (b'"a\x01"', 400),
    "single quotes": (b"{'a':1}", 400),
    "comment": (b"{} // all", 400),
    "trailing comma": (b"[1,]", 400),
    "leading zero": (b"[01]", 400),
    "50,002 values": (b"[" + b"1," * 50_001 + b"1]", 422),
}

TAKEN = {
    "byte order mark": (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
    "surrogate pair": (b'"\\ud83d\\ude00"', "\U0001f600"),
    "escaped backslash before u0000": (b'"\\\\u0000"', "\\u0000"),
    "19 digits in a string": (b'"6921234567890123456"', "6921234567890123456"),
    "19 digits in the midst of a string": (b'"no 6921234567890123456"', "no 6921234567890123456"),
    "2^63 - 1": (b"9223372036854775807", 2**63 - 1),
    "a long fraction": (b"0.12345678901234567890", 0.1234567890123456789),
    "brackets in a string": (b'"' + b"[{" * 100 + b'"', "[{" * 100),
    "quotes in a string": (b'["\\"[\\"", "\\\\"]', ['"["', "\\"]),
    "colons in strings": (b'{"a:b":"c:d"}', {"a:b": "c:d"}),
    "an escaped colon": (b'{"a\\u003ab":1}', {"a:b": 1}),
    "nesting 32": (DEEPEST, json.loads(DEEPEST)),
    "CJK extension B": ('"\U00020000"'.encode(), "\U00020000"),
    "a combining mark": ('"e\u0301"'.encode(), "e\u0301"),
}


@pytest.mark.parametrize(("raw", "status"), REFUSED.values(), ids=REFUSED.keys())
def test_a_bad_body_is_refused_with_its_status(raw: bytes, status: int) -> None:
    with pytest.raises(Problem) as refused:
        parse(raw)
    assert refused.value.status_code == status, refused.value.detail


@pytest.mark.parametrize(("raw", "value"), TAKEN.values(), ids=TAKEN.keys())
def test_a_good_body_is_read_unchanged(raw: bytes, value: object) -> None:
    assert parse(raw) == value


def test_a_number_too_large_is_named_by_its_pointer() -> None:
    with pytest.raises(Problem) as refused:
        parse(b'{"lines":[{"q":1},{"a/b":9223372036854775808}]}')
    assert [error.field for error in refused.value.errors] == ["/lines/1/a~1b"]


@given(value=JSON_VALUES, indent=st.sampled_from([None, 1]), is_ascii=st.booleans())
def test_every_value_survives_being_written_and_read(
    *, value: object, indent: int | None, is_ascii: bool
) -> None:
    assert parse(json.dumps(value, indent=indent, ensure_ascii=is_ascii).encode()) == value


@given(value=JSON_VALUES, key=TEXT, is_ascii=st.booleans())
def test_a_repeated_key_is_found_wherever_it_is(*, value: object, key: str, is_ascii: bool) -> None:
    name, inner = json.dumps(key, ensure_ascii=is_ascii), json.dumps(value)
    raw = f'{{"before": {inner}, "x": [{{{name}: {inner}, "between": 1, {name}: 2}}]}}'
    with pytest.raises(Problem, match="comes twice"):
        parse(raw.encode())


@given(JSON_VALUES, st.integers(1, 60))
def test_depth_is_counted_as_a_walk_counts_it(value: JsonValue, wraps_count: int) -> None:
    for _ in range(wraps_count):
        value = ["]}[{", value]
    raw = json.dumps(value).encode()
    if depth(value) <= DEPTH_MAX_COUNT:
        assert parse(raw) == value
    else:
        with pytest.raises(Problem, match="nested deeper"):
            parse(raw)


def depth(value: JsonValue) -> int:
    match value:
        case dict():
            return 1 + max(map(depth, value.values()), default=0)
        case list():
            return 1 + max(map(depth, value), default=0)
        case _:
            return 0


@given(st.dictionaries(TEXT, JSON_VALUES, max_size=6))
def test_equal_contents_have_equal_canonical_bytes(value: dict[str, object]) -> None:
    backwards = dict(reversed(value.items()))
    forms = [json.dumps(value, indent=2), json.dumps(backwards, ensure_ascii=False)]
    assert len({canonical(parse(form.encode())) for form in forms}) == 1
