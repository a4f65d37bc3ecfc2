"""What Yipan costs, measured on the whole chain with real servers."""
