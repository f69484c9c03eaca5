"""gpg as a judge of one signature under some keys: a home of its own each time, no agent, no network."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from distributor.adapters.gpg.status import expiry, read_status
from distributor.errors.policy import BadSignature, OpenPgpUnavailable
from distributor.model.findings import Finding
from distributor.model.openpgp import SIGNATURE, NotOpenPgp, PgpKey, PgpSeal, dearmour, packets

_OPTIONS = (
    "--no-options", "--batch", "--no-tty", "--quiet", "--no-autostart", "--disable-dirmngr",
    "--no-auto-key-locate", "--no-auto-check-trustdb", "--trust-model", "always",
    "--ignore-time-conflict", "--weak-digest", "SHA1", "--weak-digest", "RIPEMD160",
    "--no-default-keyring", "--status-fd", "1",
)  # fmt: skip
"""Nothing of the machine has a say: no configuration, no keys but ours, no clock but for expiry, no SHA-1."""


class GpgProgram:
    """Checks signatures; ``program`` is gpg's name or path, ``timeout`` bounds each call in seconds."""

    def __init__(self, *, program: str = "gpg", timeout: float = 30.0) -> None:
        self._program = program
        self._timeout = timeout

    async def check(
        self, data: bytes, signature: bytes, keys: Sequence[PgpKey]
    ) -> PgpSeal | Finding:
        """The seal of a good signature by one of the keys, or the finding that says what it is instead."""
        try:
            binary = dearmour(signature, "SIGNATURE")
            if [tag for tag, _ in packets(binary)] != [SIGNATURE]:
                return Finding.of(BadSignature, "(it is not one signature and nothing else)")
        except NotOpenPgp as error:
            return Finding.of(BadSignature, f"({error})")
        found = shutil.which(self._program)
        if found is None:
            return Finding.of(OpenPgpUnavailable, f"(there is no program {self._program})")
        with tempfile.TemporaryDirectory(prefix="distributor-gpg-") as folder:
            home = Path(folder)
            await asyncio.to_thread(_furnish, home, binary, keys)
            try:
                return await self._judge(found, home, data)
            except OpenPgpUnavailable as error:
                return Finding.of(OpenPgpUnavailable, error.detail)

    async def _judge(self, program: str, home: Path, data: bytes) -> PgpSeal | Finding:
        said = await self._run(program, home, data, "--verify", "--", str(home / "signature"), "-")
        seal = read_status(said)
        if isinstance(seal, Finding) or "EXPKEYSIG" not in said:
            return seal
        listing = ("--list-keys", "--with-colons", "--with-subkey-fingerprint", "--", seal.primary)
        ended = expiry(await self._run(program, home, b"", *listing), seal)
        if ended is None:
            raise OpenPgpUnavailable("(gpg says that the key ended, and not when)")
        return replace(seal, key_expires=ended)

    async def _run(self, program: str, home: Path, data: bytes, *arguments: str) -> str:
        """What gpg says about its work; its exit code says less."""
        try:
            process = await asyncio.create_subprocess_exec(
                program, "--homedir", str(home), *_OPTIONS, "--keyring", str(home / "keys.gpg"),
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={"PATH": os.environ.get("PATH", ""), "HOME": str(home), "LC_ALL": "C"},
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise OpenPgpUnavailable(f"({program} cannot be run: {error.strerror})") from error
        try:
            out, _ = await asyncio.wait_for(process.communicate(data), self._timeout)
        except TimeoutError:
            raise OpenPgpUnavailable(f"({program} did not answer in {self._timeout:g} s)") from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        return out.decode("utf-8", "replace")


def _furnish(home: Path, signature: bytes, keys: Sequence[PgpKey]) -> None:
    (home / "signature").write_bytes(signature)
    (home / "keys.gpg").write_bytes(b"".join(key.data for key in keys))
