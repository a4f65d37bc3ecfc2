"""Bounds on load: what is beyond them is told so at once, and what is within them is served."""

import asyncio
from collections.abc import AsyncGenerator

import httpx
from runtime_raw_http import Connection
from runtime_sample import Serve, Served

from runtime.settings import MIB_BYTES, HttpSettings

JSON = {"content-type": "application/json"}


def client_of(served: Served) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=served.url, timeout=10)


async def test_requests_beyond_the_bound_get_503_and_probes_are_served(serving: Serve) -> None:
    async with (
        serving(HttpSettings(port=0, in_flight_max=2)) as served,
        client_of(served) as client,
    ):
        held = [asyncio.create_task(client.post("/slow", content=b"x")) for _ in range(2)]
        await asyncio.sleep(0.1)
        refused = await client.post("/slow", content=b"x")
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
        assert refused.json()["title"] == "Unavailable for now"
        assert (await client.get("/health/live")).status_code == 200
        served.sample.release.set()
        assert [(await each).status_code for each in held] == [200, 200]
        assert (await client.post("/slow", content=b"x")).status_code == 200


async def test_bodies_beyond_the_memory_for_them_get_503(serving: Serve) -> None:
    settings = HttpSettings(port=0, buffered_bytes_max=MIB_BYTES)
    body = b"x" * (MIB_BYTES * 3 // 4)
    async with serving(settings) as served, client_of(served) as client:
        held = asyncio.create_task(client.post("/slow", content=body))
        await asyncio.sleep(0.1)
        assert (await client.post("/slow", content=body)).status_code == 503
        served.sample.release.set()
        assert (await held).status_code == 200
        assert (await client.post("/slow", content=body)).status_code == 200


async def test_a_place_is_given_back_whatever_ends_a_request(serving: Serve) -> None:
    settings = HttpSettings(port=0, in_flight_max=1, body_timeout_s=0.2)
    async with serving(settings) as served, client_of(served) as client:
        for content, status in ((b"x" * 2 * MIB_BYTES, 413), (b"{", 400), (b"{}", 422)):
            answer = await client.post("/orders", content=content, headers=JSON)
            assert answer.status_code == status
        assert (await client.get("/fault")).status_code == 500
        gone = await Connection.open(served.host, served.port)
        await gone.send(b"POST /orders HTTP/1.1\r\nHost: y\r\nContent-Length: 9\r\n\r\n{")
        await gone.close()
        await asyncio.sleep(0.3)
        assert (await client.get("/orders")).status_code == 200


async def test_connections_beyond_the_bound_are_told_so(serving: Serve) -> None:
    async with serving(HttpSettings(port=0, connections_max=1)) as served:
        first = await Connection.open(served.host, served.port)
        await asyncio.sleep(0.05)
        second = await Connection.open(served.host, served.port)
        answer = await second.answer()
        assert answer.status == 503
        assert answer.headers["retry-after"] == "1"
        await second.close()
        await first.send(b"GET /orders HTTP/1.1\r\nHost: yipan\r\n\r\n")
        assert (await first.answer()).status == 200
        await first.close()


async def test_requests_sent_in_one_breath_are_answered_in_order(served: Served) -> None:
    connection = await Connection.open(served.host, served.port)
    one = b"POST /hooks HTTP/1.1\r\nHost: yipan\r\nContent-Length: %d\r\n\r\n%s"
    await connection.send(one % (1, b"a") + one % (2, b"bb") + one % (3, b"ccc"))
    assert [(await connection.answer()).body for _ in range(3)] == [b"1", b"2", b"3"]
    await connection.close()


async def test_many_requests_on_one_connection_count_their_headers_apart(served: Served) -> None:
    connection = await Connection.open(served.host, served.port)
    padding = b"X-Padding: " + b"y" * 20_000
    for _ in range(4):
        await connection.send(b"GET /orders HTTP/1.1\r\nHost: yipan\r\n" + padding + b"\r\n\r\n")
        assert (await connection.answer()).status == 200
    await connection.close()


async def test_raw_bytes_reach_a_webhook_unchanged(served: Served) -> None:
    raw = b'\xef\xbb\xbf{"a": 1,\n  "a": 2}'
    async with client_of(served) as client:
        assert (await client.post("/hooks", content=raw)).status_code == 202
        assert (await client.post("/hooks", content=iter_chunks(raw))).status_code == 202
    assert served.sample.raw == [raw, raw]


async def iter_chunks(raw: bytes) -> AsyncGenerator[bytes]:
    for place in range(0, len(raw), 5):
        yield raw[place : place + 5]
