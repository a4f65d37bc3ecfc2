"""Who and what exists: parties, goods, nodes, shops, agreements."""
