"""Fixtures of the integration tests: real control planes, shared through the session."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.controlplane import Assets, BuildError, ControlPlane, control_plane, find_assets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NODES = 3
WINDOWS_NODES = 1
FIXTURES = {"control_planes", "control_plane_assets"}


class HandOut(Protocol):
    """Gives control planes that answer: `first, second = control_planes(2)`."""

    def __call__(
        self, count: int = 1, *, fresh: bool = False, controllers: bool = True
    ) -> tuple[ControlPlane, ...]: ...


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build before the first test: the first build takes minutes, a test's time limit is less."""
    if not session.config.option.collectonly and any(map(_wants_planes, session.items)):
        # A failure is not lost: the tests that need the programs meet it again, and only they fail.
        with contextlib.suppress(BuildError):
            find_assets()


def _wants_planes(item: pytest.Item) -> bool:
    asks = FIXTURES & set(getattr(item, "fixturenames", ()))
    return bool(asks) or item.get_closest_marker("controlplane") is not None


@pytest.fixture(scope="session")
def control_plane_assets() -> Assets:
    return find_assets()


@pytest.fixture(scope="session")
def _start_planes(
    control_plane_assets: Assets, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., list[ControlPlane]]]:
    """Start many at once; end all of them with the session, whatever the tests did."""
    started: list[ControlPlane] = []

    def start(count: int, *, controllers: bool) -> list[ControlPlane]:
        new = [
            control_plane(
                nodes=NODES if controllers else 0,
                windows_nodes=WINDOWS_NODES if controllers else 0,
                controllers=controllers,
                folder=tmp_path_factory.mktemp("controlplane"),
                assets=control_plane_assets,
            )
            for _ in range(count)
        ]
        started.extend(new)
        with ThreadPoolExecutor(max_workers=max(count, 1)) as pool:
            list(pool.map(ControlPlane.start, new))
        return new

    yield start
    for plane in started:
        plane.stop()


@pytest.fixture(scope="session")
def _shared_planes() -> dict[bool, list[ControlPlane]]:
    """Running planes, by whether they have controllers; grown as tests ask for more."""
    return {True: [], False: []}


@pytest.fixture
def control_planes(
    request: pytest.FixtureRequest,
    control_plane_assets: Assets,
    _start_planes: Callable[..., list[ControlPlane]],
    _shared_planes: dict[bool, list[ControlPlane]],
) -> Iterator[HandOut]:
    """Hand out running control planes, each with 3 Linux nodes and a Windows one.

    They are shared by all tests of the session, so a test works in namespaces of its own
    (`plane.new_namespace()`) and removes what it makes outside them; after an API server that a test
    stopped, the next one begins once the controllers are back. `fresh=True` gives new ones, stopped when the test ends. Where the
    programs given by KUBEBUILDER_ASSETS have no controllers, a test that wants them is skipped.
    """
    own: list[ControlPlane] = []

    def hand_out(
        count: int = 1, *, fresh: bool = False, controllers: bool = True
    ) -> tuple[ControlPlane, ...]:
        if controllers and control_plane_assets.missing_controllers:
            pytest.skip(control_plane_assets.missing_controllers)
        if fresh:
            new = _start_planes(count, controllers=controllers)
            own.extend(new)
            return tuple(new)
        shared = _shared_planes[controllers]
        for plane in shared[:count]:
            plane.settle()
        shared.extend(_start_planes(max(0, count - len(shared)), controllers=controllers))
        return tuple(shared[:count])

    failed_before = request.session.testsfailed
    yield hand_out
    if request.session.testsfailed > failed_before:
        _show_logs([*own, *_shared_planes[True], *_shared_planes[False]])
    for plane in own:
        plane.stop()


def _show_logs(planes: list[ControlPlane]) -> None:
    """Put the logs' last lines into the report of the failed test."""
    for plane in planes:
        print(f"=== control plane {plane.url}\n{plane.log_tail()}")
