"""Strict JSON from raw bytes: what the standard leaves open (RFC 8259, section 4 and 9) is refused.

The parse is msgspec's; everything it lets through is looked for by counting bytes, and only where a
count is suspicious does the exact and slower search run.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from pydantic import BaseModel, ConfigDict, JsonValue

from runtime.problems import BadRequest, FieldProblem, Invalid, UnsupportedMediaType, at, pointer

DEPTH_MAX_COUNT = 32
VALUES_MAX = 50_000  # more would hold up all other requests for 50 ms and longer
NESTING_READABLE_MAX = 1_000
DIGITS_READABLE_MAX = 4_000
INTEGER_MAX_COUNT = 2**63 - 1  # PostgreSQL's bigint

_BOM = b"\xef\xbb\xbf"
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_DIGITS_AS_ZEROS = bytes.maketrans(b"0123456789", b"0000000000")
_NINETEEN_DIGITS = b"0" * 19  # 2^63 has as many
_UNREADABLE_DIGITS = re.compile(rb"[0-9]{%d}" % DIGITS_READABLE_MAX)

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_encode_sorted = msgspec.json.Encoder(order="sorted").encode


class Body(BaseModel):
    """A request body of our own API: an unknown field is refused, and it never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def parse(raw: bytes) -> JsonValue:
    """Return the one JSON value that the bytes hold.

    Raises BadRequest for what is not JSON, or JSON that readers differ on: duplicate keys, NaN,
    lone surrogates, text after the value. Raises Invalid for JSON beyond our limits: nesting over
    32, integers over 64 bits, numbers that no double holds, NUL in a string. Raises
    UnsupportedMediaType for UTF-16 and UTF-32. A byte order mark is skipped.
    """
    raw = without_mark(raw)
    if len(raw) > VALUES_MAX:
        _refuse_size(raw)
    value = _decoded(raw)
    if raw.count(b"{") + raw.count(b"[") > DEPTH_MAX_COUNT:
        _refuse_depth(raw)
    # A key that came twice is encoded once, so a colon is missing; \u003a hides one.
    has_escapes = b"\\u00" in raw
    if (has_escapes and b"\\u003" in raw) or _encode(value).count(b":") != raw.count(b":"):
        _refuse_duplicates(raw)
    if _may_hold_long_integer(raw):
        _refuse_where(value, _is_beyond_bigint, "is beyond 64 bits")
    if has_escapes and b"\\u0000" in raw:
        _refuse_where(value, _holds_nul, "holds the character NUL")
    return value


def without_mark(raw: bytes) -> bytes:
    """Return the bytes without the UTF-8 byte order mark that some senders put in front."""
    return raw.removeprefix(_BOM)


def canonical(value: JsonValue) -> bytes:
    """Return a value as bytes that are equal when the contents are: sorted keys, no white space."""
    return _encode_sorted(value)


def _decoded(raw: bytes) -> Any:
    if not raw or raw.isspace():
        raise BadRequest("the body is empty")
    if raw[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\x00" in raw[:4]:
        raise UnsupportedMediaType("the body is UTF-16 or UTF-32; send UTF-8")
    try:
        return _decode(raw)
    except UnicodeDecodeError as error:
        raise BadRequest(f"the body is not UTF-8: byte {error.start}") from None
    except RecursionError:
        raise _unreadably_deep(raw) from None
    except msgspec.ValidationError:
        # msgspec's word for a number that it cannot hold; all else it finds is a DecodeError.
        raise _unreadable_number(raw) from None
    except msgspec.DecodeError as error:
        raise BadRequest(f"the body is not JSON: {error}") from None


def _unreadably_deep(raw: bytes) -> Exception:
    openers_count = raw.count(b"{") + raw.count(b"[")
    if openers_count <= NESTING_READABLE_MAX and _depth_exceeds(raw, DEPTH_MAX_COUNT):
        return Invalid(f"the body is nested deeper than {DEPTH_MAX_COUNT}")
    return BadRequest("the body is nested too deeply to be read")


def _unreadable_number(raw: bytes) -> Exception:
    if _UNREADABLE_DIGITS.search(_skeleton(raw)) is not None:
        return BadRequest("a number in the body has too many digits to be read")
    return Invalid("a number in the body is too large")


def _skeleton(raw: bytes) -> bytes:
    """Return the JSON without its strings: brackets, colons, commas, numbers, literals.

    Exact for valid JSON: with the escaped backslashes and quotes gone (in this order), every quote
    that remains opens or closes a string.
    """
    if b"\\" in raw:
        raw = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(raw.split(b'"')[::2])


def _depth_exceeds(raw: bytes, depth_max: int) -> bool:
    brackets = _skeleton(raw).translate(None, _NOT_BRACKETS)
    for _ in range(depth_max):
        if not brackets:
            return False
        brackets = brackets.replace(b"{}", b"()").replace(b"[]", b"()").replace(b"()", b"")
    return bool(brackets)


def _refuse_depth(raw: bytes) -> None:
    if _depth_exceeds(raw, DEPTH_MAX_COUNT):
        raise Invalid(f"the body is nested deeper than {DEPTH_MAX_COUNT}")


def _refuse_size(raw: bytes) -> None:
    if raw.count(b",") > VALUES_MAX and _skeleton(raw).count(b",") > VALUES_MAX:
        raise Invalid(f"the body holds more than {VALUES_MAX} values")


def _refuse_duplicates(raw: bytes) -> None:
    json.loads(raw, object_pairs_hook=_without_duplicates)


def _without_duplicates(pairs: list[tuple[str, object]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise BadRequest(f"the key {key[:64]!r} comes twice in one object")
        seen.add(key)


def _may_hold_long_integer(raw: bytes) -> bool:
    """Tell whether there is a long run of digits that is not the begin of a string, as ids are."""
    digits = raw.translate(_DIGITS_AS_ZEROS)
    place = digits.find(_NINETEEN_DIGITS)
    while place >= 0:
        if raw[place - 1 : place] != b'"':
            return True
        place = digits.find(_NINETEEN_DIGITS, place + len(_NINETEEN_DIGITS))
    return False


def _is_beyond_bigint(value: object) -> bool:
    return type(value) is int and not -INTEGER_MAX_COUNT - 1 <= value <= INTEGER_MAX_COUNT


def _holds_nul(value: object) -> bool:
    return isinstance(value, str) and "\x00" in value


def _refuse_where(value: JsonValue, is_refused: Callable[[object], bool], what: str) -> None:
    for path, found in _walk(value):
        if is_refused(found):
            field = FieldProblem(location="body", field=pointer(path), message=what)
            raise Invalid(f"{at(field)} {what}", errors=[field])


def _walk(value: JsonValue) -> Iterator[tuple[tuple[int | str, ...], object]]:
    """Give every key and value with its path, depth first, without recursion."""
    todo: list[tuple[tuple[int | str, ...], JsonValue]] = [((), value)]
    while todo:
        path, found = todo.pop()
        yield path, found
        if isinstance(found, dict):
            for key, below in found.items():
                yield (*path, key), key
                todo.append(((*path, key), below))
        elif isinstance(found, list):
            todo.extend(((*path, index), below) for index, below in enumerate(found))
