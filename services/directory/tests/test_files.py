"""YAML and CSV files: what their rows say, and every fault with its line."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.entries import AgreementDefined, GoodsDefined, NodeDefined, PartyDefined
from directory.api.files import drafts_of_csv, drafts_of_yaml
from directory.api.outline import Flaw, Unreadable
from directory.api.sections import SECTIONS
from directory.model import Kind


def flaws(text: str) -> list[Flaw]:
    with pytest.raises(Unreadable) as refused:
        drafts_of_yaml(text.encode())
    return list(refused.value.flaws)


def test_a_group_is_read_with_the_line_of_each_row(group: bytes) -> None:
    drafts = drafts_of_yaml(group)
    assert [draft.key[0] for draft in drafts].count(Kind.PARTY) == 5
    lines = group.decode().splitlines()
    for draft in drafts:
        assert draft.line is not None
        assert lines[draft.line - 1].lstrip().startswith("- ")


def test_texts_stay_as_they_were_written(group: bytes) -> None:
    found = {draft.key: draft.definition for draft in drafts_of_yaml(group)}
    node = found[Kind.NODE, "wh-1"]
    assert isinstance(node, NodeDefined)
    assert node.cut_off == "16:00"
    bundle = found[Kind.GOODS, "set"]
    assert isinstance(bundle, GoodsDefined)
    assert [part.goods_id for part in bundle.parts] == ["cup", "0123"]
    assert (Kind.LISTING, "shop-1/套装/红 01") in found
    agreement = found[Kind.AGREEMENT, "agreement-1"]
    assert isinstance(agreement, AgreementDefined)
    assert [price.goods_id for price in agreement.supply_prices] == ["cup", "set"]
    assert agreement.valid_from.isoformat() == "2025-12-31T16:00:00+00:00"


def test_every_fault_is_named_with_its_line() -> None:
    assert flaws(
        "parties:\n"
        "  - {party_id: a b, kind: brand, name: A}\n"
        "  - party_id: b\n"
        "    kind: king\n"
        "    name: B\n"
        "    colour: red\n"
        "goods: none\n"
        "cars: []\n"
    ) == [
        Flaw(2, "party_id: String should match pattern '^[A-Za-z0-9_.:-]{1,64}$'"),
        Flaw(
            4,
            "kind: Input should be 'brand', 'branch', 'dealer', 'store', 'provider', "
            "'courier' or 'platform'",
        ),
        Flaw(6, "colour: Extra inputs are not permitted"),
        Flaw(7, "goods must be a list"),
        Flaw(8, "there is no section 'cars', but " + ", ".join(SECTIONS)),
    ]


def test_a_fault_deep_inside_has_its_own_line(group: bytes) -> None:
    text = group.decode().replace("units_each: 1}", "units_each: 1.5}")
    (flaw,) = flaws(text)
    assert flaw.line == text[: text.index("1.5")].count("\n") + 1
    assert flaw.message.startswith("parts.1.units_each: ")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("parties: &p []\nshops: *p\n", 1, "anchors and tags are not taken"),
        ("parties: !!python/object:os.system []\n", 1, "anchors and tags are not taken"),
        ("shops: []\nshops: []\n", 2, "'shops' comes twice"),
        ("- a\n", 1, "a document names sections: " + ", ".join(SECTIONS)),
        ("shops:\n  - {a: [b\n", 3, "this is not YAML: "),
        ("[" * 5_000, 1, "nested deeper than 8"),
        ("shops: ['\x00']", 1, "this is not YAML in UTF-8"),
        ("shops:\n  - 5\n", 2, "this is no set of fields"),
    ],
)
def test_what_is_no_such_file_is_refused(text: str, line: int, message: str) -> None:
    first = flaws(text)[0]
    assert first.line == line
    assert first.message.startswith(message)


def test_at_most_a_hundred_faults_are_listed() -> None:
    assert len(flaws("parties:\n" + "  - {party_id: a}\n" * 400)) == 100


def test_nothing_defines_nothing() -> None:
    assert drafts_of_yaml(b"") == []
    assert drafts_of_yaml(b"parties: []\n---\nshops: []\n") == []


def test_csv_says_the_same_as_yaml(group: bytes) -> None:
    wanted = {draft.key: draft.definition for draft in drafts_of_yaml(group)}
    parties = (
        "party_id,kind,name,parent_id,legal_entity_id,region_code\r\n"
        "dealer-1,dealer,明辉,east,,CN-310109\r\n"
    )
    goods = (
        "goods_id,brand_id,name,product_line,weight_g,list_price_minor,currency,parts\n"
        "0123,brand,盘,kitchen,500,12900,CNY,\n"
        "set,brand,套装,kitchen,1300,30000,CNY,cup:2|0123:1\n"
    )
    nodes = (
        "node_id,name,owner_id,region_code,latitude,longitude,timezone,services,"
        "capacity_parcels_day,handling_minor,currency,closed_on\n"
        "wh-1,嘉定仓,brand,CN-310114,31.38,121.25,Asia/Shanghai,ship,500,200,CNY,2026-10-01\n"
    )
    for section, text in (("parties", parties), ("goods", goods), ("nodes", nodes)):
        for draft in drafts_of_csv(b"\xef\xbb\xbf" + text.encode(), SECTIONS[section]):
            assert draft.definition == wanted[draft.key]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("party_id,party_id\n", 1, "the first line must name each column once"),
        ("", 1, "the first line must name each column once"),
        ("party_id,kind,name\na,brand\n", 2, "the row has 2 cells, the header 3"),
        ('party_id,kind,name\na,brand,"A\nB"\nb,king,B\n', 4, "kind: Input should be"),
        ('party_id,kind,name\na,brand,"A"x\n', 2, "this is not CSV: "),
        ("party_id,kind,name,enabled\na,brand,A,yes\n", 2, "enabled: Input should be"),
    ],
)
def test_a_fault_in_csv_has_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(Unreadable) as refused:
        drafts_of_csv(text.encode(), SECTIONS["parties"])
    first = refused.value.flaws[0]
    assert first.line == line
    assert first.message.startswith(message)


def test_a_csv_row_begins_where_its_first_line_is() -> None:
    text = 'party_id,kind,name\na,brand,"A\nB"\nb,brand,B\n'
    drafts = drafts_of_csv(text.encode(), SECTIONS["parties"])
    assert [draft.line for draft in drafts] == [2, 4]
    first = drafts[0].definition
    assert isinstance(first, PartyDefined)
    assert first.name == "A\nB"


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with suppress(Unreadable):
        drafts_of_yaml(content)
    with suppress(Unreadable):
        drafts_of_csv(content, SECTIONS["goods"])
