"""The command-line tool: up, down, demo, order, verify, topics, dead letters."""
