"""SOPS files through the real engine: as resource, patch, generator, replacement, template; then spliced."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest

from distributor.adapters.sops import SopsOpener
from distributor.errors.secrets import PlaceholderForged, SecretMisplaced
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.refs import ObjectId
from distributor.render import bind, check_placeholders
from distributor.render.finishing import refuse_duplicates
from distributor.render.placeholders import found, hidden, in_secret, spliced

FILES = Path(__file__).parents[2] / "unit" / "adapters" / "sops" / "files"
SIGN = {"apiVersion": "v1", "kind": "Secret"}
PASSWORD = b"marker-7f3a-${cluster_name}-$${x}"
K = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
PLAIN_DB = (
    "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {old: value, password: x}\n"
)
URL = """apiVersion: v1
kind: Secret
metadata: {name: url}
stringData: {url: "https://u:PASS@host/${cluster_name}"}
"""
REPLACE = """replacements:
- source: {kind: Secret, name: db, fieldPath: stringData.password}
  targets:
  - select: {kind: %s, name: url}
    fieldPaths: ["%s.url"]
    options: {delimiter: ":", index: 2}
"""
CHART = {"chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n"}


@pytest.fixture
def opener(tmp_path):
    key = tmp_path / "key.txt"
    key.write_bytes((FILES / "test-only-key.txt").read_bytes())
    key.chmod(0o600)
    return SopsOpener(key)


class Shown:
    """Files as a job hands them over, the placeholders in them, and the encrypted bytes by blob."""

    def __init__(self, files):
        self.files, self.known, self.blobs = {}, set(), {}
        for path, data in files.items():
            raw = (FILES / data[1:]).read_bytes() if data.startswith("@") else data.encode()
            blob = ObjectId(hashlib.sha256(raw).hexdigest())
            made = hidden(raw, path, blob)
            self.files[path] = raw if made is None else made[0]
            self.known |= set(map(str, made[1] if made else ()))
            self.blobs[blob] = raw

    def bound(self, objects):
        """What is applied, before and after splicing; the same checks as in the service."""
        manifests = ManifestSet.of(Manifest.of(o) for o in objects)
        refuse_duplicates(manifests)
        check_placeholders(manifests, frozenset(self.known))
        return bind(manifests, {"cluster_name": "c1"})

    def applied(self, objects, opener):
        result = {}
        for manifest in self.bound(objects):
            if manifest.ref.kind != "Secret":
                continue
            wanted = set(in_secret(manifest.data(), manifest))
            opened = {one: opener.open(self.blobs[one.blob], one.path, "sit") for one in wanted}
            values = {one: file[one.key] for one, file in opened.items()}
            wholes = {
                hidden(self.blobs[one.blob], one.path, one.blob)[0]: file[""]
                for one, file in opened.items()
            }
            name = re.sub(r"-[2456789bcdfghkmt]{10}$", "", manifest.ref.name)
            result |= {
                (name, key): base64.b64decode(value)
                for key, value in spliced(manifest, values, wholes).data()["data"].items()
            }
            assert not list(found(str(result)))
        return result


async def test_a_resource(kustomize, opener):
    shown = Shown(
        {"kustomization.yaml": K + "resources: [db.yaml]\n", "db.yaml": "@demo.sops.yaml"}
    )
    applied = shown.applied(await kustomize(shown.files), opener)
    assert applied["db", "password"] == PASSWORD
    assert applied["db", "token"] == b"marker-7f3a-bytes\x00"


async def test_a_patch_over_a_base_and_a_component(kustomize, opener):
    shown = Shown(
        {
            "base/kustomization.yaml": K + "resources: [db.yaml]\n",
            "base/db.yaml": PLAIN_DB,
            "kustomization.yaml": K + "resources: [base]\npatches: [{path: db.sops.yaml}]\n",
            "db.sops.yaml": "@demo.sops.yaml",
            "layer/kustomization.yaml": (
                K.replace("v1beta1", "v1alpha1").replace("Kustomization", "Component")
                + "patches: [{path: db.sops.yaml}]\n"
            ),
            "layer/db.sops.yaml": "@demo-again.sops.yaml",
        }
    )
    objects = await kustomize(shown.files, layers=("layer",))
    applied = shown.applied(objects, opener)
    assert applied["db", "old"] == b"value"
    assert applied["db", "password"] == PASSWORD
    assert "layer/db.sops.yaml" in str(objects), "the upper layer wins"


async def test_generators_hash_the_ciphertext(kustomize, opener):
    def files(cipher):
        lines = "  files: [cipher.yaml, again.yaml=cipher.yaml, key=tls.key]\n  envs: [a.env]\n"
        return Shown(
            {
                "kustomization.yaml": K + "secretGenerator:\n- name: g\n" + lines,
                "cipher.yaml": cipher,
                "tls.key": "@tls.key",
                "a.env": "@demo.sops.env",
            }
        )

    shown = files("@config.sops.yaml")
    objects = await kustomize(shown.files)
    applied = shown.applied(objects, opener)
    assert b"user: " in applied["g", "cipher.yaml"]
    assert b'"admin"' in applied["g", "again.yaml"]
    assert applied["g", "key"] == b"tls-marker-7f3a\n\x01"
    assert (applied["g", "API_KEY"], applied["g", "USER_unencrypted"]) == (
        b"marker-7f3a-env",
        b"shop",
    )
    others = await kustomize(files("@suffix.sops.yaml").files)
    assert others[0]["metadata"]["name"] != objects[0]["metadata"]["name"]


async def test_an_object_as_a_generators_file_is_one_text(kustomize, opener):
    shown = Shown(
        {
            "kustomization.yaml": K + "secretGenerator: [{name: g, files: [db.yaml, a.env]}]\n",
            "db.yaml": "@secret.sops.yaml",
            "a.env": "@app.sops.env",
        }
    )
    applied = shown.applied(await kustomize(shown.files), opener)
    assert b"MULTI=one\\ntwo\n" in applied["g", "a.env"]
    assert b'multi: "line one\\nline: two' in applied["g", "db.yaml"]
    assert b'password: "marker-' in applied["g", "db.yaml"]
    assert b"sops" not in applied["g", "db.yaml"]


async def test_a_replacement_puts_a_value_into_a_text(kustomize, opener):
    kustomization = K + "resources: [db.yaml, url.yaml]\n" + REPLACE % ("Secret", "stringData")
    text = URL.replace("PASS@host", "PASS:@host")
    shown = Shown(
        {"kustomization.yaml": kustomization, "db.yaml": "@demo.sops.yaml", "url.yaml": text}
    )
    applied = shown.applied(await kustomize(shown.files), opener)
    assert applied["url", "url"] == b"https://u:" + PASSWORD + b":@host/c1"


async def test_a_replacement_into_anything_else_is_refused(kustomize):
    kustomization = K + "resources: [db.yaml, url.yaml]\n" + REPLACE % ("ConfigMap", "data")
    text = URL.replace("Secret", "ConfigMap").replace("stringData", "data")
    shown = Shown(
        {"kustomization.yaml": kustomization, "db.yaml": "@demo.sops.yaml", "url.yaml": text}
    )
    objects = await kustomize(shown.files)
    with pytest.raises(SecretMisplaced):
        shown.bound(objects)


async def test_a_config_map_generator_is_refused(kustomize):
    shown = Shown(
        {
            "kustomization.yaml": K + "configMapGenerator: [{name: g, envs: [a.env]}]\n",
            "a.env": "@demo.sops.env",
        }
    )
    objects = await kustomize(shown.files)
    with pytest.raises(SecretMisplaced):
        shown.bound(objects)


async def test_a_charts_template_and_file(helm, opener):
    text = """apiVersion: v1
