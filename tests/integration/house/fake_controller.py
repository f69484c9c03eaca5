"""As much of a kustomize-controller as the benchmark relies on: ready, follows the artifact, applies, says so.

A program of its own. `FAKE_ENDS` and `FAKE_FAILS` in its file's folder make it end, or fail each app.
"""

from __future__ import annotations

import hashlib
import http.client
import http.server
import io
import json
import os
import ssl
import sys
import tarfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import yaml

NAME = "kustomize-controller"
PLACE = "/apis/{}.toolkit.fluxcd.io/v1/namespaces/benchmark/{}"
WHERE = {
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts/{}",
    "Service": "/api/v1/namespaces/{}/services/{}",
    "Ingress": "/apis/networking.k8s.io/v1/namespaces/{}/ingresses/{}",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments/{}",
}


class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()


class Cluster:
    def __init__(self, kubeconfig):
        config = yaml.safe_load(Path(kubeconfig).read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        context = ssl.create_default_context(cafile=cluster["certificate-authority"])
        context.load_cert_chain(user["client-certificate"], user["client-key"])
        host = urlsplit(cluster["server"]).netloc
        self.connection = http.client.HTTPSConnection(host, context=context, timeout=60)

    def send(self, method, path, body=None, kind="application/merge-patch+json"):
        data = None if body is None else json.dumps(body)
        self.connection.request(method, path, data, {"Content-Type": kind})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            sys.exit(f"{method} {path}: {answer.status} {text.decode()}")
        return json.loads(text)


def fetched(artifact):
    parts = urlsplit(artifact["url"])
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    connection.request("GET", parts.path)
    data = connection.getresponse().read()
    connection.close()
    if "sha256:" + hashlib.sha256(data).hexdigest() != artifact["digest"]:
        sys.exit("the digest does not fit")
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {entry.name: archive.extractfile(entry).read() for entry in archive}


def carry_out(cluster, item, files, revision, ready):
    spec = item["spec"]
    folder = spec["path"].removeprefix("./")
    for file in yaml.safe_load(files[f"{folder}/kustomization.yaml"])["resources"]:
        body = yaml.safe_load(files[f"{folder}/{file}"])
        labels = {"kustomize.toolkit.fluxcd.io/name": item["metadata"]["name"]}
        body["metadata"] |= {"namespace": spec["targetNamespace"], "labels": labels}
        path = WHERE[body["kind"]].format(spec["targetNamespace"], body["metadata"]["name"])
        path += f"?fieldManager={NAME}&force=true"
        cluster.send("PATCH", path, body, "application/apply-patch+yaml")
    conditions = [{"type": "Ready", "status": str(ready), "message": "a fake's word"}]
    said = {"lastAppliedRevision": revision, "conditions": conditions}
    path = PLACE.format("kustomize", "kustomizations") + f"/{item['metadata']['name']}/status"
    cluster.send("PATCH", path, {"status": said})


def main():
    here = Path(sys.argv[1])
    health = next(a for a in sys.argv if a.startswith("--health-addr=")).rpartition(":")[2]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(health)), Ready)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    cluster = Cluster(os.environ["KUBECONFIG"])
    done = ""
    while True:
        (source,) = cluster.send("GET", PLACE.format("source", "gitrepositories"))["items"] or [{}]
        artifact = source.get("status", {}).get("artifact")
        if artifact and artifact["revision"] != done:
            if (here / "FAKE_ENDS").exists():
                sys.exit("the fake has had enough")
            files, done = fetched(artifact), artifact["revision"]
            ready = not (here / "FAKE_FAILS").exists()
            for item in cluster.send("GET", PLACE.format("kustomize", "kustomizations"))["items"]:
                carry_out(cluster, item, files, done, ready)
        time.sleep(0.02)


main()
