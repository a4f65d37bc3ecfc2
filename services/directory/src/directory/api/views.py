"""What the API answers."""

from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from directory.api.bodies import PartyRow
from directory.model import Definition, Entry, Kind

C = TypeVar("C", bound=BaseModel)
DECIDED = ("entry_version", "occurred_at")


class View(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True)


class EntryView(View, Generic[C]):
    """One version of an entry and what it says."""

    kind: Kind
    entry_version: int
    recorded_at: datetime
    content: C


class MemberView(EntryView[PartyRow]):
    """A party of a tree; 0 is the one that was asked for, 1 those right below it."""

    depth: int


class TreeView(View):
    """A party and those below it, level by level."""

    parties: list[MemberView]


class LoadedView(View):
    """What a file came to."""

    defined: int = Field(description="new versions")
    unchanged: int = Field(description="rows that say what was true already")
    defined_by_kind: dict[Kind, int]


class RepublishedView(View):
    """How many entries were sent again."""

    entries: int


def content_of(definition: Definition) -> dict[str, Any]:
    """Return what a definition says, without version and time."""
    said: dict[str, Any] = msgspec.to_builtins(definition)
    return {name: value for name, value in said.items() if name not in DECIDED}


def view_of(entry: Entry) -> dict[str, Any]:
    """Return an entry as an EntryView's fields; the route's model validates them."""
    return {
        "kind": entry.key[0],
        "entry_version": entry.definition.entry_version,
        "recorded_at": entry.recorded_at,
        "content": content_of(entry.definition),
    }
