"""What was once published is read for ever: every example parses and loses nothing.

An event that was published stays in Kafka, in dead letters and in backups. An example is never
edited; a new field comes with a further example beside it (`1-gift.json`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pytest

from contracts.event import Event
from contracts.orders import CancellationRequested
from contracts.topics import EVENTS

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

GOLDEN = Path(__file__).parents[1] / "golden"
EXAMPLES = sorted(GOLDEN.glob("*/*.json"))


def incompatibility(example: bytes, event_type: type[msgspec.Struct]) -> str | None:
    """Say why a type cannot read an example without loss; None when it can."""
    try:
        event = msgspec.json.decode(example, type=event_type)
    except msgspec.ValidationError as error:
        return f"not readable: {error}"
    encoded = msgspec.json.encode(event)
    if msgspec.json.decode(encoded, type=event_type) != event:
        return "reads its own writing as something else"
    return loss(msgspec.json.decode(example), msgspec.json.decode(encoded), "$")


def loss(published: Json, kept: Json, path: str) -> str | None:
    """Return where something that was published is gone or another; added fields are no loss."""
    match published, kept:
        case dict(), dict():
            pairs = [(f"{path}.{name}", published[name], kept.get(name)) for name in published]
            if gone := [name for name in published if name not in kept]:
                return f"{path}.{gone[0]} is gone"
        case list(), list() if len(published) == len(kept):
            pairs = [
                (f"{path}[{index}]", *pair)
                for index, pair in enumerate(zip(published, kept, strict=True))
            ]
        case _:
            return None if published == kept else f"{path} became {kept!r}"
    return next(filter(None, (loss(old, new, where) for where, old, new in pairs)), None)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_an_example_is_read_for_ever_and_loses_nothing(path: Path) -> None:
    assert incompatibility(path.read_bytes(), EVENTS[path.parent.name]) is None


@pytest.mark.parametrize("name", EVENTS)
def test_every_field_of_the_current_version_is_in_an_example(name: str) -> None:
    event_type = EVENTS[name]
    versions = [*GOLDEN.glob(f"{name}/{event_type.version}*.json")]
    assert versions, f"golden/{name}/{event_type.version}.json is missing"
    shown: set[str] = set()
    for path in versions:
        shown |= msgspec.json.decode(path.read_bytes(), type=dict[str, Any]).keys()
    assert shown == set(event_type.__struct_fields__)


def variant(**changes: tuple[type, Any] | type | None) -> type[msgspec.Struct]:
    """Return `CancellationRequested` with fields taken away (None), added or of another type."""
    fields: dict[str, Any] = {
        field.name: (field.type, ...) for field in msgspec.structs.fields(CancellationRequested)
    }
    fields |= changes
    kept = [(name, *_typed(field)) for name, field in fields.items() if field is not None]
    return msgspec.defstruct("Variant", kept, frozen=True, kw_only=True)


def _typed(field: Any) -> tuple[Any, ...]:
    match field:
        case (kind, default) if default is ...:
            return (kind,)
        case (kind, default):
            return (kind, default)
        case kind:
            return (kind,)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, None),
        ({"channel_note": (str, "")}, None),
        ({"reason": None}, "$.reason is gone"),
        ({"channel_note": str}, "missing required field `channel_note`"),
        ({"reason": int}, "Expected `int`, got `str`"),
        ({"lines": (tuple[str, ...], ...)}, "Expected `str`, got `object`"),
    ],
    ids=["unchanged", "added", "removed", "required", "retyped", "restructured"],
)
def test_a_change_that_breaks_readers_is_found(
    changes: Mapping[str, Any], verdict: str | None
) -> None:
    example = (GOLDEN / "CancellationRequested" / "1.json").read_bytes()
    found = incompatibility(example, variant(**changes))
    assert found == verdict if verdict is None else verdict in (found or "")


def test_a_field_that_is_gone_deep_inside_is_found() -> None:
    published: Json = {"lines": [{"line_id": "1", "quantity_units": 2}]}
    assert (
        loss(published, {"lines": [{"line_id": "1"}]}, "$") == "$.lines[0].quantity_units is gone"
    )
    assert loss(published, {"lines": []}, "$") == "$.lines became []"
    assert loss(published, published, "$") is None


def test_versions_count_from_one() -> None:
    event_types: list[type[Event]] = list(EVENTS.values())
    assert all(event_type.version >= 1 for event_type in event_types)
    for event_type in event_types:
        for version in range(1, event_type.version + 1):
            assert (GOLDEN / event_type.__name__ / f"{version}.json").exists()
