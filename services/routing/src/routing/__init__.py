"""Which node ships what, and the fulfilment orders that come of it."""
