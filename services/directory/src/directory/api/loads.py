"""HTTP in: whole files, all rows or none; and everything sent again for a new reader."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header, Query

from backbone import Outcome, Transaction
from directory import store
from directory.api.define import define
from directory.api.files import drafts_of_csv, drafts_of_yaml
from directory.api.outline import FAULTS_MAX, Unreadable
from directory.api.sections import SECTIONS, Section
from directory.api.views import LoadedView, RepublishedView
from directory.model import Draft, Entry, Fault, Kind
from runtime.api import (
    BadRequest,
    FieldProblem,
    Invalid,
    Perform,
    RawBody,
    StrictRoute,
    UnsupportedMediaType,
    responses,
)

router = APIRouter(route_class=StrictRoute, tags=["files"])

YAML_TYPES = frozenset({"application/yaml", "application/x-yaml", "text/yaml"})
CSV_TYPES = frozenset({"text/csv"})
REPUBLISH_ENTRIES_MAX = 500
FILE_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/yaml": {"schema": {"type": "string"}},
            "text/csv": {"schema": {"type": "string"}},
        },
    }
}


@router.post("/load", responses=responses(400, 413, 415, 422), openapi_extra=FILE_BODY)
async def load_file(
    raw: RawBody,
    perform: Perform,
    content_type: Annotated[str, Header(max_length=128)] = "",
    section: Annotated[str | None, Query(max_length=32)] = None,
) -> LoadedView:
    """Define what a YAML file says in its sections, or a CSV file of the named section.

    All rows or none. A refusal lists up to 100 faults, each with its line.
    """
    if not raw:
        raise BadRequest("the body is empty")
    try:
        # In a thread: a large file takes seconds, in which others must be served.
        drafts = await asyncio.to_thread(_drafts, raw, content_type, section)
    except Unreadable as unreadable:
        flaws = [(flaw.line, "", flaw.message) for flaw in unreadable.flaws]
        raise _refusal(flaws) from None

    async def command(tx: Transaction, now: datetime) -> Outcome[LoadedView]:
        decision = await define(tx, drafts, now)
        if decision.faults:
            raise _refusal([_flaw(fault) for fault in decision.faults])
        return Outcome(_loaded(decision.entries, len(decision.unchanged)), decision.events)

    return await perform(command)


@router.post("/republish")
async def republish(perform: Perform) -> RepublishedView:
    """Send every current entry again, of agreements every version, in the order of reference.

    For a new reader, or one whose database was lost. Versions are unchanged, so others pass over
    them. Entries go out in several transactions.
    """
    entries_count = 0
    last: tuple[Kind, str, int] | None = None
    # Page by page, so that no transaction holds the lane for long.
    while True:
        sent = await _republish_after(perform, last)
        entries_count += len(sent)
        if len(sent) < REPUBLISH_ENTRIES_MAX:
            return RepublishedView(entries=entries_count)
        last = (*sent[-1].key, sent[-1].definition.entry_version)


async def _republish_after(perform: Perform, last: tuple[Kind, str, int] | None) -> Sequence[Entry]:
    async def command(tx: Transaction, _: datetime) -> Outcome[Sequence[Entry]]:
        # Without the lock an older version could follow a newer one that is being defined.
        await store.lock_entries(tx)
        entries = await store.list_from(tx, last, REPUBLISH_ENTRIES_MAX)
        return Outcome(entries, [entry.definition for entry in entries])

    return await perform(command)


def _drafts(raw: bytes, content_type: str, section: str | None) -> list[Draft]:
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type in YAML_TYPES:
        return drafts_of_yaml(raw)
    if media_type in CSV_TYPES:
        return drafts_of_csv(raw, _section(section))
    raise UnsupportedMediaType("send application/yaml, or text/csv with ?section=")


def _section(name: str | None) -> Section:
    section = SECTIONS.get(name or "")
    if section is None:
        raise Invalid(f"query section: one of {', '.join(SECTIONS)}")
    return section


def _loaded(entries: Sequence[Entry], unchanged_count: int) -> LoadedView:
    kinds = Counter(entry.key[0] for entry in entries)
    return LoadedView(defined=len(entries), unchanged=unchanged_count, defined_by_kind=dict(kinds))


def _flaw(fault: Fault) -> tuple[int, str, str]:
    return (fault.line or 1, fault.field, f"{fault.key[0]} {fault.key[1]}: {fault.message}")


def _refusal(flaws: Sequence[tuple[int, str, str]]) -> Invalid:
    first = sorted(flaws)[:FAULTS_MAX]
    errors = [
        FieldProblem(location=f"line {line}", field=field and f"/{field}", message=message)
        for line, field, message in first
    ]
    line, field, message = first[0]
    more = f" and {len(flaws) - 1} more" if len(flaws) > 1 else ""
    return Invalid(f"line {line}: {field + ': ' if field else ''}{message}{more}", errors=errors)
