"""The ApplySet that an instance's objects belong to (KEP-3659)."""

from __future__ import annotations

import base64
import hashlib

PART_OF = "applyset.kubernetes.io/part-of"
"""The label on each member; its value is the id of the set."""

PARENT_NAMESPACE = "distributor-system"


def parent_name(instance: str) -> str:
    """The name of the Secret that is the set's parent."""
    return f"dst-{instance}"


def applyset_id(instance: str) -> str:
    """The id of an instance's ApplySet.

    KEP-3659: ``applyset-<base64(sha256(<name>.<namespace>.<kind>.<group>))>-v1`` of the parent, in the
    URL-safe alphabet without padding. The parent is a Secret, whose group is empty.
    """
    identity = f"{parent_name(instance)}.{PARENT_NAMESPACE}.Secret."
    digest = base64.urlsafe_b64encode(hashlib.sha256(identity.encode()).digest())
    return f"applyset-{digest.rstrip(b'=').decode()}-v1"
