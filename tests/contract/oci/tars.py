"""Archives for the tests of vendoring, good and bad."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping


def entry(name: str, data: bytes = b"", **more: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in more.items():
        setattr(info, field, value)
    return info, data


def tar(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in entries:
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def tgz(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    return gzip.compress(tar(*entries), mtime=0)


def packed(files: Mapping[str, str]) -> bytes:
    return tgz(*(entry(name, text.encode()) for name, text in files.items()))


CHART = {
    "podinfo/Chart.yaml": "apiVersion: v2\nname: podinfo\nversion: 6.7.1\n",
    "podinfo/values.yaml": "replicas: 1\n",
    "podinfo/templates/config.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: podinfo}\n",
}
BUNDLE = {
    "./kustomization.yaml": "resources: [config.yaml]\n",
    "./config.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bundle}\n",
}
