"""The rules of this service. Pure: same input, same output, no I/O, no clock."""
