"""One module per channel, each with an `adapter`; a new one is found by being here."""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from ingest.gateway.notice import Adapter


def find_adapters() -> Mapping[str, Adapter]:
    """Return the adapter of every channel, by its name. TypeError for a module without one."""
    adapters: dict[str, Adapter] = {}
    for module in iter_modules(__path__):
        found = getattr(import_module(f"{__name__}.{module.name}"), "adapter", None)
        if not isinstance(found, Adapter):
            raise TypeError(f"channel module {module.name} has no adapter")
        adapters[found.channel] = found
    return adapters
