"""Wrongs: why a commit's catalog does not hold what is asked for, from the findings about its files."""

from __future__ import annotations

from distributor.model.catalog import Catalog
from distributor.model.findings import Finding, errors

_MOST_FINDINGS = 20
"""As many as one verdict records of what is wrong with a version's files."""


def wrong(catalog: Catalog, *paths: str) -> tuple[Finding, ...]:
    """The first errors of some files and folders: why the catalog holds nothing of them."""
    found = (f for path in paths for f in errors(catalog.findings_under(path)))
    return tuple(found)[:_MOST_FINDINGS]
