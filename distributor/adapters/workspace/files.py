"""The sample's files, from the source tree or from the installed package; and new files, never over old."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import distributor
from distributor.errors import Where
from distributor.errors.catalog import AlreadyExists, NotACatalog
from distributor.errors.service import NotWritable

PARTS = ("catalog", "environments", "policies")


def sample_root() -> Path:
    """The folder that holds the sample's three parts; raises ``NotACatalog`` where it is not there."""
    package = Path(distributor.__file__).parent
    for root in (package / "_sample", package.parent):
        if all((root / part).is_dir() for part in PARTS):
            return root
    raise NotACatalog("(this installation carries no sample)")


def copy_sample(folder: Path) -> None:
    """Write the sample into a folder; raises ``AlreadyExists`` where any of its parts is there."""
    root = sample_root()
    for part in PARTS:
        if (folder / part).exists():
            raise AlreadyExists(f"({folder / part})")
    for part in PARTS:
        shutil.copytree(root / part, folder / part)


@contextmanager
def put_together(folder: Path) -> Iterator[Path]:
    """A new folder beside the one it is to become, gone afterwards unless it was moved there.

    Raises ``NotWritable``, also for what the disk refuses in between.
    """
    made: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        made.chmod(0o755)
        yield made
    except OSError as error:
        raise NotWritable(f"({error.strerror})", where=Where(file=str(folder))) from error
    finally:
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)


def write_files(folder: Path, files: Mapping[str, bytes]) -> tuple[Path, ...]:
    """Write new files, all or none.

    Raises ``AlreadyExists`` before anything was written, and ``NotWritable`` after taking back what was.
    """
    paths = {folder / name: data for name, data in files.items()}
    for path in paths:
        if path.exists() or path.is_symlink():
            raise AlreadyExists(f"({path})")
    written: list[Path] = []
    try:
        for path, data in paths.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                written.append(path)
                file.write(data)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        place = Path(error.filename or folder)
        raise NotWritable(f"({error.strerror})", where=Where(file=str(place))) from error
    return tuple(paths)
