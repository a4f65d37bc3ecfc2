"""Strangers' bytes: our own canonical JSON, the channels' webhooks, the shops' secrets."""
