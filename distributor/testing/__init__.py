"""Testing: fakes of the outside world that ship, for tests of this program and of programs around it.

What lives here: in-memory stand-ins that pass the same contract tests as the real adapters. What never
does: patches, mocks, assertions. Called by: tests alone.
"""
