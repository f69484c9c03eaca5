"""Opening clusters by their mode, and the fake that ships."""

from __future__ import annotations

import pytest

from distributor.adapters.directory import DirectoryConnections
from distributor.errors.cluster import AccountNotUsed, ServerFault, UnknownConnection, Unsupported
from distributor.model.fleet import Cluster, Mode
from distributor.services.targets.connections import OpenByMode
from distributor.testing.targets import MemoryCluster, MemoryConnections, MemoryTarget


def cluster(name: str, mode: Mode) -> Cluster:
    return Cluster(name=name, environment="sit", tier="edge", mode=mode)


class Closing(MemoryConnections):
    """Notes that it was closed, and may fail at it."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__({})
        self.closed = False
        self.error = error

    async def aclose(self) -> None:
        self.closed = True
        if self.error:
            raise self.error


async def test_each_mode_has_its_opener() -> None:
    pushed, written = MemoryCluster(name="a"), MemoryCluster(name="b")
    connections = OpenByMode(
        {
            Mode.PUSH: MemoryConnections({"a": pushed}),
            Mode.DIRECTORY: MemoryConnections({"b": written}, delivered_only=True, ordered=False),
        }
    )
    first = await connections.open(cluster("a", Mode.PUSH))
    second = await connections.open(cluster("b", Mode.DIRECTORY))
    assert isinstance(first, MemoryTarget)
    assert isinstance(second, MemoryTarget)
    assert (first.cluster, second.cluster) == (pushed, written)
    assert (first.delivered_only, first.ordered) == (False, True)
    assert (second.delivered_only, second.ordered) == (True, False)
    with pytest.raises(UnknownConnection):
        await connections.open(cluster("b", Mode.PUSH))


@pytest.mark.parametrize("mode", [Mode.PULL, Mode.BRANCH])
async def test_a_mode_without_opener_is_unsupported(mode: Mode) -> None:
    connections = OpenByMode({Mode.PUSH: MemoryConnections({})})
    with pytest.raises(Unsupported, match=f"{mode}.*push"):
        await connections.open(cluster("a", mode))


async def test_an_account_is_asked_for_where_that_can_be_done_and_refused_elsewhere(
    tmp_path,
) -> None:
    pushed = MemoryConnections({"a": MemoryCluster(name="a")})
    folders = DirectoryConnections(tmp_path)
    connections = OpenByMode({Mode.PUSH: pushed, Mode.DIRECTORY: folders})
    await connections.open(cluster("a", Mode.PUSH), "team-a/deployer")
    assert pushed.accounts == ["team-a/deployer"]
    with pytest.raises(AccountNotUsed, match="team-a/deployer"):
        await connections.open(cluster("a", Mode.DIRECTORY), "team-a/deployer")


async def test_all_openers_are_closed_whatever_one_does() -> None:
    failing, other = Closing(ServerFault("x")), Closing()
    with pytest.raises(ServerFault):
        await OpenByMode({Mode.PUSH: failing, Mode.DIRECTORY: other}).aclose()
    assert failing.closed
    assert other.closed
