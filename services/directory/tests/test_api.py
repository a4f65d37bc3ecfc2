"""The HTTP interface on the real application and a real database."""

import asyncio
from typing import Any

import httpx
import pytest

from backbone import Database
from contracts.entries import AgreementDefined, GoodsDefined, PartyDefined
from testbed.bench import Bench
from testbed.clock import Clock

YAML = {"Content-Type": "application/yaml"}
PARTY = {"kind": "dealer", "name": "新", "parent_id": "east"}
AGREEMENT = {
    "scenario": "drop_shipping",
    "brand_id": "brand",
    "seller_id": "dealer-1",
    "currency": "CNY",
    "valid_from": "2027-01-01T00:00:00+08:00",
    "supply_prices": [{"goods_id": "cup", "price_minor": 6_900}],
    "freight_payee_id": "brand",
    "freight_bearer_id": "brand",
    "earned_on": "shipped",
}


async def answered(response: httpx.Response, status: int = 200) -> Any:
    assert response.status_code == status, response.text
    return response.json()


async def load(client: httpx.AsyncClient, content: bytes, status: int = 200) -> Any:
    return await answered(await client.post("/load", content=content, headers=YAML), status)


async def test_a_file_is_loaded_once(client: httpx.AsyncClient, apply: Bench, group: bytes) -> None:
    view = await load(client, group)
    assert (view["defined"], view["unchanged"]) == (13, 0)
    assert view["defined_by_kind"]["goods"] == 3
    events = await apply.outgoing()
    names = [type(event).__name__.removesuffix("Defined") for event in events]
    assert names == [
        *("LegalEntity", *["Party"] * 5, *["Goods"] * 3),
        *("Node", "Agreement", "Shop", "Listing"),
    ]
    view = await load(client, group)
    assert (view["defined"], view["unchanged"]) == (0, 13)
    assert not await apply.outgoing()


async def test_a_file_with_one_fault_changes_nothing(
    client: httpx.AsyncClient, apply: Bench, group: bytes
) -> None:
    text = group.decode().replace("owner_id: brand", "owner_id: nobody")
    text = text.replace("goods_id: cup, price", "goods_id: mug, price")
    problem = await load(client, text.encode(), 422)
    found = [(error["location"], error["field"]) for error in problem["errors"]]
    line = text[: text.index("node_id: wh-1")].count("\n") + 1
    assert found == [
        (f"line {line}", "/owner_id"),
        (f"line {line + 4}", "/supply_prices/0/goods_id"),
    ]
    assert problem["detail"].startswith(f"line {line}: owner_id: node wh-1: there is no party")
    await answered(await client.get("/parties/brand"), 404)
    assert not await apply.outgoing()


async def test_a_load_needs_a_known_type(client: httpx.AsyncClient) -> None:
    await answered(await client.post("/load", content=b"a", headers={"Content-Type": "a/b"}), 415)
    await answered(await client.post("/load", headers=YAML), 400)
    csv = {"Content-Type": "text/csv"}
    await answered(await client.post("/load", content=b"a", headers=csv), 422)
    problem = await load(client, b"parties: 5", 422)
    assert problem["errors"][0]["location"] == "line 1"


async def test_csv_adds_to_what_is_there(client: httpx.AsyncClient, group: bytes) -> None:
    await load(client, group)
    content = "shop_id,channel_sku,goods_id\nshop-1,A-1,cup\nshop-1,A-2,set\n"
    answer = await client.post(
        "/load",
        params={"section": "listings"},
        content=content.encode(),
        headers={"Content-Type": "text/csv; charset=utf-8"},
    )
    assert (await answered(answer))["defined"] == 2
    page = await answered(await client.get("/shops/shop-1/listings", params={"limit": 2}))
    assert [each["content"]["channel_sku"] for each in page["items"]] == ["A-1", "A-2"]
    rest = await client.get("/shops/shop-1/listings", params={"after": page["next"]})
    (entry,) = (await answered(rest))["items"]
    assert entry["content"]["channel_sku"] == "套装/红 01"


