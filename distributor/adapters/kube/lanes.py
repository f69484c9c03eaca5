"""Lanes: one instance's way to an API server, with turns of its own, in its own name or in an account's."""

from __future__ import annotations

from collections.abc import Mapping

from distributor.adapters.kube.messages import Answer, Request
from distributor.adapters.kube.transport import Transport


class Lane:
    """Sends requests that take turns with those of other lanes.

    ``account`` is a service account, as ``namespace/name``: the requests are then made in its name, and
    the API server allows what it allows that account. It adds the account's groups by itself.
    """

    def __init__(self, transport: Transport, *, whose: object, account: str = "") -> None:
        self._transport = transport
        self._whose = whose
        self._headers = _in_the_name_of(account) if account else {}

    async def send(self, request: Request) -> Answer:
        """The answer, whatever its status."""
        return await self._transport.send(request, whose=self._whose, headers=self._headers)


def _in_the_name_of(account: str) -> Mapping[str, str]:
    """Kubernetes, "User impersonation": who may do this is said by the verb ``impersonate``."""
    namespace, _, name = account.partition("/")
    return {"Impersonate-User": f"system:serviceaccount:{namespace}:{name}"}
