"""The instances of an environment: explicit Installations, and those that ``install: by-fit`` implies."""

from __future__ import annotations

from collections.abc import Mapping

from distributor.model.catalog import Catalog
from distributor.model.findings import errors
from distributor.model.fleet import Installation


def installations(catalog: Catalog, environment: str) -> Mapping[str, Installation]:
    """All instances of an environment by name, sorted; empty for an environment that does not exist.

    Where the environment says ``install: by-fit``, each app without an Installation there has one
    instance, named like the app. An explicit instance of that name (of another app) wins: a name is
    one thing. An Installation that cannot be read is not replaced by what it would have overridden.
    """
    files = catalog.environments.get(environment)
    if files is None:
        return {}
    found = dict(files.installations)
    if files.environment.install_by_fit:
        installed = {i.app for i in found.values()}
        for app in catalog.apps:
            broken = errors(catalog.findings_under(f"environments/{environment}/apps/{app}.yaml"))
            if app not in installed and app not in found and not broken:
                found[app] = Installation(
                    app=app, instance=app, environment=environment, implicit=True
                )
    return dict(sorted(found.items()))
