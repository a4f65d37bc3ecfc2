"""Every SQL statement of this service; each takes a batch and is one round trip."""
