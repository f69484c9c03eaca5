"""What ``distributor health`` is told besides objects: a moment, and a package's rules."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from distributor.adapters.cel import CelExpressions
from distributor.adapters.clock import SystemClock
from distributor.catalog.documents import read
from distributor.catalog.packages import health_rules
from distributor.catalog.schema import check
from distributor.errors import Where
from distributor.errors.cluster import ExpressionFailed
from distributor.errors.service import BadSetting, NotFound
from distributor.health import NO_RULES, Rulebook
from distributor.model.findings import Finding, Invalid, errors


def moment_of(text: str) -> datetime:
    """The moment that a text names, in UTC; now for an empty one. Raises ``BadSetting``."""
    if not text:
        return SystemClock().now()
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadSetting(f"(--at {text!r} is no time in ISO 8601)") from error
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def rulebook_at(folder: Path | None) -> Rulebook:
    """The health rules of a package; raises ``NotFound``, and ``Invalid`` for a bad descriptor or rule."""
    if folder is None:
        return NO_RULES
    file = folder / "package.yaml" if folder.is_dir() else folder
    if not file.is_file():
        raise NotFound(where=Where(file=str(file)))
    document = read(file.read_bytes(), str(file))
    if isinstance(document, tuple):
        raise Invalid(document)
    wrong = errors(check(document, "Package"))
    if wrong:
        raise Invalid(wrong)
    rules = health_rules(document.spec.get("delivery", {}).get("health", ()))
    cel = CelExpressions()
    bad = [
        Finding.of(ExpressionFailed, f"{kind}: {problem}", Where(file=str(file)))
        for kind, each in rules.items()
        for rule in each
        if (problem := cel.problem(rule.when))
    ]
    if bad:
        raise Invalid(bad)
    return Rulebook(rules=rules, holds=cel.holds)
