"""Policing: by whose policy a request is judged."""

from __future__ import annotations

from distributor.ledger import BRANCH, policy_commits
from distributor.model.fleet import ALL
from distributor.model.refs import ObjectId
from distributor.policy import PolicyView, Source
from distributor.services.state.desired import policy_root
from distributor.services.state.looking import Snapshot
from distributor.services.world import World


def policy_views(world: World, snapshot: Snapshot, environment: str) -> tuple[PolicyView, ...]:
    """Main's policy, and that of each environment's last accepted verdict.

    While main is rewritten and nobody acknowledged it, main has no say.
    """
    commits = policy_commits(snapshot.ledger, environment)
    accepted = tuple(_view(world, commit, Source.ACCEPTED) for commit in commits)
    alarms = snapshot.ledger.instance(ALL, ALL).tampered
    if snapshot.rewound is not None or any(a.ref.startswith(BRANCH) for a in alarms):
        return accepted
    return (_view(world, snapshot.main, Source.MAIN), *accepted)


def _view(world: World, commit: ObjectId, source: Source) -> PolicyView:
    root = policy_root(world, commit)
    catalog = world.loader.load(root)
    return PolicyView(
        source=source,
        commit=commit,
        policies=world.loader.policies(root),
        environments={n: f.environment for n, f in catalog.environments.items()},
        pipeline=catalog.pipeline,
    )
