"""The rules of routing. Pure: same input, same output, no I/O, no clock."""
