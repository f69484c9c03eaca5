"""``distributor render``: a package for a cluster, any kustomization, chart or folder, or every cell."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distributor.cli.context import loaded, run
from distributor.cli.output import DONE, Form, emit, say, table

if TYPE_CHECKING:
    from distributor.cli.asked import Asked
    from distributor.model.rendering import ChartOptions, RenderJob
    from distributor.render import Origin
    from distributor.settings import Settings

_KUBERNETES = re.compile(r"v?[0-9]{1,3}\.[0-9]{1,3}(\.[0-9]{1,3}([-+][0-9A-Za-z.+-]{1,64})?)?")

Progress = Annotated[
    bool | None,
    typer.Option(
        "--progress/--no-progress", help="Tell how far --all is; by default at a terminal."
    ),
]
RenderOutput = Annotated[
    Form | None,
    typer.Option(
        "-o",
        "--output",
        help="How to print; objects as yaml, what --all and --explain tell as a table.",
    ),
]


def render(
    path: Annotated[
        Path,
        typer.Argument(
            help="A package, kustomization, chart, folder or file of manifests; with --all, "
            "the folder to write."
        ),
    ] = Path(),
    environment: Annotated[str, typer.Option("--env", help="Environment of a package.")] = "",
    tier: Annotated[str, typer.Option("--tier", help="Tier of a package's cluster.")] = "",
    cluster: Annotated[str, typer.Option("--cluster", help="Cluster of a package.")] = "",
    sets: Annotated[
        list[str] | None, typer.Option("--set", help="A value, such as a.b=1; may be repeated.")
    ] = None,
    values: Annotated[
        list[Path] | None, typer.Option("--values", "-f", help="File of values; repeatable.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Instance, or a chart's release.")] = "",
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Namespace.")] = "",
    kubernetes: Annotated[
        str, typer.Option("--kube-version", help="Kubernetes version, such as 1.33.")
    ] = "",
    explain: Annotated[
        str, typer.Option(help="Kind/namespace/name:field.path: say which layer set this field.")
    ] = "",
    every: Annotated[
        bool, typer.Option("--all", help="Write every cell into a new folder.")
    ] = False,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Engine workers for --all.")] = 2,
    progress: Progress = None,
    output: RenderOutput = None,
) -> None:
    """Print the objects of a package, kustomization, chart or folder, in apply order."""
    _check_kubernetes(kubernetes)
    from distributor.cli.asked import Asked

    asked = Asked(
        path=path, environment=environment, tier=tier, cluster=cluster, name=name,
        namespace=namespace, kubernetes=kubernetes, sets=tuple(sets or ()),
        files=tuple(values or ()), explain=explain, progress=progress,
    )  # fmt: skip
    found = loaded().settings
    if every:
        from distributor.cli.render_all import render_all

        raise typer.Exit(run(lambda: render_all(found, asked, jobs, output or Form.TABLE)))
    form = output or (Form.TABLE if explain else Form.YAML)
    raise typer.Exit(run(lambda: _one(found, asked, form)))


def _check_kubernetes(version: str) -> None:
    """Refuse what is no version, whatever would have been done with it."""
    from distributor.errors.service import BadArgument

    if version and not _KUBERNETES.fullmatch(version):
        raise BadArgument(
            f"(--kube-version {version!r} is no version of Kubernetes)",
            remedy="Give it as 1.33, or with a patch as v1.33.2.",
        )


async def _one(settings: Settings, asked: Asked, output: Form) -> int:
    from distributor.cli.manifests import in_order, show
    from distributor.errors import Where
    from distributor.errors.service import BadArgument, NotFound

    if not asked.path.exists():
        raise NotFound(where=Where(file=str(asked.path)))
    if is_package(asked.path):
        return await _package(settings, asked, output)
    if asked.environment or asked.tier or asked.cluster or asked.explain:
        options = "--env, --tier, --cluster and --explain"
        raise BadArgument(f"({options} are for packages; {asked.path} is none)")
    show(in_order(await objects_at(settings, asked)), output)
    return DONE


def is_package(path: Path) -> bool:
    """Whether a folder is one of a package: it lies where packages do, or has a descriptor of ours.

    What lies there is judged as a package however broken it is, so that its findings are told.
    """
    from distributor.adapters.workspace import read_bytes

    if path.is_dir() and place_of_packages(path):
        return True
    file = path / "package.yaml"
    return file.is_file() and b"distributor.dev/" in read_bytes(file)


async def _package(settings: Settings, asked: Asked, output: Form) -> int:
    from distributor.cli.choosing import choose
    from distributor.cli.given import with_values
    from distributor.cli.local import LocalRenderer, engine, open_catalog, package_at
    from distributor.cli.manifests import in_order, show

    local = open_catalog(_root_of(asked.path))
    choice = choose(local, package_at(local, asked.path), asked.wanted())
    choice = with_values(choice, asked.given())
    for note in choice.notes:
        say(f"note: {note}")
    async with engine(settings) as pool:
        renderer = LocalRenderer(local, pool)
        if asked.explain:
            ref, field = _field(asked.explain)
            origin = await renderer.explain(choice, ref, field)
            _show_origin(origin, output)
            return DONE
        manifests = await renderer.bound(choice)
    show(in_order(m.data() for m in manifests), output)
    return DONE


def place_of_packages(folder: Path) -> bool:
    """Whether a folder is ``catalog/<app>/<version>`` in a catalog repository."""
    root = _repository_above(folder)
    return root is not None and (root / "environments").is_dir()


def _repository_above(folder: Path) -> Path | None:
    """The folder in which a folder is ``catalog/<app>/<version>``; ``None`` where it is not that."""
    match list(folder.resolve().parents):
        case [_, catalog, root, *_] if catalog.name == "catalog":
            return root
    return None


def _root_of(package: Path) -> Path:
    """The repository of a package's folder, which is ``catalog/<app>/<version>`` in it."""
    from distributor.errors import Where
    from distributor.errors.catalog import NotACatalog

    root = _repository_above(package)
    if root is None:
        raise NotACatalog("(a package lies in catalog/APP/VERSION)", where=Where(file=str(package)))
    return root


