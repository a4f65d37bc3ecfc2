"""The two stories: the same for the same seed, and true to their sources."""

import os
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from yipan.demo import olist, qinghe
from yipan.demo.olist_files import OlistError, minor
from yipan.demo.story import Document, Step, Story

REAL_OLIST = Path(
    os.environ.get("YIPAN_OLIST", Path(__file__).parents[3] / "shared" / "data" / "olist")
)
FILES = {
    "orders": """order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,\
order_delivered_carrier_date,order_delivered_customer_date
o1,c1,delivered,2017-07-09 21:57:05,2017-07-09 22:10:13,2017-07-11 14:58:04,2017-07-26 10:57:55
o2,c1,canceled,2017-07-08 10:00:00,,,
o3,c2,unavailable,2017-07-10 10:00:00,2017-07-10 11:00:00,,
o4,c2,shipped,2017-07-11 10:00:00,2017-07-11 11:00:00,2017-07-12 10:00:00,
""",
    "order_items": """order_id,order_item_id,product_id,seller_id,price,freight_value
o1,1,p1,s1,21.90,11.85
o1,2,p2,s2,99.00,5.00
o2,1,p1,s1,20,1.5
o4,1,p2,s2,99.00,5.00
""",
    "order_payments": """order_id,payment_sequential,payment_value
o1,1,100.00
o1,2,37.75
o2,1,21.50
o3,1,9.99
o4,1,104.01
""",
    "customers": """customer_id,customer_unique_id,customer_zip_code_prefix,customer_state
c1,u1,35182,MG
c2,u2,01012,SP
""",
    "sellers": """seller_id,seller_zip_code_prefix,seller_state
s1,01012,SP
s2,35182,MG
""",
    "products": """product_id,product_category_name,product_weight_g
p1,cool_stuff,300
p2,,
""",
    "geolocation": """geolocation_zip_code_prefix,geolocation_lat,geolocation_lng
01012,-23.50,-46.60
01012,-23.60,-46.70
""",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / f"olist_{name}_dataset.csv").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("written", "cents"), [("21.99", 2199), ("21.9", 2190), ("21", 2100), ("0.05", 5)]
)
def test_amounts_are_read_to_the_cent(written: str, cents: int) -> None:
    assert minor(written) == cents


@pytest.mark.parametrize("written", ["", "1.999", "-1", "1e2", "1_2"])
def test_what_is_no_amount_is_refused_by_name(written: str) -> None:
    with pytest.raises(OlistError, match="not an amount"):
        minor(written)


def test_orders_come_in_the_order_they_were_bought(folder: Path) -> None:
    story = olist.tell(folder)
    assert [order.number for order in story.orders] == ["o2", "o1", "o3", "o4"]


def test_an_order_belongs_to_the_seller_of_its_larger_part(folder: Path) -> None:
    story = olist.tell(folder)
    shops = {order.number: order.body["shop_id"] for order in story.orders}
    assert shops["o1"] == "shop-s2"
    assert shops["o3"] == "shop-olist-brand"


def test_the_buyer_pays_what_the_payments_say(folder: Path) -> None:
    story = olist.tell(folder)
    assert story.payments_minor == {"o1": 13775, "o2": 2150, "o3": 999, "o4": 10401}
    assert {order.number: order.body["total_minor"] for order in story.orders} == (
        story.payments_minor
    )


def test_an_order_that_was_never_approved_is_not_paid(folder: Path) -> None:
    orders = {order.number: order for order in olist.tell(folder).orders}
    assert orders["o2"].body["payments"] == []
    assert orders["o2"].fate.cancel_at is not None


def test_fates_follow_the_files(folder: Path) -> None:
    fates = {order.number: order.fate for order in olist.tell(folder).orders}
    assert fates["o1"].last_step is Step.DELIVERED
    assert fates["o3"].rejections == olist.REJECTED_EVERYWHERE
    assert fates["o4"].last_step is Step.SHIPPED


def test_every_article_sold_has_a_supply_price_and_a_listing(folder: Path) -> None:
    story = olist.tell(folder)
    listed = {
        (listing["shop_id"], listing["channel_sku"]) for listing in story.directory["listings"]
    }
    for order in story.orders:
        for line in order.body["lines"]:
            assert (order.body["shop_id"], line["sku"]) in listed


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(OlistError, match="olist_orders_dataset"):
        olist.tell(tmp_path)


def test_the_real_files_tell_of_every_order() -> None:
    if not REAL_OLIST.is_dir():
        pytest.skip(f"the public Olist files are not in {REAL_OLIST.name} (YIPAN_OLIST names them)")
    story = olist.tell(REAL_OLIST)
    assert len(story.orders) == 5765
    differing = [
        order for order in story.orders if _lines_minor(order.body) != order.body["total_minor"]
    ]
    without_items = [order for order in differing if not order.body["lines"]]
    assert (len(differing), len(without_items)) == (680, 645)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_seed_tells_one_story(seed: int) -> None:
    assert qinghe.tell(50, seed) == qinghe.tell(50, seed)


def test_another_seed_tells_another_story() -> None:
    assert qinghe.tell(50, 1).orders != qinghe.tell(50, 2).orders


@pytest.fixture(scope="module")
def month() -> Story:
    return qinghe.tell()


def test_the_month_runs_through_four_channels(month: Story) -> None:
    channels = Counter(order.body["channel"] for order in month.orders)
    assert set(channels) == {"douyin", "taobao", "jd", "wechat"}
    assert sum(channels.values()) == qinghe.ORDERS_DEFAULT


def test_the_month_is_in_order_of_time(month: Story) -> None:
    assert all(one.placed_at <= two.placed_at for one, two in pairwise(month.orders))


def test_everything_that_can_happen_happens_in_a_month(month: Story) -> None:
    fates = [order.fate for order in month.orders]
    assert any(fate.cancel_at for fate in fates)
    assert any(fate.return_at for fate in fates)
    assert any(fate.rejections for fate in fates)
    assert any(fate.short_pick for fate in fates)


def test_only_spoilt_orders_of_the_month_do_not_add_up(month: Story) -> None:
    spoilt = [
        order for order in month.orders if _lines_minor(order.body) != order.body["total_minor"]
    ]
    assert 0 < len(spoilt) < len(month.orders) // 50


def _lines_minor(body: Document) -> int:
    total_minor: int = body.get("freight_minor", 0)
    for line in body["lines"]:
        total_minor += line["unit_price_minor"] * line["quantity_units"]
        total_minor += line.get("freight_minor", 0) - line["discount_minor"]
    return total_minor
