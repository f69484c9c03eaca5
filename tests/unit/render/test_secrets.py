"""Which clusters take Secrets with values."""

from __future__ import annotations

import pytest

from distributor.errors.cluster import PlaintextSecret
from distributor.errors.secrets import SecretNotExternal
from distributor.model.fleet import Mode
from distributor.render import require_taken


@pytest.mark.parametrize(
    ("mode", "allowed", "expected"),
    [
        (Mode.PUSH, False, None),
        (Mode.PULL, False, None),
        (Mode.DIRECTORY, True, None),
        (Mode.DIRECTORY, False, PlaintextSecret),
        (Mode.BRANCH, False, SecretNotExternal),
        (Mode.BRANCH, True, SecretNotExternal),
    ],
)
def test_who_takes_values(make, mode, allowed, expected):
    cluster = make.cluster(mode=mode, plaintext_secrets=allowed)
    reference = make.manifest("Secret", "empty", data={})
    page = make.manifest("ConfigMap", "page", data={"a": "b"})
    require_taken(cluster, [reference, page])
    held = [
        make.manifest("Secret", "one", data={"a": "YQ=="}),
        page,
        make.manifest("Secret", "two", stringData={"a": "b"}),
    ]
    if expected is None:
        require_taken(cluster, held)
    else:
        with pytest.raises(expected, match=r"\(Secret/shop/one, Secret/shop/two"):
            require_taken(cluster, held)
