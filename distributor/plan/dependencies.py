"""Which object needs which, within one instance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from distributor.errors import Where
from distributor.errors.render import BadManifest
from distributor.model.findings import Finding, Invalid
from distributor.model.manifest import Manifest
from distributor.model.refs import GroupKind, ObjectRef
from distributor.plan.order import DEFINITION, NAMESPACE
from distributor.render.hooks import SYNC_WAVE

DEPENDS_ON = "config.kubernetes.io/depends-on"
PHASE = "distributor.dev/phase"
_ORDERING = tuple(mark.encode() for mark in (DEPENDS_ON, PHASE, SYNC_WAVE))
_CLUSTER_WIDE, _NAMESPACED = 3, 5  # parts of a depends-on reference

Edges = Mapping[ObjectRef, frozenset[ObjectRef]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What the objects say of themselves: implied and asked-for dependencies, and phases."""

    implied: Edges  # the Namespace, the CRD
    asked: Edges  # depends-on, and the package's dependsOn
    phases: Mapping[ObjectRef, int]

    def all(self) -> dict[ObjectRef, frozenset[ObjectRef]]:
        """Both kinds of dependency together."""
        return {ref: self.implied[ref] | self.asked[ref] for ref in self.implied}


def asks_for_order(manifests: Iterable[Manifest]) -> bool:
    """Whether any object may say what it comes after; without reading them."""
    return any(mark in m.body for m in manifests for mark in _ORDERING)


def needs(manifests: Iterable[Manifest], extra: Mapping[str, tuple[str, ...]]) -> Needs:
    """Read the dependencies; ``extra`` is a package's ``delivery.dependsOn``, as written references.

    Raises ``Invalid`` with all references and phases that cannot be read or name nothing.
    """
    bodies = {m.ref: m.data() for m in manifests}
    known = frozenset(bodies)
    findings: list[Finding] = []
    asked: dict[ObjectRef, set[ObjectRef]] = {ref: set() for ref in bodies}
    for ref, body in bodies.items():
        asked[ref] |= _annotated(ref, body, known, findings)
    for dependant, wanted in extra.items():
        _declared(dependant, wanted, asked, findings)
    phases = {ref: _phase(ref, body, findings) for ref, body in bodies.items()}
    if findings:
        raise Invalid(findings)
    definitions = dict(_definitions(bodies))
    return Needs(
        implied={ref: _implied(ref, known, definitions) for ref in bodies},
        asked={ref: frozenset(found) for ref, found in asked.items()},
        phases=phases,
    )


def _implied(
    ref: ObjectRef, known: frozenset[ObjectRef], definitions: Mapping[GroupKind, ObjectRef]
) -> frozenset[ObjectRef]:
    found = set()
    home = ObjectRef(NAMESPACE.group, NAMESPACE.kind, "", ref.namespace)
    if ref.namespace and home in known:
        found.add(home)
    if ref.group_kind in definitions:
        found.add(definitions[ref.group_kind])
    return frozenset(found)


def _definitions(
    bodies: Mapping[ObjectRef, Mapping[str, Any]],
) -> Iterable[tuple[GroupKind, ObjectRef]]:
    for ref, body in bodies.items():
        spec = body.get("spec")
        if ref.group_kind != DEFINITION or not isinstance(spec, Mapping):
            continue
        names = spec.get("names")
        kind = names.get("kind") if isinstance(names, Mapping) else None
        yield GroupKind(str(spec.get("group")), str(kind)), ref


def annotations_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The annotations of an object; empty where there are none."""
    metadata = body.get("metadata")
    found = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _bad(ref: ObjectRef, field: str, message: str, remedy: str) -> Finding:
    where = Where(file=str(ref), field=field)
    return Finding.of(BadManifest, message, where, remedy=remedy)


def _annotated(
    ref: ObjectRef,
    body: Mapping[str, Any],
    known: frozenset[ObjectRef],
    findings: list[Finding],
) -> set[ObjectRef]:
    found: set[ObjectRef] = set()
    written = str(annotations_of(body).get(DEPENDS_ON, ""))
    for part in (p.strip() for p in written.split(",") if p.strip()):
        wanted = _reference(part)
        if wanted is None:
            remedy = "Write group/namespaces/NAMESPACE/Kind/name, or group/Kind/name."
            findings.append(_bad(ref, DEPENDS_ON, f"({part!r} names no object)", remedy))
        elif wanted not in known:
            remedy = "Name an object of the same instance."
            findings.append(_bad(ref, DEPENDS_ON, f"({wanted} is not among the objects)", remedy))
        else:
            found.add(wanted)
    return found


def _reference(written: str) -> ObjectRef | None:
    """A reference in the form of cli-utils: the core group is written as nothing before the slash."""
    parts = written.split("/")
    if len(parts) == _CLUSTER_WIDE and all(parts[1:]):
        return ObjectRef(parts[0], parts[1], "", parts[2])
    if len(parts) == _NAMESPACED and parts[1] == "namespaces" and all(parts[2:]):
        return ObjectRef(parts[0], parts[3], parts[2], parts[4])
    return None


def _declared(
    dependant: str,
    wanted: tuple[str, ...],
    asked: dict[ObjectRef, set[ObjectRef]],
    findings: list[Finding],
) -> None:
    """An entry about an object that this render does not hold (a component left out) asks nothing."""
    refs = []
    for written in (dependant, *wanted):
        try:
            refs.append(ObjectRef.parse(written))
        except ValueError as error:
            findings.append(
                Finding.of(BadManifest, f"({error})", Where(field="delivery.dependsOn"))
            )
            return
    if refs[0] in asked:
        asked[refs[0]] |= {ref for ref in refs[1:] if ref in asked}


def _phase(ref: ObjectRef, body: Mapping[str, Any], findings: list[Finding]) -> int:
    found = annotations_of(body)
    for name in (PHASE, SYNC_WAVE):
        if name in found:
            try:
                return int(str(found[name]))
            except ValueError:
                remedy = "Write a whole number; lower ones come first, 0 is the default."
                findings.append(_bad(ref, name, f"({found[name]!r} is no phase)", remedy))
                return 0
    return 0
