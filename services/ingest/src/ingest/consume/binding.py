"""The service's one consumer, to which the handlers of this room are bound."""

from backbone import Consumer

consumer = Consumer("ingest")
