"""Consume once, publish once: cursors, outbox, relay, dead letters."""
