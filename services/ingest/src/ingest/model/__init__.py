"""The words of this service: orders, the pool, terms, decisions. Data only."""
