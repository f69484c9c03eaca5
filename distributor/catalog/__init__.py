"""Catalog: bytes of a Git tree -> apps, packages, environments, clusters, policies; and the tag grammar.

What lives here: reading descriptors with all findings at once, digests of packages and configuration, tag
names, tag objects and trailers, scaffolds of new files. What never does: Git itself (a ``TreeReader`` is
handed in), placement, rendering, decisions, clocks. The JSON Schemas in ``schemas/`` are part of it.
Called by: services, checks and the command line.
"""
