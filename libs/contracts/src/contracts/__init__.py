"""The published language: every event and every topic once, without I/O."""
