"""Faults of the domain, put into copies of the code one at a time: `make test` must notice each of them.

`python -m tests.mutants` runs them all, `python -m tests.mutants NAME...` those whose names contain a NAME. The faults
are data (`tests/mutants/faults`); docs/log.md has the last scores.
"""
