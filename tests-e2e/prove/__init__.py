"""Proofs of the promises in docs/guarantees.md: faults, independent checkers, mutants."""
