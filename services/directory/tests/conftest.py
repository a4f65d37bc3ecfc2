"""A small group for the tests of this service, as a file says it."""

import pytest

GROUP = """\
legal_entities:
  - {legal_entity_id: le-sh, name: 上海乐山商贸有限公司, currency: CNY, timezone: Asia/Shanghai}
parties:
  - {party_id: brand, kind: brand, name: 乐山, legal_entity_id: le-sh}
  - {party_id: east, kind: branch, name: 华东, parent_id: brand, legal_entity_id: le-sh}
  - {party_id: dealer-1, kind: dealer, name: 明辉, parent_id: east, region_code: CN-310109}
  - {party_id: store-1, kind: store, name: 明辉虹口店, parent_id: dealer-1}
  - {party_id: douyin, kind: platform, name: 抖音}
goods:
  - {goods_id: cup, brand_id: brand, name: 杯, product_line: kitchen, weight_g: 300,
     list_price_minor: 9900, currency: CNY}
  - {goods_id: "0123", brand_id: brand, name: 盘, product_line: kitchen, weight_g: 500,
     list_price_minor: 12900, currency: CNY}
  - goods_id: set
    brand_id: brand
    name: 套装
    product_line: kitchen
    weight_g: 1300
    list_price_minor: 30000
    currency: CNY
    parts:
      - {goods_id: cup, units_each: 2}
      - {goods_id: 0123, units_each: 1}
nodes:
  - {node_id: wh-1, name: 嘉定仓, owner_id: brand, region_code: CN-310114, latitude: 31.38,
     longitude: 121.25, timezone: Asia/Shanghai, services: [ship], capacity_parcels_day: 500,
     handling_minor: 200, currency: CNY, closed_on: [2026-10-01], cut_off: 16:00}
agreements:
  - agreement_id: agreement-1
    scenario: drop_shipping
    brand_id: brand
    seller_id: dealer-1
    currency: CNY
    valid_from: 2026-01-01T00:00:00+08:00
    supply_prices:
      - {goods_id: set, price_minor: 21000}
      - {goods_id: cup, price_minor: 7000}
    platform_id: douyin
    platform_rate_ppm: 50000
    freight_payee_id: brand
    freight_bearer_id: brand
    earned_on: delivered
    limit_account_id: dealer-1
shops:
  - {shop_id: shop-1, channel: douyin, brand_id: brand, seller_id: dealer-1,
     agreement_id: agreement-1, currency: CNY, timezone: Asia/Shanghai}
listings:
  - {shop_id: shop-1, channel_sku: 套装/红 01, goods_id: set}
"""


@pytest.fixture
def group() -> bytes:
    """A brand with a branch, a dealer, its store and shop, a platform, a warehouse and goods."""
    return GROUP.encode()
