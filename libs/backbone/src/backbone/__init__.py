"""Consume once, publish once: cursors, outbox, relay, dead letters."""

from backbone.consumer import Consumer, WaitsFor
from backbone.database import Database
from backbone.failures import Unprocessable
from backbone.hub import Hub, Limits
from backbone.inbox import Inbox
from backbone.outbox import Outbox
from backbone.progress import Progress
from backbone.records import Batch, Outcome, RawRecord, Record
from backbone.schedule import Schedule
from backbone.tables import BACKBONE_DDL
from backbone.trace import current_traceparent
from backbone.transaction import Transaction

__all__ = [
    "BACKBONE_DDL",
    "Batch",
    "Consumer",
    "Database",
    "Hub",
    "Inbox",
    "Limits",
    "Outbox",
    "Outcome",
    "Progress",
    "RawRecord",
    "Record",
    "Schedule",
    "Transaction",
    "Unprocessable",
    "WaitsFor",
    "current_traceparent",
]
