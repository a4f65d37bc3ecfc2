"""The rules of reference data, without a database."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts.entries import (
    AgreementDefined,
    EarnedOn,
    GoodsDefined,
    LegalEntityDefined,
    ListingDefined,
    NodeDefined,
    PartyDefined,
    PartyKind,
    ShopDefined,
    SupplyPrice,
)
from contracts.orders import Scenario
from contracts.values import LinePart, Service
from directory import decide
from directory.model import Decision, Definition, Draft, Key, Kind, key_of

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def entity(currency: str = "CNY") -> LegalEntityDefined:
    return LegalEntityDefined(
        occurred_at=NEVER,
        entry_version=0,
        legal_entity_id="le",
        name="乐山贸易有限公司",
        currency=currency,
        timezone="Asia/Shanghai",
    )


def party(party_id: str, kind: PartyKind, parent_id: str | None = None) -> PartyDefined:
    return PartyDefined(
        occurred_at=NEVER,
        entry_version=0,
        party_id=party_id,
        kind=kind,
        name=party_id,
        parent_id=parent_id,
        legal_entity_id="le",
        region_code=None,
    )


def goods(goods_id: str, *parts: str, brand_id: str = "brand") -> GoodsDefined:
    return GoodsDefined(
        occurred_at=NEVER,
        entry_version=0,
        goods_id=goods_id,
        brand_id=brand_id,
        name=goods_id,
        product_line="line",
        weight_g=100,
        list_price_minor=9_900,
        currency="CNY",
        parts=tuple(LinePart(goods_id=part, units_each=1) for part in parts),
    )


def node(owner_id: str = "dealer") -> NodeDefined:
    return NodeDefined(
        occurred_at=NEVER,
        entry_version=0,
        node_id="node",
        name="仓",
        owner_id=owner_id,
        region_code="CN-310109",
        latitude=None,
        longitude=None,
        timezone="Asia/Shanghai",
        services=(Service.SHIP,),
        capacity_parcels_day=10,
        handling_minor=0,
        currency="CNY",
    )


def agreement(*goods_ids: str, year: int = 2026, until: int | None = None) -> AgreementDefined:
    return AgreementDefined(
        occurred_at=NEVER,
        entry_version=0,
        agreement_id="agreement",
        scenario=Scenario.DROP_SHIPPING,
        brand_id="brand",
        seller_id="dealer",
        currency="CNY",
        valid_from=datetime(year, 1, 1, tzinfo=UTC),
        valid_to=None if until is None else datetime(until, 1, 1, tzinfo=UTC),
        supply_prices=tuple(SupplyPrice(goods_id=each, price_minor=7_000) for each in goods_ids),
        platform_id="platform",
        platform_rate_ppm=50_000,
        freight_payee_id="brand",
        freight_bearer_id="brand",
        earned_on=EarnedOn.DELIVERED,
    )


def shop(seller_id: str = "dealer", agreement_id: str = "agreement") -> ShopDefined:
    return ShopDefined(
        occurred_at=NEVER,
        entry_version=0,
        shop_id="shop",
        channel="douyin",
        brand_id="brand",
        seller_id=seller_id,
        agreement_id=agreement_id,
        currency="CNY",
        timezone="Asia/Shanghai",
    )


def listing(goods_id: str) -> ListingDefined:
    return ListingDefined(
        occurred_at=NEVER, entry_version=0, shop_id="shop", channel_sku="sku 1", goods_id=goods_id
    )


GROUP: tuple[Definition, ...] = (
    listing("set"),
    shop(),
    agreement("cup"),
    node(),
    goods("set", "cup", "plate"),
    goods("cup"),
    goods("plate"),
    party("store", PartyKind.STORE, "dealer"),
    party("dealer", PartyKind.DEALER, "branch"),
    party("branch", PartyKind.BRANCH, "brand"),
    party("brand", PartyKind.BRAND),
    party("platform", PartyKind.PLATFORM),
    entity(),
)
World = Mapping[Key, Definition]


def define(current: World, *definitions: Definition) -> Decision:
    drafts = [Draft(key_of(each), each, line) for line, each in enumerate(definitions, start=1)]
    return decide.define(drafts, current, NOW)


def world(*more: Definition) -> dict[Key, Definition]:
    decision = define({}, *GROUP)
    current = {entry.key: entry.definition for entry in decision.entries}
    for definition in more:
        decision = define(current, definition)
        current |= {entry.key: entry.definition for entry in decision.entries}
    return current


def faults(current: World, *definitions: Definition) -> list[tuple[str, str]]:
    decision = define(current, *definitions)
    assert not (decision.faults and decision.entries)
    return [(fault.field, fault.message) for fault in decision.faults]


def test_a_whole_group_in_any_order_comes_out_in_the_order_of_reference() -> None:
    decision = define({}, *GROUP)
    assert not decision.faults
    keys = [entry.key[1] for entry in decision.entries]
    assert keys == [
        *("le", "brand", "platform", "branch", "dealer", "store"),
        *("cup", "plate", "set", "node", "agreement", "shop", "shop/sku 1"),
    ]
    assert {entry.definition.entry_version for entry in decision.entries} == {1}
    assert {event.occurred_at for event in decision.events} == {NOW}


@given(st.permutations(GROUP))
def test_the_order_of_a_file_does_not_matter(shuffled: list[Definition]) -> None:
    decision = define({}, *shuffled)
    assert decision.entries == define({}, *GROUP).entries


def test_equal_content_makes_no_version_and_other_content_the_next() -> None:
    current = world()
    decision = define(current, *GROUP)
    assert not decision.entries
    assert len(decision.unchanged) == len(GROUP)
    renamed = replace(goods("cup"), name="杯")
    (entry,) = define(current, renamed).entries
    assert entry.definition.entry_version == 2


def test_what_is_referred_to_must_exist() -> None:
    current = world()
    assert faults({}, party("brand", PartyKind.BRAND)) == [
        ("legal_entity_id", "there is no legal entity le")
    ]
    assert faults(current, node("nobody")) == [("owner_id", "there is no party nobody")]
    assert faults(current, listing("ghost")) == [("goods_id", "brand brand has no goods ghost")]
    assert faults(current, shop(agreement_id="none")) == [
        ("agreement_id", "there is no agreement none")
    ]
    assert faults(current, agreement("ghost", year=2027)) == [
        ("supply_prices/0/goods_id", "brand brand has no goods ghost")
    ]


@pytest.mark.parametrize(
    ("kind", "parent_id"),
    [
        (PartyKind.STORE, "brand"),
        (PartyKind.STORE, None),
        (PartyKind.BRAND, "branch"),
        (PartyKind.BRANCH, "dealer"),
        (PartyKind.DEALER, "store"),
        (PartyKind.PLATFORM, "dealer"),
    ],
)
def test_a_party_stands_only_where_its_kind_may(kind: PartyKind, parent_id: str | None) -> None:
    ((field, message),) = faults(world(), party("new", kind, parent_id))
    assert field == "parent_id"
    assert message.startswith(f"a {kind} stands under")


def test_the_tree_has_no_circle() -> None:
    current = world(party("below", PartyKind.DEALER, "dealer"))
    found = faults(current, party("dealer", PartyKind.DEALER, "below"))
    assert found == [("parent_id", "the tree has a circle here or is deeper than 16")]
    found = faults(current, party("self", PartyKind.DEALER, "self"))
    assert found == [("parent_id", "the tree has a circle here or is deeper than 16")]


def test_what_others_rely_on_cannot_change() -> None:
    current = world()
    assert faults(current, entity("USD"))[0][0] == "currency"
    assert faults(current, party("store", PartyKind.DEALER, "dealer"))[0][0] == "kind"
    assert faults(current, goods("cup", "plate")) == [
        ("parts", "a single cannot become a bundle, nor a bundle a single")
    ]
    other = world(party("rival", PartyKind.BRAND))
    assert faults(other, goods("cup", brand_id="rival")) == [
        ("brand_id", "cannot change from brand")
    ]


def test_bundles_are_not_nested_and_hold_goods_of_their_brand() -> None:
    current = world(party("rival", PartyKind.BRAND), goods("spoon", brand_id="rival"))
    assert faults(current, goods("box", "set", "spoon")) == [
        ("parts/0", "set is a bundle itself"),
        ("parts/1", "brand brand has no goods spoon"),
    ]


def test_a_shop_follows_an_agreement_of_its_seller() -> None:
    assert faults(world(), shop(seller_id="branch")) == [
        ("seller_id", "agreement agreement is for dealer")
    ]


def test_a_later_version_of_an_agreement_ends_an_open_one() -> None:
    (entry,) = define(world(), agreement("cup", "plate", year=2027)).entries
    assert entry.definition.entry_version == 2
    assert entry.definition.entry_id == "agreement/agreement/2"


def test_versions_of_an_agreement_do_not_overlap() -> None:
    current = world()
    assert faults(current, agreement("plate"))[0][0] == "valid_from"
    assert faults(current, agreement("plate", year=2025))[0][0] == "valid_from"
    closed = define(current, agreement("cup", year=2027, until=2029)).entries[0]
    current[closed.key] = closed.definition
    assert faults(current, agreement("cup", year=2028)) == [
        ("valid_from", "version 2 is in force until 2029-01-01T00:00:00+00:00")
    ]
    assert not faults(current, agreement("cup", year=2029))


def test_an_agreement_keeps_its_parties() -> None:
    changed = replace(agreement("cup", year=2027), seller_id="branch")
    assert faults(world(), changed) == [
        ("seller_id", "cannot change from dealer; make another agreement")
    ]


def test_a_platform_rate_needs_a_platform() -> None:
    alone = replace(agreement("cup", year=2027), platform_id=None)
    assert faults(world(), alone) == [("platform_id", "somebody must take the platform's rate")]


def test_a_key_twice_in_one_load_is_refused_with_both_lines() -> None:
    decision = define(world(), goods("fork"), goods("fork"))
    assert [fault.line for fault in decision.faults] == [1, 2]


def test_references_are_all_that_a_definition_names() -> None:
    assert set(decide.references(goods("set", "cup"))) == {
        (Kind.PARTY, "brand"),
        (Kind.GOODS, "cup"),
    }
    assert (Kind.PARTY, "platform") in set(decide.references(agreement()))
    assert not list(decide.references(entity()))
