"""Every SQL statement of this service. Each takes a batch and is one round trip."""

from quota.store.accounts import (
    add_accounts,
    find_currencies,
    find_expired,
    find_limits,
    find_room,
    find_top_ups,
    save_limits,
)
from quota.store.book import find_granted, load_book, save
from quota.store.lists import (
    find_hold,
    find_lines,
    find_standing,
    list_entries,
    list_limits,
    list_standings,
    list_waiting,
)

__all__ = [
    "add_accounts",
    "find_currencies",
    "find_expired",
    "find_granted",
    "find_hold",
    "find_limits",
    "find_lines",
    "find_room",
    "find_standing",
    "find_top_ups",
    "list_entries",
    "list_limits",
    "list_standings",
    "list_waiting",
    "load_book",
    "save",
    "save_limits",
]