kind: Secret
metadata: {name: f}
data: {conf: {{ .Files.Get "conf.sops.yaml" | b64enc }}}
"""
    shown = Shown(
        {
            **CHART,
            "chart/templates/db.yaml": "@demo.sops.yaml",
            "chart/templates/f.yaml": text,
            "chart/conf.sops.yaml": "@two.sops.yaml",
        }
    )
    applied = shown.applied(await helm(shown.files), opener)
    assert applied["db", "password"] == PASSWORD
    assert b'password: "s3cret"' in applied["f", "conf"]


FORGED = [
    '{{ printf "distributor-so%s(overlay/db.yaml#a@%s)" "ps" (repeat 40 "a") }}',
    '{{ printf "x%s" .Release.Name }}distributor-sops(overlay/db.yaml#a@' + "a" * 40 + ")",
    "distributor-sops(",
]


@pytest.mark.parametrize("text", FORGED)
async def test_a_template_cannot_make_a_placeholder(helm, text):
    secret = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: f}}\nstringData: {{a: '{text}'}}\n"
    shown = Shown(
        {**CHART, "chart/templates/f.yaml": secret, "chart/templates/db.yaml": "@demo.sops.yaml"}
    )
    objects = await helm(shown.files)
    with pytest.raises(PlaceholderForged):
        shown.bound(objects)


async def test_a_template_cannot_cut_a_placeholder(helm):
    text = """apiVersion: v1
kind: Secret
metadata: {name: f}
stringData: {a: '{{ .Files.Get "conf.sops.yaml" | trunc 40 }}'}
"""
    shown = Shown(
        {**CHART, "chart/templates/f.yaml": text, "chart/conf.sops.yaml": "@two.sops.yaml"}
    )
    objects = await helm(shown.files)
    with pytest.raises(PlaceholderForged):
        shown.bound(objects)


async def test_a_folder_of_manifests(raw, opener):
    shown = Shown({"db.sops.yaml": "@demo.sops.yaml", "more.yaml": URL})
    applied = shown.applied(await raw(shown.files), opener)
    assert applied["db", "password"] == PASSWORD
    assert applied["url", "url"] == b"https://u:PASS@host/c1"
