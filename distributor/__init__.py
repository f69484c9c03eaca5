"""Distributor: GitOps app distribution, from a Git tag to every target cluster.

The rooms below are ordered in layers; see ``docs/explanation/architecture.md``. This package holds no
code of its own.
"""