async def test_thousands_of_rows_load_at_once(
    client: httpx.AsyncClient, apply: Bench, group: bytes
) -> None:
    await load(client, group)
    await apply.outgoing()
    rows = "".join(
        f"  - {{goods_id: g{number}, brand_id: brand, name: n, product_line: l, weight_g: 1, "
        "list_price_minor: 1, currency: CNY}\n"
        for number in range(4_000)
    )
    assert (await load(client, f"goods:\n{rows}".encode()))["defined"] == 4_000
    events = await apply.outgoing()
    assert len(events) == 4_000
    assert (await load(client, f"goods:\n{rows}".encode()))["unchanged"] == 4_000


async def test_one_entry_is_put_read_and_listed(
    client: httpx.AsyncClient, apply: Bench, group: bytes, clock: Clock
) -> None:
    await load(client, group)
    await apply.outgoing()
    before = clock.now.isoformat()
    clock.advance(days=1)
    view = await answered(await client.put("/parties/dealer-2", json=PARTY))
    assert (view["kind"], view["entry_version"]) == ("party", 1)
    assert view == await answered(await client.put("/parties/dealer-2", json=PARTY))
    (event,) = await apply.outgoing()
    assert isinstance(event, PartyDefined)
    clock.advance(days=1)
    view = await answered(await client.put("/parties/dealer-2", json={**PARTY, "name": "改"}))
    assert view["entry_version"] == 2
    versions = await answered(await client.get("/parties/dealer-2/versions"))
    assert [each["entry_version"] for each in versions["items"]] == [2, 1]
    assert view == await answered(await client.get("/parties/dealer-2"))
    await answered(await client.get("/parties/dealer-2", params={"as_of": before}), 404)
    page = await answered(await client.get("/parties", params={"as_of": before}))
    assert len(page["items"]) == 5
    assert len((await answered(await client.get("/parties")))["items"]) == 6


@pytest.mark.parametrize(
    "case",
    [
        ("/parties/new", {**PARTY, "parent_id": "store-1"}, "/parent_id"),
        ("/parties/new", {**PARTY, "kind": "king"}, "/kind"),
        ("/parties/new", {**PARTY, "entry_version": 5}, "/entry_version"),
        ("/agreements/new", {**AGREEMENT, "platform_rate_ppm": 1_000_001}, "/platform_rate_ppm"),
        ("/agreements/new", {**AGREEMENT, "valid_to": AGREEMENT["valid_from"]}, ""),
        (
            "/agreements/new",
            {**AGREEMENT, "supply_prices": [{"goods_id": "a", "price_minor": 1}] * 2_001},
            "/supply_prices",
        ),
        ("/agreements/agreement-1", {**AGREEMENT, "seller_id": "east"}, "/seller_id"),
        ("/shops/shop-1/listings/x", {"goods_id": "ghost"}, "/goods_id"),
    ],
)
async def test_what_cannot_be_is_refused_with_its_field(
    client: httpx.AsyncClient, apply: Bench, group: bytes, case: tuple[str, object, str]
) -> None:
    path, body, field = case
    await load(client, group)
    await apply.outgoing()
    problem = await answered(await client.put(path, json=body), 422)
    assert problem["errors"][0]["field"] == field
    assert not await apply.outgoing()


async def test_versions_of_agreements_stay(
    client: httpx.AsyncClient, apply: Bench, group: bytes
) -> None:
    await load(client, group)
    await apply.outgoing()
    await answered(await client.put("/agreements/agreement-1", json=AGREEMENT))
    (event,) = await apply.outgoing()
    assert isinstance(event, AgreementDefined)
    assert event.entry_id == "agreement/agreement-1/2"
    versions = await answered(await client.get("/agreements/agreement-1/versions"))
    prices = [len(each["content"]["supply_prices"]) for each in versions["items"]]
    assert prices == [1, 2]


