"""Benchmarks: what the program costs, measured on the real thing and written as JSON.

Lives here: generators of large input, the measurements, the record they write (`results`) and the
table that compares two folders of records (`python -m tests.benchmarks.report`). Never here: a test
that decides whether the program is right; a missed aim is reported with its cause and fails nothing.
Called by `make bench`; tests/unit/benchmarks runs every generator at a tiny size.
"""
