"""A pytest plugin: real Kafka and PostgreSQL, a migrated database per test, events in and out."""
