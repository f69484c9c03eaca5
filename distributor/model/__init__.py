"""Model: the frozen nouns that every room shares.

What lives here: values (refs, digests, packages, clusters, manifests, change sets, verdicts, rollouts) with
their parsing and printing. What never does: decisions, I/O, clocks. Called by: every room above.
"""
