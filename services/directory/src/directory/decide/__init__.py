"""The rules of reference data. Pure: what refers to what, what may change, which version it is."""

from directory.decide.define import define
from directory.decide.refer import references
from directory.decide.world import blank

__all__ = ["blank", "define", "references"]
