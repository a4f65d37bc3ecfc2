"""The application: problems everywhere, nothing of ours in them, and an OpenAPI that says so."""

from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter
from pydantic import BaseModel
from runtime_sample import NewOrder, Served

from backbone import Progress, Unprocessable
from backbone.progress import RelayState
from runtime.api import Conflict, NotFound, StrictRoute, TooManyRequests
from runtime.application import make_application
from runtime.fields import Id


@pytest.fixture
async def client(served: Served) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=served.url) as client:
        yield client


def problem_of(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["status"] == status
    assert document["type"].startswith("urn:yipan:problem:")
    assert document["title"]
    return document


async def test_an_unknown_path_is_a_problem_that_names_it(client: httpx.AsyncClient) -> None:
    problem = problem_of(await client.get("/nowhere"), 404)
    assert problem["detail"] == "there is nothing at /nowhere"


async def test_a_wrong_method_is_told_the_right_ones(client: httpx.AsyncClient) -> None:
    answer = await client.delete("/orders/O-1")
    assert "DELETE" in problem_of(answer, 405)["detail"]
    assert answer.headers["allow"] == "GET"


async def test_a_fault_tells_nothing_of_itself(client: httpx.AsyncClient) -> None:
    answer = await client.get("/fault")
    problem = problem_of(answer, 500)
    assert problem["detail"] == "this is a fault of ours; it is logged"
    assert "consumer" not in answer.text


async def test_invalid_fields_are_listed_by_pointer_without_their_values(
    client: httpx.AsyncClient,
) -> None:
    body = {"order_id": "王小明 13800001111", "currency": "RMB", "lines": [{"sku": "a"}]}
    answer = await client.post("/orders", json=body)
    errors = problem_of(answer, 422)["errors"]
    assert {error["field"] for error in errors} == {
        "/order_id",
        "/currency",
        "/placed_at",
        "/lines/0/quantity_units",
        "/lines/0/price_minor",
    }
    assert {error["location"] for error in errors} == {"body"}
    assert "13800001111" not in answer.text


async def test_a_list_of_findings_is_bounded(client: httpx.AsyncClient) -> None:
    body = order() | {"lines": [{"sku": "a"}] * 400}
    problem = problem_of(await client.post("/orders", json=body), 422)
    assert len(problem["errors"]) == 20
    assert problem["detail"].endswith("more")


async def test_path_and_query_are_read_strictly(client: httpx.AsyncClient) -> None:
    for address, status, field in (
        ("/orders/a%20b", 422, "order_id"),
        ("/orders/a%00b", 422, "order_id"),
        ("/orders/" + "x" * 65, 422, "order_id"),
        ("/orders?limit=0", 422, "limit"),
        ("/orders?limit=201", 422, "limit"),
        ("/orders?limit=1000000000", 422, "limit"),
        ("/orders?limit=1_0", 422, "limit"),
        ("/orders?limit=%EF%BC%91", 422, "limit"),
        ("/orders?sort=;drop", 422, "sort"),
        ("/orders?after=not-ours", 422, "after"),
        ("/orders?after=WzFd", 422, "after"),
        ("/orders?after=" + "x" * 600, 422, "after"),
        ("/orders?after=%00", 422, "after"),
    ):
        problem = problem_of(await client.get(address), status)
        assert problem["errors"][0]["field"] == field, address


async def test_a_query_parameter_that_comes_twice_is_refused(client: httpx.AsyncClient) -> None:
    for query in ("limit=1&limit=2", "limit=1&%6cimit=1"):
        problem = problem_of(await client.get("/orders?" + query), 400)
        assert "'limit' comes twice" in problem["detail"]
    problem_of(await client.get("/orders?limit=%FF"), 400)


async def test_pages_cover_a_list_once(client: httpx.AsyncClient) -> None:
    names = [f"O-{number:02}" for number in range(7)]
    for name in names:
        await client.post("/orders", json={**order(), "order_id": name})
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = (await client.get("/orders", params={"limit": "3", **after})).json()
        seen += page["items"]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert seen == names


async def test_a_trace_is_continued_and_a_bad_one_replaced(client: httpx.AsyncClient) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    given = f"00-{trace_id}-00f067aa0ba902b7-01"
    answer = await client.get("/orders", headers={"traceparent": given, "x-request-id": "R-1"})
    assert answer.headers["traceparent"].startswith(f"00-{trace_id}-")
    assert answer.headers["traceparent"] != given
    assert answer.headers["x-request-id"] == "R-1"
    for bad in (f"00-{'0' * 32}-00f067aa0ba902b7-01", given.upper(), given + "-x", "x" * 500, ""):
        answer = await client.get("/orders", headers={"traceparent": bad, "x-request-id": "a b"})
        begun = answer.headers["traceparent"].split("-")
        assert [len(part) for part in begun] == [2, 32, 16, 2]
        assert begun[1] != trace_id
        assert answer.headers["x-request-id"] == begun[1]


async def test_no_page_of_another_origin_may_read_answers(client: httpx.AsyncClient) -> None:
    headers = {"origin": "https://elsewhere.example", "access-control-request-method": "POST"}
    answer = await client.options("/orders", headers=headers)
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert (await client.get("/docs")).status_code == 404
    assert (await client.get("/redoc")).status_code == 404


async def test_problems_raised_below_a_route_keep_their_words() -> None:
    router = APIRouter(route_class=StrictRoute)
    raised = {
        "missing": NotFound("there is no order O-1"),
        "running": Conflict("O-1 is being created", kind="in-progress", retry_after_s=5),
        "often": TooManyRequests("shop S-1 sends more than 500 a second", retry_after_s=1),
        "never": Unprocessable("currency of O-1 differs from its shop's"),
    }

    @router.get("/{which}")
    async def fail(which: Id) -> None:
        raise raised[which]

    app = make_application("Problems", "1", [router])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        assert problem_of(await client.get("/missing"), 404)["detail"] == "there is no order O-1"
        running = await client.get("/running")
        assert problem_of(running, 409)["type"] == "urn:yipan:problem:in-progress"
        assert running.headers["retry-after"] == "5"
        assert (await client.get("/often")).headers["retry-after"] == "1"
        assert "differs" in problem_of(await client.get("/never"), 422)["detail"]


def test_a_route_of_two_bodies_is_refused_when_it_is_made() -> None:
    router = APIRouter(route_class=StrictRoute)

    async def two(first: NewOrder, second: NewOrder) -> None: ...

    with pytest.raises(TypeError, match="one body"):
        router.add_api_route("/two", two, methods=["POST"])


async def test_an_optional_body_may_be_left_out() -> None:
    router = APIRouter(route_class=StrictRoute)

    class Reason(BaseModel):
        text: str

    @router.post("/cancel")
    async def cancel(reason: Reason | None = None) -> str:
        return "none" if reason is None else reason.text

    transport = httpx.ASGITransport(make_application("Optional", "1", [router]))
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        assert (await client.post("/cancel")).json() == "none"
        assert (await client.post("/cancel", json={"text": "late"})).json() == "late"
        problem_of(await client.post("/cancel", json={"text": 1}), 422)


async def test_openapi_documents_bodies_and_the_problems_that_are_sent(
    client: httpx.AsyncClient,
) -> None:
    document = (await client.get("/openapi.json")).json()
    post = document["paths"]["/orders"]["post"]
    body = post["requestBody"]
    assert body["required"] is True
    assert body["content"] == {
        "application/json": {"schema": {"$ref": "#/components/schemas/NewOrder"}}
    }
    assert {"201", "400", "408", "409", "413", "415", "422", "500", "503"} == set(post["responses"])
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    assert all(
        answer["content"] == problem
        for status, answer in post["responses"].items()
        if status != "201"
    )
    schemas = document["components"]["schemas"]
    assert schemas["NewOrder"]["additionalProperties"] is False
    assert schemas["Line"]["properties"]["quantity_units"]["maximum"] == 1_000_000
    assert "Problem" in schemas
    assert "FieldProblem" in schemas
    assert "HTTPValidationError" not in str(document)
    assert "ValidationError" not in schemas
    assert set(document["paths"]["/orders"]["get"]["responses"]) == {
        "200",
        "400",
        "422",
        "500",
        "503",
    }


async def test_readiness_gives_every_reason_and_the_counts(served: Served) -> None:
    progress = Progress(
        is_consuming=True,
        relay=RelayState.LEADING,
        has_database=True,
        has_kafka=True,
        dead_letters=2,
        parked_events=3,
    )
    served.sample.state.progress = progress
    async with httpx.AsyncClient(base_url=served.url) as client:
        answer = await client.get("/health/ready")
        assert answer.status_code == 200
        assert answer.json() == {
            "status": "ready",
            "reasons": [],
            "lag_events": 0,
            "outbox_events": 0,
            "parked_events": 3,
            "dead_letters": 2,
        }
        progress.has_kafka = False
        progress.paused[("ingest.orders", 3)] = "its log ends before the cursor"
        answer = await client.get("/health/ready")
        assert answer.status_code == 503
        assert answer.json()["reasons"] == [
            "ingest.orders/3 is paused: its log ends before the cursor",
            "Kafka does not answer",
        ]
        assert (await client.get("/health/live")).json() == {"status": "live"}


def order() -> dict[str, Any]:
    return {
        "order_id": "O-1",
        "currency": "CNY",
        "placed_at": "2026-11-11T00:00:00+08:00",
        "lines": [{"sku": "SKU-1", "quantity_units": 1, "price_minor": 19900}],
    }
