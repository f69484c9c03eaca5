"""A small catalog repository that loads without findings, and ways to break it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from hypothesis import settings

from distributor.catalog.loading import Loader
from distributor.model.catalog import Catalog
from distributor.testing.trees import MemoryTrees

settings.register_profile("unhurried", settings(), deadline=None)  # machines are shared
settings.load_profile("unhurried")

HEAD = "apiVersion: distributor.dev/v1alpha1\n"
FILES = {
    "catalog/shop/app.yaml": HEAD
    + "kind: App\nmetadata:\n  name: shop\nspec:\n  summary: A shop.\n  owner: team-shop\n",
    "catalog/shop/1.4.2/package.yaml": HEAD
    + """kind: Package
metadata:
  name: shop
spec:
  version: 1.4.2
  renderer: kustomize
  path: base
  namespace:
    name: shop
  fits:
    kubernetes: ">=1.29 <1.40"
    tiers: [central, edge]
    requires:
      - {app: shop, range: ">=1.0.0"}
  values:
    schema: values.schema.json
    defaults:
      replicas: 2
    bind:
      - {name: replicas, type: integer}
  delivery:
    timeout: 5m
    prune: {PersistentVolumeClaim: keep, apps/StatefulSet: confirm}
    dependsOn:
      - {object: apps/Deployment/shop/cart, on: [Service/shop/redis]}
      - {object: apps/Deployment/shop/cart, on: [Service/shop/queue]}
    hooks:
      - {object: batch/Job/shop/migrate, when: before-apply, timeout: 1m30s}
      - {object: batch/Job/shop/warm, when: after-apply}
""",
    "catalog/shop/1.4.2/values.schema.json": '{"type": "object", "additionalProperties": false,'
    ' "required": ["host"], "properties": {"replicas": {"type": "integer"}, "host": {}}}',
    "catalog/shop/1.4.2/base/kustomization.yaml": "resources: [cart.yaml]\n",
    "catalog/shop/1.4.2/base/cart.yaml": "kind: ConfigMap\n",
    "catalog/shop/1.4.2/env/uat/kustomization.yaml": "kind: Component\n",
    "catalog/shop/1.4.2/tier/edge/kustomization.yaml": "kind: Component\n",
    "environments/pipeline.yaml": HEAD
    + """kind: Pipeline
metadata:
  name: pipeline
spec:
  environments:
    - name: sit
    - {name: uat, after: [sit]}
""",
    "environments/sit/environment.yaml": HEAD
    + """kind: Environment
metadata:
  name: sit
spec:
  install: by-fit
  signatures: optional
  rollout:
    waves:
      - {name: canary, selector: {tiers: [edge]}, percent: 20}
    maxUnavailable: 10%
    minReady: 1m30s
  verify:
    accept: [delivered]
""",
    "environments/sit/clusters/one.yaml": HEAD
    + """kind: Cluster
metadata:
  name: one
spec:
  tier: edge
  kubernetes: "1.33"
  capabilities: [ingress]
  apis:
    - {group: networking.istio.io, version: v1, kind: Gateway}
  taints:
    - {key: site, effect: NoSelect}
  nodes:
    - {role: worker, count: 3, os: windows}
  delivery:
    mode: directory
    flavour: k3s
    connection: sit/one
""",
    "environments/uat/environment.yaml": HEAD
    + """kind: Environment
metadata:
  name: uat
spec:
  defaults:
    values:
      shop:
        replicas: 3
  standbyFor: sit
  mode: with
""",
    "environments/uat/apps/shop.yaml": HEAD
    + """kind: Installation
metadata:
  name: shop
spec:
  app: shop
  placement:
    selector: {tiers: [edge], matchLabels: {line: a}}
    count: 2
    tolerations: [{key: site}]
  values:
    replicas: 5
  pin:
    version: 1.4.2
""",
    "environments/uat/overlay/kustomization.yaml": "kind: Component\n",
    "environments/tiers/edge/tier.yaml": HEAD
    + "kind: Tier\nmetadata:\n  name: edge\nspec:\n  displayName: Edge\n",
    "environments/tiers/edge/kustomization.yaml": "kind: Component\n",
    "environments/tiers/central/tier.yaml": HEAD
    + "kind: Tier\nmetadata:\n  name: central\nspec:\n  displayName: Central\n",
    "policies/roles.yaml": HEAD
    + """kind: Roles
metadata:
  name: roles
spec:
  roles:
    - name: anyone
      principals: [anonymous]
      may: [promote]
      environments: [sit]
""",
    "policies/gates/order.yaml": HEAD
    + """kind: Gate
metadata:
  name: order
spec:
  gate: predecessors
  environments: ["*"]
  params: {require: any}
""",
    "policies/signers/allowed_signers": "# nobody yet\n",
}


@pytest.fixture
def files() -> dict[str, bytes]:
    """The files of the small repository, to be changed at will."""
    return {path: text.encode() for path, text in FILES.items()}


@pytest.fixture
def load() -> Callable[..., Catalog]:
    """Loads a catalog from files."""

    def load(files: Mapping[str, bytes], **options: Mapping[str, int]) -> Catalog:
        trees = MemoryTrees()
        return Loader(trees).load(trees.add(files, **options))

    return load
