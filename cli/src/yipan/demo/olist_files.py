"""The Olist files as they are: rows joined by their keys, amounts in cents, times with a zone."""

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import fmean
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("America/Sao_Paulo")
Row = dict[str, str]


class OlistError(ValueError):
    """A file is missing or is not what the data set's description says."""


@dataclass(frozen=True, slots=True)
class Files:
    """The rows that the story is made from, joined by their keys."""

    orders: Sequence[Row]
    items: Mapping[str, Sequence[Row]]
    payments: Mapping[str, Sequence[Row]]
    customers: Mapping[str, Row]
    sellers: Mapping[str, Row]
    products: Mapping[str, Row]
    coordinates: Mapping[str, tuple[float, float]]


def read(folder: Path) -> Files:
    """Read the six files; OlistError names one that cannot be read."""
    return Files(
        orders=_rows(folder, "orders"),
        items=grouped(_rows(folder, "order_items"), "order_id"),
        payments=grouped(_rows(folder, "order_payments"), "order_id"),
        customers={row["customer_id"]: row for row in _rows(folder, "customers")},
        sellers={row["seller_id"]: row for row in _rows(folder, "sellers")},
        products={row["product_id"]: row for row in _rows(folder, "products")},
        coordinates=_coordinates(_rows(folder, "geolocation")),
    )


def _rows(folder: Path, name: str) -> list[Row]:
    path = folder / f"olist_{name}_dataset.csv"
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            return list(csv.DictReader(lines))
    except OSError as error:
        raise OlistError(f"cannot read {path}: {error.strerror}") from error


def grouped(rows: Sequence[Row], key: str) -> dict[str, list[Row]]:
    """Return the rows by one column's value, in the order of the file."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[key]].append(row)
    return groups


def _coordinates(rows: Sequence[Row]) -> dict[str, tuple[float, float]]:
    points: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        at = float(row["geolocation_lat"]), float(row["geolocation_lng"])
        points[row["geolocation_zip_code_prefix"]].append(at)
    return {
        prefix: (round(fmean(at[0] for at in all_at), 4), round(fmean(at[1] for at in all_at), 4))
        for prefix, all_at in points.items()
    }


def minor(decimal: str) -> int:
    """Return an amount such as `21.9` in cents; OlistError when it is not one of two decimals."""
    whole, _, cents = decimal.partition(".")
    if not (whole.isascii() and whole.isdigit() and len(cents) <= 2):
        raise OlistError(f"{decimal!r} is not an amount in reais")
    return int(whole) * 100 + int(cents.ljust(2, "0"))


def moment(local: str) -> datetime:
    """Return a local time of the files with its zone."""
    # 00:00 to 01:00 happens twice when summer time ends; the first one is meant (fold 0).
    return datetime.strptime(local, "%Y-%m-%d %H:%M:%S").replace(tzinfo=ZONE)
