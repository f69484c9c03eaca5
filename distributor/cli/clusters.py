"""``distributor cluster``: adding one to an environment, and the list of what there is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from distributor.cli.context import run, settings
from distributor.cli.output import DONE, Form, Output, emit, fail, say, table

if TYPE_CHECKING:
    from distributor.model.catalog import Catalog
    from distributor.model.stored import StoredTarget
    from distributor.services.service import Service
    from distributor.settings import Settings

cluster = typer.Typer(help="Clusters: add one, list them.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.add_typer(cluster, name="cluster")


@cluster.command()
def add(
    name: Annotated[str, typer.Argument(help="Name, such as uat-edge-1.")],
    environment: Annotated[str, typer.Option("--env", help="Environment, such as uat.")],
    tier: Annotated[str, typer.Option("--tier", help="Tier, such as edge.")],
    mode: Annotated[str, typer.Option(help="push, directory or branch.")],
    flavour: Annotated[str, typer.Option(help="Of a directory: k3s, k0s or plain.")] = "k3s",
    connection: Annotated[str, typer.Option(help="Reference; ENV/NAME if empty.")] = "",
    kubernetes: Annotated[str, typer.Option(help="Minor version, such as 1.33.")] = "1.33",
    region: Annotated[str, typer.Option(help="Region.")] = "",
    domain: Annotated[str, typer.Option(help="Domain of its hosts.")] = "",
    kubeconfig: Annotated[
        Path | None, typer.Option(help="Of a push cluster: the kubeconfig to reach it with.")
    ] = None,
    context: Annotated[str, typer.Option(help="Of a push cluster: the context in it.")] = "",
    in_cluster: Annotated[
        bool, typer.Option("--in-cluster", help="Of a push cluster: the service runs in it.")
    ] = False,
    namespace: Annotated[
        list[str] | None,
        typer.Option(help="Of a push cluster: rights in this namespace alone. Repeat it."),
    ] = None,
    account: Annotated[
        list[str] | None,
        typer.Option(help="NAMESPACE/NAME of a service account to deliver as. Repeat it."),
    ] = None,
    output: Output = Form.TABLE,
) -> None:
    """Write the cluster's file; print the setting to add and, for push, the rights it needs there."""
    from distributor.cli.repositories import add_files, cluster_files
    from distributor.errors.service import BadArgument

    if mode not in ("push", "directory", "branch"):
        raise BadArgument(f"(--mode {mode!r}: push, directory or branch)")
    way = _Way(kubeconfig, context, in_cluster, tuple(namespace or ()), tuple(account or ()))
    way.check(mode)
    files = cluster_files(
        name, environment, tier, mode=mode, flavour=flavour, connection=connection,
        kubernetes=kubernetes, region=region, domain=domain,
    )  # fmt: skip
    written = [str(path) for path in add_files(next(iter(files)), files)]
    say(f"wrote {', '.join(written)}")
    reference = connection or f"{environment}/{name}"
    toml, rights = way.described(reference) if mode == "push" else ("", [])
    if output is not Form.TABLE:
        emit({"written": written, "connection": reference, "setting": toml, "rbac": rights}, output)
        return
    _tell(mode, f"{environment}/{name}", reference, toml, rights)


class _Way(NamedTuple):
    """How a push cluster is reached, and what for."""

    kubeconfig: Path | None
    context: str
    in_cluster: bool
    namespaces: tuple[str, ...]
    accounts: tuple[str, ...]

    def check(self, mode: str) -> None:
        """Raise ``BadArgument`` for what cannot be, or makes no sense together."""
        from distributor.errors.service import BadArgument
        from distributor.model.refs import is_account, is_label

        if mode != "push" and any(self):
            names = "--kubeconfig, --context, --in-cluster, --namespace and --account"
            raise BadArgument(f"({names} are for push clusters)")
        if self.in_cluster and (self.kubeconfig or self.context):
            raise BadArgument("(--in-cluster needs no --kubeconfig and no --context)")
        for each in self.namespaces:
            if not is_label(each):
                raise BadArgument(f"(--namespace {each!r} cannot be a namespace)")
        for each in self.accounts:
            if not is_account(each):
                raise BadArgument(f"(--account {each!r} is not NAMESPACE/NAME)")
            if self.namespaces and each.partition("/")[0] not in self.namespaces:
                raise BadArgument(f"(--account {each!r} is in none of the namespaces)")

    def described(self, reference: str) -> tuple[str, list[dict[str, Any]]]:
        """The setting to add, and the rights to give."""
        from distributor.cli.access import access, setting

        names = sorted(set(self.namespaces))
        toml = setting(
            reference, self.kubeconfig, self.context, namespaces=names, in_cluster=self.in_cluster
        )
        return toml, access(namespaces=names, accounts=sorted(set(self.accounts)))