async def test_the_largest_agreement_fits_an_event(client: httpx.AsyncClient, group: bytes) -> None:
    await load(client, group)
    names = [f"{number:064}" for number in range(2_000)]
    rows = "".join(
        f"  - {{goods_id: '{name}', brand_id: brand, name: n, product_line: l, weight_g: 1, "
        "list_price_minor: 1, currency: CNY}\n"
        for name in names
    )
    await load(client, f"goods:\n{rows}".encode())
    body = {
        **AGREEMENT,
        "supply_prices": [{"goods_id": name, "price_minor": 2**53 - 1} for name in names],
        "coverage": [f"CN-{number:012}-{'A' * 12}-{'B' * 12}" for number in range(200)],
        "product_lines": ["瓷" * 60 + f"{number:03}" for number in range(50)],
    }
    await answered(await client.put("/agreements/large", json=body))


async def test_the_tree_is_read_downwards(client: httpx.AsyncClient, group: bytes) -> None:
    await load(client, group)
    tree = await answered(await client.get("/parties/brand/tree"))
    assert [(each["content"]["party_id"], each["depth"]) for each in tree["parties"]] == [
        *(("brand", 0), ("east", 1), ("dealer-1", 2), ("store-1", 3))
    ]
    moved = {"kind": "dealer", "name": "明辉", "parent_id": "brand"}
    await answered(await client.put("/parties/dealer-1", json=moved))
    tree = await answered(await client.get("/parties/east/tree"))
    assert [each["content"]["party_id"] for each in tree["parties"]] == ["east"]
    await answered(await client.get("/parties/ghost/tree"), 404)


async def test_everything_is_sent_again(
    client: httpx.AsyncClient, apply: Bench, group: bytes
) -> None:
    await load(client, group)
    first = await apply.outgoing()
    await client.put("/agreements/agreement-1", json=AGREEMENT)
    cup = {
        "brand_id": "brand",
        "name": "新杯",
        "product_line": "kitchen",
        "weight_g": 300,
        "list_price_minor": 9_900,
        "currency": "CNY",
    }
    await client.put("/goods/cup", json=cup)
    changed = await apply.outgoing()
    assert (await answered(await client.post("/republish")))["entries"] == 14
    again = await apply.outgoing()
    assert {event.entry_id for event in again if isinstance(event, AgreementDefined)} == {
        *("agreement/agreement-1/1", "agreement/agreement-1/2")
    }
    (sent,) = [e for e in again if isinstance(e, GoodsDefined) and e.goods_id == "cup"]
    assert sent in changed
    assert all(event in again for event in first if not isinstance(event, GoodsDefined))


async def test_a_republish_goes_out_in_pieces(
    client: httpx.AsyncClient, apply: Bench, group: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    await load(client, group)
    first = await apply.outgoing()
    monkeypatch.setattr("directory.api.loads.REPUBLISH_ENTRIES_MAX", 4)
    assert (await answered(await client.post("/republish")))["entries"] == 13
    assert {str(event) for event in await apply.outgoing()} == {str(event) for event in first}


async def test_writers_at_once_make_versions_without_gaps(
    client: httpx.AsyncClient, apply: Bench, group: bytes
) -> None:
    await load(client, group)
    await apply.outgoing()
    bodies = [{**PARTY, "name": str(number)} for number in range(12)]
    await asyncio.gather(*(client.put("/parties/dealer-2", json=body) for body in bodies))
    events = [event for event in await apply.outgoing() if isinstance(event, PartyDefined)]
    assert [event.entry_version for event in events] == list(range(1, 13))


async def test_two_moves_at_once_make_no_circle(client: httpx.AsyncClient, group: bytes) -> None:
    await load(client, group)
    for name in ("a", "b"):
        await client.put(f"/parties/{name}", json=PARTY)
    moves = [("a", "b"), ("b", "a")]
    answers = await asyncio.gather(
        *(client.put(f"/parties/{name}", json={**PARTY, "parent_id": to}) for name, to in moves)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 422]


async def test_entries_are_never_changed(
    client: httpx.AsyncClient, database: Database, group: bytes
) -> None:
    await load(client, group)
    with pytest.raises(Exception, match="never changed"):
        async with database.transaction() as tx:
            await tx.execute("UPDATE entry SET entry_version = 9")
