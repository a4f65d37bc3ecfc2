"""What is answered about money, and statements, over HTTP."""

from typing import Any

import httpx
import pytest
from settlement_builders import (
    cancelled,
    delivered,
    line,
    order,
    reference_data,
    returned,
    shipped,
    units,
)

from contracts.statements import StatementIssued
from settlement.consume import consumer
from settlement.schedule import schedule
from testbed.bench import Bench
from testbed.clock import START, Clock

TODAY = START.date().isoformat()


@pytest.fixture
async def earned(apply: Bench) -> None:
    """An order of which everything is delivered."""
    await apply(consumer, [*reference_data(), order()])
    await apply(consumer, [shipped(*units(l1=2)), delivered(*units(l1=2))])


async def get(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def state(client: httpx.AsyncClient, period: str, **more: str) -> httpx.Response:
    body = {"party_id": "dealer-7", "period": period, **more}
    return await client.post("/statements", json=body)


async def test_a_split_says_who_gets_what_and_why(apply: Bench, client: httpx.AsyncClient) -> None:
    await apply(consumer, [*reference_data(), order(), cancelled(*units(l1=1))])
    await apply.sweep(consumer)
    split = await get(client, "/orders/o1/split")
    assert split["total_minor"] == 20_000
    fee, supply, margin = split["shares"]
    assert (fee["party_id"], fee["planned_minor"], fee["pending_minor"]) == ("tmall", 1_000, 500)
    assert fee["reversed_minor"] == 500
    assert fee["why"].startswith(
        "take_rate (base net, base_minor 20000, rate_ppm 50000) gives 1000"
    )
    assert (supply["component"], supply["book_id"]) == ("supply_revenue", "tea-cn")
    assert margin["planned_minor"] == 5_000
    assert split["lines"][0]["pending_units"] == 1
    assert [step["step"] for step in split["trace"]] == [
        "take_freight",
        "take_rate",
        "take_supply",
        "take_residual",
    ]


@pytest.mark.usefixtures("earned")
async def test_journals_balance_and_name_their_event(client: httpx.AsyncClient) -> None:
    journals = (await get(client, "/orders/o1/journals"))["journals"]
    assert [journal["kind"] for journal in journals] == [
        "split_planned",
        "split_planned",
        "freight_charged",
        "split_earned",
        "split_earned",
    ]
    for journal in journals:
        assert sum(entry["amount_minor"] for entry in journal["entries"]) == 0
    assert {journal["source_type"] for journal in journals} == {
        "OrderAccepted",
        "ParcelShipped",
        "ParcelDelivered",
    }


@pytest.mark.parametrize(
    "path",
    [
        "/orders/nothing/split",
        "/orders/nothing/journals",
        "/parties/nobody/balance",
        "/books/none/trial-balance",
        "/books/none/chain",
        "/statements/6f1c3a52-6f0a-5a6c-9d5e-0d6b3b7a1c11",
    ],
)
async def test_what_is_not_there_is_404(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.usefixtures("earned")
async def test_a_partys_balance_is_what_it_is_owed(client: httpx.AsyncClient) -> None:
    (book,) = (await get(client, "/parties/dealer-7/balance"))["books"]
    assert (book["book_id"], book["pending_minor"], book["settled_minor"]) == (
        "dealer-7-ltd",
        0,
        5_000,
    )
    brand = (await get(client, "/parties/tea-brand/balance"))["books"][0]
    assert brand["settled_minor"] == 14_000 - 800


@pytest.mark.usefixtures("earned")
async def test_a_book_sums_to_zero_before_and_after_folding(
    apply: Bench, client: httpx.AsyncClient
) -> None:
    before = await get(client, "/books/tea-cn/trial-balance")
    await apply.tick(schedule)
    assert await get(client, "/books/tea-cn/trial-balance") == before
    assert before["sums"] == [{"currency": "CNY", "pending_minor": 0, "settled_minor": 0}]
    assert {total["code"]: total["settled_minor"] for total in before["totals"]} == {
        "carrier_payable": -800,
        "due_from": 14_000,
        "freight_expense": 800,
        "supply_revenue": -14_000,
    }
    (block,) = (await get(client, "/books/tea-cn/chain"))["items"]
    assert (block["block_index"], block["previous_hash"]) == (1, "00" * 32)
    assert block["journals_count"] == 3


@pytest.mark.usefixtures("earned")
async def test_accounts_and_entries_are_listed_page_by_page(client: httpx.AsyncClient) -> None:
    first = await get(client, "/accounts?book_id=dealer-7-ltd&limit=3")
    rest = await get(client, f"/accounts?book_id=dealer-7-ltd&limit=3&after={first['next']}")
    ids = [account["account_id"] for account in [*first["items"], *rest["items"]]]
    assert ids == sorted(ids)
    assert len(ids) == 4
    account_id = "dealer-7-ltd/dealer-7/dealer_margin/CNY"
    first = await get(client, f"/entries?account_id={account_id}&limit=2")
    rest = await get(client, f"/entries?account_id={account_id}&limit=2&after={first['next']}")
    assert [(entry["layer"], entry["amount_minor"]) for entry in first["items"]] == [
        ("pending", -5_000),
        ("pending", 5_000),
    ]
    assert [(entry["layer"], entry["amount_minor"]) for entry in rest["items"]] == [
        ("settled", -5_000)
    ]
    assert rest["next"] is None


@pytest.mark.usefixtures("earned")
async def test_a_statement_is_issued_once(apply: Bench, client: httpx.AsyncClient) -> None:
    await apply.outgoing()
    first = await state(client, TODAY)
    assert first.status_code == 201, first.text
    statement = first.json()
    assert (statement["opening_minor"], statement["closing_minor"]) == (0, 5_000)
    assert statement["movements"] == [
        {"component": "dealer_margin", "entries_count": 1, "amount_minor": 5_000}
    ]
    assert (await state(client, TODAY)).json() == statement
    (issued,) = await apply.outgoing()
    assert isinstance(issued, StatementIssued)
    assert issued.statement_id == statement["statement_id"]
    path = f"/statements/{statement['statement_id']}"
    assert await get(client, path) == statement
    assert len((await get(client, f"{path}/entries"))["items"]) == 1
    assert (await get(client, "/statements?party_id=dealer-7"))["items"] == [statement]


@pytest.mark.usefixtures("earned")
async def test_the_next_statement_opens_where_the_last_closed(
    apply: Bench, client: httpx.AsyncClient, clock: Clock
) -> None:
    first = (await state(client, TODAY)).json()
    # Booked after the statement on the same day, and on the next.
    await apply(consumer, [returned(*units(l1=1))])
    clock.advance(days=1)
    await apply(consumer, [order(line(units=1), order_id="o2")])
    await apply(
        consumer,
        [
            shipped(*units(l1=1), order_id="o2", parcel_id="p2"),
            delivered(*units(l1=1), order_id="o2", parcel_id="p2"),
        ],
    )
    second = (await state(client, clock.now.date().isoformat())).json()
    assert (second["opening_minor"], second["closing_minor"]) == (first["closing_minor"], 5_000)
    assert second["movements"] == [
        {"component": "dealer_margin", "entries_count": 2, "amount_minor": 0}
    ]
    assert (await get(client, "/verify"))["violations_count"] == 0


@pytest.mark.usefixtures("earned")
async def test_a_platforms_statement_needs_the_book_of_the_seller(
    client: httpx.AsyncClient,
) -> None:
    refused = await state(client, TODAY, party_id="tmall")
    assert refused.status_code == 422
    statement = (await state(client, TODAY, party_id="tmall", book_id="dealer-7-ltd")).json()
    assert {each["component"]: each["amount_minor"] for each in statement["movements"]} == {
        "channel_clearing": -20_000,
        "platform_fee": 1_000,
    }


@pytest.mark.parametrize(
    ("period", "status"),
    [
        ("2026-01", 409),  # ends after today
        ("2026-01-16", 409),
        ("2026-01-10/2026-01-16", 201),
        ("2025-12", 201),
        ("2026-13", 422),
        ("2026-01-15/2026-01-15", 422),
        ("2026", 422),
        ("yesterday", 422),
    ],
)
@pytest.mark.usefixtures("earned")
async def test_a_period_has_begun_and_is_one(
    client: httpx.AsyncClient, period: str, status: int
) -> None:
    assert (await state(client, period)).status_code == status


@pytest.mark.usefixtures("earned")
async def test_days_are_stated_once(client: httpx.AsyncClient) -> None:
    assert (await state(client, "2026-01-10/2026-01-15")).status_code == 201
    overlapping = await state(client, "2026-01-14")
    assert overlapping.status_code == 409
    assert "2026-01-15" in overlapping.json()["detail"]
    assert (await state(client, "2026-01-15")).status_code == 201


async def test_a_statement_for_nobody_is_404_and_an_unknown_field_422(
    apply: Bench, client: httpx.AsyncClient
) -> None:
    await apply(consumer, reference_data())
    assert (await state(client, TODAY, party_id="nobody")).status_code == 404
    assert (await state(client, TODAY, book_id="none")).status_code == 404
    assert (await state(client, TODAY, color="red")).status_code == 422


@pytest.mark.usefixtures("earned")
async def test_verification_names_every_property(client: httpx.AsyncClient) -> None:
    await state(client, TODAY)
    verified = await get(client, "/verify")
    assert verified["violations_count"] == 0
    assert len(verified["invariants"]) == 22