def _tell(mode: str, branch: str, reference: str, toml: str, rights: list[dict[str, Any]]) -> None:
    """What else is to be done, on stderr; the rights, on stdout."""
    from distributor.cli.manifests import as_yaml

    if mode == "push":
        say(f"add to distributor.toml where the service runs:\n\n{toml}")
        say("apply on the cluster: the account that the kubeconfig should use")
        typer.echo(as_yaml(rights), nl=False)
    elif mode == "branch":
        say(
            f"objects will be pushed to the branch rendered/{branch}, unless a connection "
            f"named {reference} says otherwise"
        )
    else:
        say(f"objects will be written below the setting directory_root, in {reference}")


@cluster.command("list")
def list_(
    environment: Annotated[str, typer.Option("--env", help="Only of this environment.")] = "",
    output: Output = Form.TABLE,
) -> None:
    """Every cluster that main declares, what is placed on it, and when it was last seen."""
    raise typer.Exit(run(lambda: _list(settings(), environment, output)))


async def _list(found: Settings, environment: str, output: Form) -> int:
    from distributor.app import open_service
    from distributor.errors.service import NotFound

    async with open_service(found, writing=False) as service:
        catalog = await _main(service)
        seen = await service.world.store.targets(environment)
    if environment and environment not in catalog.environments:
        raise NotFound(
            f"(environment {environment!r}; there are: {', '.join(catalog.environments)})"
        )
    rows = _rows(catalog, environment, seen)
    if output is not Form.TABLE:
        emit(rows, output)
        return DONE
    names = ("environment", "cluster", "tier", "mode", "flavour", "kubernetes", "region")
    cells = [
        (*(r[n] for n in names), ", ".join(r["instances"]), _reach(r), r["observed"][:19] or "-")
        for r in rows
    ]
    table((*names, "instances", "reachable", "observed"), cells)
    return DONE


async def _main(service: Service) -> Catalog:
    """The catalog of main; what was fetched last where the remote does not answer. No ledger needed."""
    from distributor.errors.git import MainMissing, RemoteUnreachable

    world = service.world
    try:
        await world.remote.fetch()
    except RemoteUnreachable as error:
        fail(error)
        say("  this is what was fetched last")
    main = world.objects.resolve(world.main_ref)
    if main is None:
        raise MainMissing(f"({world.main})")
    return world.loader.load(world.objects.tree_of(main))


def _rows(
    catalog: Catalog, environment: str, seen: tuple[StoredTarget, ...]
) -> list[dict[str, Any]]:
    order = catalog.pipeline.names if catalog.pipeline else ()
    names = sorted(
        catalog.environments, key=lambda n: (n not in order, n not in order or order.index(n), n)
    )
    rows: list[dict[str, Any]] = []
    for name in names:
        if environment not in ("", name):
            continue
        placed = _placed(catalog, name)
        for each in catalog.environments[name].clusters.values():
            mine = [t for t in seen if (t.environment, t.cluster) == (name, each.name)]
            rows.append(
                {
                    "environment": name,
                    "cluster": each.name,
                    "tier": each.tier,
                    "mode": each.mode.value,
                    "flavour": each.flavour.value if each.mode.value == "directory" else "",
                    "kubernetes": each.kubernetes,
                    "region": each.region,
                    "instances": placed.get(each.name, []),
                    "reachable": all(t.actuation != "unreachable" for t in mine) if mine else None,
                    "observed": min((t.observed_at for t in mine if t.observed_at), default=""),
                }
            )
    return rows


def _placed(catalog: Catalog, environment: str) -> dict[str, list[str]]:
    """The instances that some version of their app places on each cluster."""
    from distributor.placement import installations, place

    files = catalog.environments[environment]
    found: dict[str, set[str]] = {}
    for instance, installation in installations(catalog, environment).items():
        for package in catalog.packages.get(installation.app, {}).values():
            for target in place(package, installation, files).targets:
                found.setdefault(target.name, set()).add(instance)
    return {name: sorted(instances) for name, instances in found.items()}


def _reach(row: dict[str, Any]) -> str:
    return {True: "yes", False: "no", None: "-"}[row["reachable"]]
