"""The commands of the tool, by what they are for."""
