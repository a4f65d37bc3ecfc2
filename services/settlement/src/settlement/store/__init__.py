"""Every SQL statement of this service. Each takes a batch and is one round trip."""
