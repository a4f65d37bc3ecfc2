"""Transport and JSON: the exact status that each bad request gets over real HTTP."""

import asyncio
import gzip
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from runtime_raw_http import Connection
from runtime_sample import Serve, Served

from runtime.settings import HttpSettings

JSON = {"content-type": "application/json"}
LINE = {"sku": "SKU-1", "quantity_units": 1, "price_minor": 19900}
ORDER: dict[str, Any] = {
    "order_id": "O-1",
    "currency": "CNY",
    "placed_at": "2026-11-11T00:00:00+08:00",
    "lines": [LINE],
}
MIB = 1024 * 1024


def order(**changes: object) -> bytes:
    return json.dumps(ORDER | changes, ensure_ascii=False).encode()


def with_text(old: str, new: str) -> bytes:
    text = json.dumps(ORDER)
    assert old in text
    return text.replace(old, new).encode()


def nested(depth: int) -> bytes:
    return order(extras={"free": "X"}).replace(b'"X"', b"[" * depth + b"]" * depth)


@dataclass(frozen=True, slots=True)
class Case:
    """A request's body and headers, and the status that it gets."""

    body: bytes
    status: int
    headers: dict[str, str] = field(default_factory=JSON.copy)


CASES = {
    "an empty body": Case(b"", 400),
    "a body of white space": Case(b"  ", 400),
    "truncated JSON": Case(order()[:-5], 400),
    "text after the JSON": Case(order() + b"x", 400),
    "two documents": Case(order() + order(), 400),
    "an array at the top": Case(b"[]", 422),
    "a string at the top": Case(b'"order"', 422),
    "a number at the top": Case(b"1", 422),
    "null at the top": Case(b"null", 422),
    "NaN": Case(with_text("19900", "NaN"), 400),
    "Infinity": Case(with_text("19900", "Infinity"), 400),
    "-Infinity": Case(with_text("19900", "-Infinity"), 400),
    "1e400": Case(with_text("19900", "1e400"), 422),
    "an integer of 5,000 digits": Case(with_text("19900", "9" * 5_000), 400),
    "2^63": Case(with_text("19900", str(2**63)), 422),
    "2^70": Case(with_text("19900", str(2**70)), 422),
    "2^70 in a free-form field": Case(order(extras={"a": [2**70]}), 422),
    "a duplicate key": Case(with_text('"sku":', '"sku": "SKU-2", "sku":'), 400),
    "nesting 100,000": Case(nested(100_000), 400),
    "nesting 900 in a free-form field": Case(nested(900), 422),
    "nesting 33 in all": Case(nested(31), 422),
    "nesting 32 in all": Case(nested(30), 201),
    "invalid UTF-8": Case(order(remark="R").replace(b'"R"', b'"\xff"'), 400),
    "a byte order mark": Case(b"\xef\xbb\xbf" + order(), 201),
    "UTF-16": Case(order().decode().encode("utf-16"), 415),
    "UTF-32": Case(order().decode().encode("utf-32"), 415),
    "a charset that is not UTF-8": Case(
        order(), 415, {"content-type": "application/json; charset=gbk"}
    ),
    "charset UTF-8 spelled out": Case(
        order(), 201, {"content-type": "application/json; charset=UTF-8"}
    ),
    "a lone surrogate": Case(with_text("O-1", "\\ud800"), 400),
    "NUL in a string": Case(order(remark="a\x00b"), 422),
    "NUL in a free-form field": Case(order(extras={"a": "\x00"}), 422),
    "10 MB": Case(order(remark="x" * 10_000_000), 413),
    "gzip": Case(gzip.compress(order()), 415, {**JSON, "content-encoding": "gzip"}),
    "a gzip bomb": Case(
        gzip.compress(bytes(50_000_000)), 415, {**JSON, "content-encoding": "gzip"}
    ),
    "no content type": Case(order(), 415, {}),
    "text/plain": Case(order(), 415, {"content-type": "text/plain"}),
    "a form": Case(b"order_id=1", 415, {"content-type": "application/x-www-form-urlencoded"}),
    "a JSON dialect": Case(order(), 201, {"content-type": "application/vnd.yipan+json"}),
    "an unknown field": Case(order(unknown=1), 422),
    "an unknown field in a line": Case(order(lines=[{**LINE, "status": "shipped"}]), 422),
    "brand_id in a dealer's body": Case(order(brand_id="B2"), 422),
    "price_override": Case(order(price_override=1), 422),
    "a key in other case": Case(with_text('"sku"', '"SKU"'), 422),
    "a key in full width": Case(with_text('"sku"', '"\uff53\uff4b\uff55"'), 422),
    "501 lines": Case(order(lines=[LINE] * 501), 422),
    "100,000 lines": Case(order(lines="X").replace(b'"X"', b"[" + b"{}," * 99_999 + b"{}]"), 422),
    "a remark of 1 MB": Case(order(remark="x" * 1_000_000), 422),
    "a string for a number": Case(with_text("19900", '"19900"'), 422),
    "a fraction for an integer": Case(with_text("19900", "19900.0"), 422),
    "an exponent for an integer": Case(with_text("19900", "1e2"), 422),
    "true for an integer": Case(with_text("19900", "true"), 422),
    "a timestamp as a number": Case(order(placed_at=1_760_000_000), 422),
    "the order as it should be": Case(order(), 201),
}


@pytest.fixture
async def client(served: Served) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=served.url, timeout=20) as client:
        yield client


@asynccontextmanager
async def connected(served: Served) -> AsyncGenerator[Connection]:
    connection = await Connection.open(served.host, served.port)
    try:
        yield connection
    finally:
        await connection.close()


