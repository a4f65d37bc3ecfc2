"""Brings a story's world into the services: reference data, limits, opening stock."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from yipan.demo.story import Document, Story
from yipan.http import Services

BULK_ROWS = 2_000
LOAD_ROWS = 500
"""How many directory entries go into one load, in the order in which they refer to each other."""

SECTIONS = ("legal_entities", "parties", "goods", "nodes", "agreements", "shops", "listings")


def build(services: Services, story: Story) -> None:
    """Load everything; repeating it changes nothing."""
    for document in _documents(story.directory):
        # JSON is YAML too.
        content = msgspec.json.encode(document)
        services.send("directory", "/load", content, "application/yaml")
    _limits(services, story)
    for number, rows in enumerate(_chunks(_receipt_lines(story), BULK_ROWS)):
        body = {"receipt_id": f"{story.name}-{number}", "lines": rows}
        services.post("inventory", "/receipts/bulk", body)


def _documents(directory: Mapping[str, Sequence[Document]]) -> Iterator[Document]:
    for section in SECTIONS:
        for rows in _chunks(directory[section], LOAD_ROWS):
            yield {section: rows}


def _limits(services: Services, story: Story) -> None:
    accounts = [
        {
            "account_id": account.account_id,
            "party_id": account.party_id,
            "currency": account.currency,
            "wait_hours": 24 * 30,
        }
        for account in story.accounts
    ]
    limits = [
        {
            "account_id": account.account_id,
            "limit_id": story.name,
            "amount_minor": account.limit_minor,
        }
        for account in story.accounts
    ]
    for rows in _chunks(accounts, BULK_ROWS):
        services.put("quota", "/accounts", {"accounts": rows})
    for rows in _chunks(limits, BULK_ROWS):
        services.post("quota", "/limits", {"limits": rows})


def _receipt_lines(story: Story) -> list[Document]:
    return [
        {
            "node_id": receipt.node_id,
            "goods_id": receipt.goods_id,
            "quantity_units": receipt.quantity_units,
        }
        for receipt in story.receipts
    ]


def _chunks(rows: Sequence[Document], rows_max: int) -> Iterator[list[Document]]:
    for start in range(0, len(rows), rows_max):
        yield list(rows[start : start + rows_max])
