"""The command line: parses input, calls a service or a pure room, presents the result.

What lives here: commands, their options, tables and progress. What never does: rules, state, protocols.
Imports of anything heavy stand inside the commands, so that ``--help`` answers at once. Called by:
people and scripts.
"""