def head(*lines: str, method: str = "POST", path: str = "/orders") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: yipan", *lines, "", ""]).encode()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_each_body_gets_its_status(
    case: Case, client: httpx.AsyncClient, served: Served
) -> None:
    answer = await client.post("/orders", content=case.body, headers=case.headers)
    assert answer.status_code == case.status, answer.text
    assert len(served.sample.orders) == (1 if case.status == 201 else 0)
    if case.status != 201:
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["status"] == case.status
        assert problem["detail"]
        assert problem["trace_id"] == answer.headers["traceparent"].split("-")[1]


async def test_a_body_announced_too_large_is_refused_before_it_comes(served: Served) -> None:
    async with connected(served) as connection:
        await connection.send(head("Content-Type: application/json", "Content-Length: 10000000"))
        answer = await asyncio.wait_for(connection.answer(), 1)
    assert answer.status == 413
    assert "1048576" in answer.problem["detail"]


async def test_a_client_that_asks_first_is_told_before_it_sends(served: Served) -> None:
    async with connected(served) as connection:
        expect = ("Content-Length: 10000000", "Expect: 100-continue")
        await connection.send(head("Content-Type: application/json", *expect))
        assert (await asyncio.wait_for(connection.answer(), 1)).status == 413
    async with connected(served) as connection:
        expect = (f"Content-Length: {len(order())}", "Expect: 100-continue")
        await connection.send(head("Content-Type: application/json", *expect))
        assert (await connection.answer()).status == 100
        await connection.send(order())
        assert (await connection.answer()).status == 201


async def test_an_endless_body_is_not_read_to_its_end(served: Served) -> None:
    """Sent in chunks of 64 KiB without a length: the answer comes soon after 1 MiB."""
    sent_bytes = 0
    async with connected(served) as connection:
        await connection.send(head("Content-Type: application/json", "Transfer-Encoding: chunked"))
        answer = asyncio.create_task(connection.answer())
        while not answer.done() and sent_bytes < 100 * MIB:
            await connection.send(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
            sent_bytes += 0x10000
            await asyncio.sleep(0.001)
        assert (await answer).status == 413
    assert sent_bytes < 4 * MIB


async def test_a_length_beside_a_transfer_encoding_is_refused(served: Served) -> None:
    for lines in (
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 5"),
        ("Content-Length: 5", "Content-Length: 6"),
        ("Transfer-Encoding: chunked, identity",),
        ("Content-Length : 5",),
    ):
        async with connected(served) as connection:
            await connection.send(head("Content-Type: application/json", *lines) + b"0\r\n\r\n")
            answer = await connection.answer()
            assert answer.status == 400, lines
            assert answer.problem["title"] == "Bad request"
            assert await connection.is_closed()


async def test_a_body_of_one_byte_a_second_is_given_up(serving: Serve) -> None:
    async with (
        serving(HttpSettings(port=0, body_timeout_s=1)) as served,
        connected(served) as connection,
    ):
        await connection.send(head("Content-Type: application/json", "Content-Length: 100"))
        for _ in range(3):
            await connection.send(b" ")
            await asyncio.sleep(0.4)
        answer = await asyncio.wait_for(connection.answer(), 2)
        assert answer.status == 408
        assert "1 s" in answer.problem["detail"]
        assert not served.sample.orders


def test_by_default_a_slow_body_has_less_than_15_seconds() -> None:
    assert HttpSettings().body_timeout_s < 15
    assert HttpSettings().header_timeout_s < 15


async def test_headers_of_one_byte_a_second_are_given_up(serving: Serve) -> None:
    async with (
        serving(HttpSettings(port=0, header_timeout_s=0.5)) as served,
        connected(served) as connection,
    ):
        await connection.send(b"POST /orders HTTP/1.1\r\nHost: ")
        answer = await asyncio.wait_for(connection.answer(), 2)
        assert answer.status == 408
        assert await connection.is_closed()


async def test_a_client_that_leaves_cancels_nothing(served: Served) -> None:
    async with connected(served) as connection:
        await connection.send(head("Content-Length: 2", path="/slow") + b"{}")
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.1)
    served.sample.release.set()
    await asyncio.sleep(0.1)
    assert served.sample.finished_count == 1


@pytest.mark.parametrize(
    "headers",
    [
        b"".join(b"X-%d: y\r\n" % number for number in range(20_000)),
        b"X-Long: " + b"y" * 64 * 1024 + b"\r\n",
        b"X-Endless: " + b"y" * 200_000,
        b"".join(b"X-%d: y\r\n" % number for number in range(101)),
    ],
    ids=["20,000 headers", "a header of 64 KiB", "a header without end", "101 headers"],
)
async def test_headers_beyond_the_bounds_are_refused(served: Served, headers: bytes) -> None:
    async with connected(served) as connection:
        await connection.send(b"GET /orders HTTP/1.1\r\nHost: yipan\r\n" + headers)
        answer = await asyncio.wait_for(connection.answer(), 2)
        assert answer.status == 431
        assert answer.problem["title"] == "Headers too large"


async def test_an_endless_address_is_refused(served: Served) -> None:
    async with connected(served) as connection:
        await connection.send(b"GET /" + b"a" * 10_000)
        assert (await asyncio.wait_for(connection.answer(), 2)).status == 414


async def test_what_is_no_http_gets_a_problem(served: Served) -> None:
    for garbage in (
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x00" * 64,
    ):
        async with connected(served) as connection:
            await connection.send(garbage)
            assert (await connection.answer()).status == 400
