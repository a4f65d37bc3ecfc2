"""The words of this service: orders and parcels, the world they are routed in, nodes' commands."""
