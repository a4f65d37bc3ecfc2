"""Topic in: what this service reacts to. Each handler reads load, decide, store."""

from ingest.consume import connectors, directory, tracking
from ingest.consume.binding import consumer

__all__ = ["connectors", "consumer", "directory", "tracking"]
