"""The demo: a story of orders, played against the running services and summed up."""