def _field(text: str) -> tuple[Any, str]:
    from distributor.errors.service import BadArgument
    from distributor.model.refs import ObjectRef

    ref, _, field = text.partition(":")
    wrong = BadArgument(f"({text!r} is not Kind/namespace/name:field.path)")
    if not field:
        raise wrong
    try:
        return ObjectRef.parse(ref), field
    except ValueError as error:
        raise wrong from error


def _show_origin(origin: Origin, output: Form) -> None:
    """A row for each hand that touched the field, the last one first."""
    if output is not Form.TABLE:
        emit(origin, output)
        return
    rows: list[tuple[str, ...]] = []
    below: Origin | None = origin
    while below is not None:
        pairs = zip(below.files, below.places, strict=True)
        files = "\n".join(f"{file}: {place}" if place else file for file, place in pairs)
        rows.append((below.layer, files, str(below.value)))
        below = below.under
    table(("layer", "file", "value"), rows)


async def objects_at(settings: Settings, asked: Asked) -> list[dict[str, Any]]:
    """The objects that a kustomization, a chart, a folder or a file gives."""
    import orjson

    from distributor.cli.local import engine
    from distributor.errors import DistributorError
    from distributor.errors.render import NoKustomization
    from distributor.render import renamed

    wanted, folders = _job(asked)
    async with engine(settings) as pool:
        try:
            return [orjson.loads(raw) for raw in await pool.render(wanted)]
        except DistributorError as error:
            if isinstance(error, NoKustomization):  # the class speaks of packages
                error.hint = "Name a folder with a kustomization, a chart or manifests in it."
            raise renamed(error, wanted, folders) from error


def _job(asked: Asked) -> tuple[RenderJob, dict[str, str]]:
    """What is asked of the engine, and what its folders (or its file) are called by whoever asks."""
    from distributor.adapters.workspace import (
        KUSTOMIZATIONS,
        Content,
        read_bytes,
        read_folder,
        read_kustomization,
    )
    from distributor.errors.service import BadArgument
    from distributor.model.package import Renderer
    from distributor.model.rendering import RenderJob

    path = asked.path
    if (path / "Chart.yaml").is_file():
        content = read_folder(path)
        job = RenderJob(
            renderer=Renderer.HELM, files=content.files, path=content.path, chart=_chart(asked)
        )
        return job, {content.path: str(path)}
    if asked.sets or asked.files or asked.name or asked.namespace or asked.kubernetes:
        raise BadArgument(
            f"(values, names and versions are for packages and charts; {path} is none)"
        )
    if any((path / name).is_file() for name in KUSTOMIZATIONS):
        content = read_kustomization(path)
        job = RenderJob(renderer=Renderer.KUSTOMIZE, files=content.files, path=content.path)
        return job, {"content": os.path.relpath(content.top), content.path: str(path)}
    if path.is_dir():
        content = read_folder(path)
        names = {content.path: str(path)}
    else:
        known = path.suffix in (".yaml", ".yml", ".json")
        file = f"content/{path.name if known else path.name + '.yaml'}"
        content = Content(files={file: read_bytes(path)}, path="content", top=path.parent)
        names = {file: str(path)}
    return RenderJob(renderer=Renderer.RAW, files=content.files, path=content.path), names


def _chart(asked: Asked) -> ChartOptions:
    from distributor.model.manifest import canonical
    from distributor.model.rendering import ChartOptions

    return ChartOptions(
        release_name=asked.name or "release-name",  # what `helm template` calls it
        namespace=asked.namespace or "default",
        kube_version=asked.kubernetes,
        values=canonical(asked.values()),
        is_upgrade=False,
    )
