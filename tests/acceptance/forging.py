"""What a person with push rights and bad intentions can put into the shared repository, by git alone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import orjson

from distributor.adapters.git import PygitObjects
from distributor.adapters.keys import SshKey, generate, load
from distributor.catalog.loading import Loader
from distributor.cli.playground import PEOPLE
from distributor.model.catalog import Catalog
from distributor.model.promotion import Verdict
from distributor.model.refs import ObjectId
from distributor.services.promotion.opening import key_of
from distributor.services.service import Service

WHO = {"NAME": "Forger", "EMAIL": "forger@elsewhere.example"}
GIT = {f"GIT_{role}_{part}": text for role in ("AUTHOR", "COMMITTER") for part, text in WHO.items()}


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A promotion tag before it is written; ``changes`` edits single trailers (``None``: leave out)."""

    environment: str = "sit"
    instance: str = "shop"
    version: str = "1.4.1"
    commit: str = ""
    prev: str = "none"
    key: str | SshKey = ""
    changes: Mapping[str, str | None] | None = None
    subject: str = "promote"
    at: int = 0

    @property
    def name(self) -> str:
        """The name that fits the content."""
        return f"promote/{self.environment}/{self.instance}/{self.version}"


class Forger:
    """Writes straight into the bare remote, past every client of this program."""

    def __init__(self, remote: Path, keys: Path) -> None:
        self.remote = remote
        self.keys = keys

    def git(
        self,
        *arguments: str | bytes,
        data: bytes = b"",
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        """Run git in the remote."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.remote,
            env=os.environ | GIT | {"GIT_CONFIG_GLOBAL": os.devnull} | more,
            input=data,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.decode("utf-8", "surrogateescape").strip()

    def head(self, branch: str = "main") -> str:
        """A branch's commit."""
        return self.git("rev-parse", f"refs/heads/{branch}")

    def catalog(self, commit: str = "") -> Catalog:
        """What a commit holds."""
        objects = PygitObjects(self.remote)
        return Loader(objects).load(objects.tree_of(ObjectId(commit or self.head())))

    def key(self, name: str) -> SshKey:
        """A stranger's new key."""
        path = self.keys / name
        generate(path, f"{name}@elsewhere.example")
        return load(path)

    def message(self, draft: Draft) -> str:
        """Subject and trailers as `promote` would write them, but for the changes asked for."""
        package = self.catalog(draft.commit).package(draft.instance, draft.version)
        lines: dict[str, str | None] = {
            "App": draft.instance,
            "Version": draft.version,
            "Env": draft.environment,
            "Digest": package.digest if package else "sha256:" + "0" * 64,
            "Prev": draft.prev,
        }
        lines |= draft.changes or {}
        written = (f"Promotion-{k}: {v}" for k, v in lines.items() if v is not None)
        return f"{draft.subject}\n\n" + "\n".join(written) + "\n"

    def raw(self, draft: Draft, *, name: str = "", message: str = "") -> bytes:
        """The bytes of the tag object, signed where the draft has a key."""
        stamp = draft.at or int(datetime.now(UTC).timestamp())
        raw = (
            f"object {draft.commit or self.head()}\ntype commit\ntag {name or draft.name}\n"
            f"tagger {PEOPLE['release-manager']} {stamp} +0000\n\n{message or self.message(draft)}"
        ).encode()
        if isinstance(draft.key, SshKey):
            return raw + draft.key.sign(raw, "git")
        return raw

    def put(self, name: str | bytes, raw: bytes) -> ObjectId:
        """Store a tag object, whatever it is, and let a ref point at it; one that exists moves."""
        oid = self.git("hash-object", "-t", "tag", "-w", "--literally", "--stdin", data=raw)
        self.point(name, oid)
        return ObjectId(oid)

    def point(self, name: str | bytes, oid: str) -> None:
        """Let a tag's ref point at an object."""
        ref = b"refs/tags/" + (name if isinstance(name, bytes) else name.encode())
        self.git("update-ref", ref, oid)

    def tag(self, draft: Draft) -> str:
        """Write the draft's tag; its name."""
        self.put(draft.name, self.raw(draft))
        return draft.name

    def commit(
        self, base: str, files: Mapping[str, bytes | None], *, key: SshKey | None = None
    ) -> str:
        """A commit on top of another (or of nothing), with some files set or removed; no ref moves."""
        tree = _tree(PygitObjects(self.remote), base, files)
        stamp = f"{WHO['NAME']} <{WHO['EMAIL']}> {int(datetime.now(UTC).timestamp())} +0000"
        parent = f"parent {base}\n" if base else ""
        head, body = f"tree {tree}\n{parent}author {stamp}\ncommitter {stamp}\n", "\nforged\n"
        signature = ""
        if key is not None:
            armour = key.sign((head + body).encode(), "git").decode().rstrip("\n")
            signature = "gpgsig " + armour.replace("\n", "\n ") + "\n"
        raw = (head + signature + body).encode()
        return self.git("hash-object", "-t", "commit", "-w", "--stdin", data=raw)

    def entry(self, base: str, path: str, mode: str, oid: str) -> str:
        """A commit on top of another with one entry of any mode: a link, a submodule."""
        index = {"GIT_INDEX_FILE": str(self.keys / "index")}
        self.git("read-tree", base, more=index)
        self.git("update-index", "--add", "--cacheinfo", f"{mode},{oid},{path}", more=index)
        tree = self.git("write-tree", more=index)
        return self.git("commit-tree", tree, "-p", base, "-m", "forged")

    def branch(self, branch: str, commit: str) -> None:
        """Let a branch point at a commit, wherever it was; an empty commit deletes it."""
        ref = f"refs/heads/{branch}"
        self.git("update-ref", ref, commit) if commit else self.git("update-ref", "-d", ref)

    def read(self, path: str, branch: str = "ledger") -> bytes:
        """A file of a branch."""
        objects = PygitObjects(self.remote)
        tree = objects.tree_of(ObjectId(self.head(branch)))
        for part in path.split("/"):
            tree = next(e.id for e in objects.entries(tree) if e.name == part)
        return objects.blob(tree)

    def recorded(self, name: str) -> list[Mapping[str, object]]:
        """The verdicts on a tag as the ledger branch of the remote has them: the audit record."""
        environment, instance = key_of(name)
        lines = self.read(f"records/{environment}/{instance}.jsonl").splitlines()
        records = [orjson.loads(line) for line in lines]
        return [r for r in records if _verdict_ref(r) == name]


def _verdict_ref(record: Mapping[str, Mapping[str, str]]) -> str:
    verdict = record.get("verdict")
    return verdict.get("ref", "") if isinstance(verdict, dict) else ""


def _tree(objects: PygitObjects, base: str, files: Mapping[str, bytes | None]) -> str:
    root = objects.tree_of(ObjectId(base)) if base else None
    changes = {
        path: None if data is None else ("blob", objects.write_blob(data))
        for path, data in files.items()
    }
    return objects.write_tree(root, changes)


def forger(play) -> Forger:
    """The forger of a playground."""
    return Forger(play.place.remote, play.place.root / "keys")


def verdict_on(service: Service, name: str) -> Verdict:
    """The last verdict on a tag."""
    return service.book.state.instances[key_of(name)].last_verdicts[name]


def codes(verdict: Verdict) -> set[str]:
    """The codes of everything that the gates found."""
    return {f.code for answer in verdict.answers for f in answer.findings}
