"""Identities: digests, Git object ids, and references to Kubernetes objects."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import NewType

Digest = NewType("Digest", str)  # "sha256:" and 64 hex digits
ObjectId = NewType("ObjectId", str)  # a Git object id in hex: 40 digits (SHA-1) or 64 (SHA-256)

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""A label as RFC 1123 has it: the form of every name in the catalog."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_OID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def is_label(text: str) -> bool:
    """Whether ``text`` is an RFC 1123 label."""
    return LABEL.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    """Whether ``text`` is a SHA-256 digest in its written form."""
    return _DIGEST.fullmatch(text) is not None


def is_object_id(text: str) -> bool:
    """Whether ``text`` is a full Git object id."""
    return _OID.fullmatch(text) is not None


def digest_of(*parts: bytes) -> Digest:
    """The SHA-256 of the parts, each preceded by its length so that no two splits agree."""
    hasher = hashlib.sha256()
    for part in parts:
        hasher.update(b"%d:" % len(part))
        hasher.update(part)
    return Digest("sha256:" + hasher.hexdigest())


@dataclass(frozen=True, slots=True, order=True)
class GroupKind:
    """A kind in its API group; the group is empty for the core API."""

    group: str
    kind: str

    def __str__(self) -> str:
        return f"{self.group}/{self.kind}" if self.group else self.kind


@dataclass(frozen=True, slots=True, order=True)
class ObjectRef:
    """One Kubernetes object, whatever its apiVersion; ``namespace`` is empty for cluster-wide ones.

    Written ``group/Kind/namespace/name``, without the group for the core API: ``Service/shop/cart``,
    ``apps/Deployment/shop/cart``, ``Namespace//shop``.
    """

    group: str
    kind: str
    namespace: str
    name: str

    @property
    def group_kind(self) -> GroupKind:
        """Group and kind, without the name."""
        return GroupKind(self.group, self.kind)

    def __str__(self) -> str:
        prefix = f"{self.group}/" if self.group else ""
        return f"{prefix}{self.kind}/{self.namespace}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> ObjectRef:
        """Read the written form back; raises ``ValueError`` for anything else."""
        match text.split("/"):
            case [kind, namespace, name] if kind and name:
                return cls("", kind, namespace, name)
            case [group, kind, namespace, name] if kind and name:
                return cls(group, kind, namespace, name)
        msg = f"{text!r} is not of the form group/Kind/namespace/name"
        raise ValueError(msg)


_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LONGEST_SUBDOMAIN = 253


def is_account(text: str) -> bool:
    """Whether this names a service account: ``namespace/name``, a label and an RFC 1123 subdomain."""
    namespace, _, name = text.partition("/")
    named = len(name) <= _LONGEST_SUBDOMAIN and _SUBDOMAIN.fullmatch(name) is not None
    return is_label(namespace) and named
