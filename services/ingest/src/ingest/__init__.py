"""Ingest: takes orders of every channel into one pool, once, and keeps the story of each."""
