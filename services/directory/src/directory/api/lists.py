"""HTTP in: what is true, or was as of a time; every kind is read in the same way."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Path, Query

from directory import store
from directory.api.bodies import ChannelSku, ListingRow
from directory.api.sections import SECTIONS, Section
from directory.api.views import EntryView, TreeView, view_of
from directory.model import Entry, Key, Kind
from runtime.api import Invalid, NotFound, Page, Paging, Read, StrictRoute, responses
from runtime.fields import Id, Timestamp
from runtime.paging import CursorKey, cursor

router = APIRouter(route_class=StrictRoute)
AsOf: TypeAlias = Annotated[
    Timestamp | None, Query(description="what had been recorded by then; none: by now")
]
Route: TypeAlias = Callable[..., Awaitable[Any]]
TREE_PARTIES_MAX = 5_000
ITEMS_MAX = {Kind.AGREEMENT: 20}  # a page of them: each may have 2,000 prices


@router.get("/parties/{party_id}/tree", tags=["organisation"], responses=responses(404, 422))
async def get_tree(party_id: Id, read: Read) -> TreeView:
    """Return a party and all below it, level by level; 422 beyond 5,000."""
    async with read() as tx:
        members = await store.list_below(tx, party_id, TREE_PARTIES_MAX + 1)
    if not members:
        raise NotFound(f"there is no party {party_id}")
    if len(members) > TREE_PARTIES_MAX:
        raise Invalid(f"more than {TREE_PARTIES_MAX} parties stand below {party_id}")
    parties = [{**view_of(entry), "depth": depth} for entry, depth in members]
    return TreeView.model_validate({"parties": parties})


@router.get(
    "/shops/{shop_id}/listings",
    response_model=Page[EntryView[ListingRow]],
    tags=["shops"],
    responses=responses(422),
)
async def list_listings(shop_id: Id, read: Read, paging: Paging, as_of: AsOf = None) -> Any:
    """List what a shop's article numbers mean, by number."""
    return await _page((Kind.LISTING, f"{shop_id}/"), read, paging, as_of)


@router.get(
    "/shops/{shop_id}/listings/{channel_sku:path}", tags=["shops"], responses=responses(404, 422)
)
async def get_listing(
    shop_id: Id, channel_sku: Annotated[ChannelSku, Path()], read: Read, as_of: AsOf = None
) -> EntryView[ListingRow]:
    """Return what a shop's article number means."""
    entry = await _find((Kind.LISTING, f"{shop_id}/{channel_sku}"), read, as_of)
    return EntryView[ListingRow].model_validate(view_of(entry))


async def _find(key: Key, read: Read, as_of: AsOf) -> Entry:
    async with read() as tx:
        entry = await store.find_entry(tx, key, as_of)
    if entry is None:
        raise _unknown(key)
    return entry


def _unknown(key: Key) -> NotFound:
    return NotFound(f"there is no {key[0]} {key[1]}")


async def _page(within: Key, read: Read, paging: Paging, as_of: AsOf) -> dict[str, Any]:
    (after,) = paging.key(str) or ("",)
    items_max = min(paging.items_max, ITEMS_MAX.get(within[0], paging.items_max))
    async with read() as tx:
        found = await store.list_entries(
            tx, within, after=str(after), as_of=as_of, items_max=items_max + 1
        )
    return _listed(found, items_max, lambda entry: (entry.key[1],))


def _listed(
    found: Sequence[Entry], items_max: int, place_of: Callable[[Entry], CursorKey]
) -> dict[str, Any]:
    """Return a page's fields when one entry more than `items_max` was looked for."""
    items = found[:items_max]
    has_more = len(found) > items_max
    return {
        "items": [view_of(entry) for entry in items],
        "next": cursor(place_of(items[-1])) if has_more else None,
    }


def _one(section: Section) -> Route:
    async def get_entry(entry_id: Id, read: Read, as_of: AsOf = None) -> Any:
        return view_of(await _find((section.kind, entry_id), read, as_of))

    return get_entry


def _many(section: Section) -> Route:
    async def list_entries(read: Read, paging: Paging, as_of: AsOf = None) -> Any:
        return await _page((section.kind, ""), read, paging, as_of)

    return list_entries


def _versions(section: Section) -> Route:
    async def list_versions(entry_id: Id, read: Read, paging: Paging) -> Any:
        (before,) = paging.key(int) or (None,)
        key = (section.kind, entry_id)
        items_max = min(paging.items_max, ITEMS_MAX.get(section.kind, paging.items_max))
        async with read() as tx:
            found = await store.list_versions(
                tx, key, None if before is None else int(before), items_max + 1
            )
        if not found and before is None:
            raise _unknown(key)
        return _listed(found, items_max, lambda entry: (entry.definition.entry_version,))

    return list_versions


def _add_routes(section: Section) -> None:
    """Give a kind its three addresses; listings lie below their shops instead."""
    model: Any = EntryView[section.row]
    singular = section.kind.replace("-", "_")
    routes: tuple[tuple[str, str, Route, Any, str], ...] = (
        ("", f"list_{section.name}", _many(section), Page[model], "List by id."),
        ("/{entry_id}", f"get_{singular}", _one(section), model, "Return the last version."),
        (
            "/{entry_id}/versions",
            f"list_{singular}_versions",
            _versions(section),
            Page[model],
            "List the versions, the last one first.",
        ),
    )
    for path, name, endpoint, answer, description in routes:
        router.add_api_route(
            section.path + path,
            endpoint,
            name=name,
            response_model=answer,
            description=description,
            responses=responses(404, 422) if path else responses(422),
            tags=[section.tag],
        )


for _section in SECTIONS.values():
    if _section.kind is not Kind.LISTING:
        _add_routes(_section)
