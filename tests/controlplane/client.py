"""A plain HTTPS client for one API server: enough to wait for it and to set it up."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Requests in the name of the holder of `token`, checked against the authority in `ca`."""

    url: str
    ca: Path
    token: str

    def get(self, path: str) -> dict[str, Any]:
        return self.send("GET", path)

    def send(
        self, method: str, path: str, body: object = None, *, kind: str = "application/json"
    ) -> dict[str, Any]:
        """Send one request; give the JSON answer ({} for another kind).

        Raises:
            urllib.error.HTTPError: the answer's status is 400 or more.
            OSError: no answer came.

        """
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - the URL is always https
            self.url + path, data=data, method=method, headers=headers
        )
        context = ssl.create_default_context(cafile=str(self.ca))
        # No proxy of the environment may come between a test and its loopback server.
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        with opener.open(request, timeout=30) as answer:
            content = answer.read()
        is_json = answer.headers.get_content_type() == "application/json"
        return json.loads(content) if is_json else {}

    def answers(self, path: str) -> bool:
        """Tell whether a GET succeeds right now."""
        try:
            self.get(path)
        except urllib.error.HTTPError as error:
            error.close()
            return False
        except OSError:
            return False
        return True
