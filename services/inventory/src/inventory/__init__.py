"""How much of which goods lies where, and for whom it is reserved."""
