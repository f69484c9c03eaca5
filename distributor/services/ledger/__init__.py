"""The ledger as services use it: read and checked, appended to, claimed, and what it still lacks.

What lives here: all that reads or writes the ledger branch. What never does: what a verdict means.
Called by: every other part of the services.
"""
