"""The field's own tools as oracles: what Distributor's renders are compared with.

Lives here: the Go module that builds Helm and the Python that finds or builds it (`build`), the two
programs as functions of a folder (`programs`), reading their YAML as Kubernetes reads it (`reading`),
and comparing objects without regard to order (`comparing`). Never here: a case, an expectation, or
anything of Distributor's engine, which would prove nothing about itself. Called by
`tests/integration/oracle` and `tests/benchmarks`.
"""

from __future__ import annotations

from tests.oracle.build import OracleError, find_helm
from tests.oracle.comparing import Rendered, difference, rendered_json
from tests.oracle.programs import Verdict, find_kubectl, helm_template, kustomize

__all__ = [
    "OracleError",
    "Rendered",
    "Verdict",
    "difference",
    "find_helm",
    "find_kubectl",
    "helm_template",
    "kustomize",
    "rendered_json",
]
