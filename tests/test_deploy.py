"""The files of deploy/ fit what they run: checked by tools where they are installed, by us where no tool is needed."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from connector.base.settings import Settings, secrets, variable_of

DEPLOY = Path(__file__).parent.parent / "deploy"


def tool(name: str) -> str:
    return shutil.which(name) or pytest.skip(f"{name} is not installed")


def documents(name):
    return list(YAML(typ="safe").load_all((DEPLOY / name).read_text()))


def test_every_setting_that_a_file_names_exists():
    known = {variable_of(name) for name in Settings.model_fields}
    known |= {f"{variable_of(name)}_FILE" for name in secrets()}
    for file in DEPLOY.iterdir():
        named = set(re.findall(r"\bCONNECTOR_[A-Z_]+[A-Z]\b", file.read_text()))
        assert named <= known, file.name


def test_the_alerts_ask_for_metrics_that_there_are():
    page = (DEPLOY.parent / "docs" / "operations.md").read_text()
    code = (DEPLOY.parent / "connector" / "pipeline" / "metrics.py").read_text()
    rules = documents("alerts.yaml")[0]["groups"][0]["rules"]
    assert len({each["alert"] for each in rules}) == len(rules) == 10
    for metric in {name for each in rules for name in re.findall(r"\bconnector_\w+", each["expr"])}:
        assert f'"{metric.removeprefix("connector_").removesuffix("_total")}"' in code, metric
        assert metric in page, metric


def test_prometheus_takes_the_rules():
    subprocess.run([tool("promtool"), "check", "rules", str(DEPLOY / "alerts.yaml")], check=True, capture_output=True)


def test_systemd_takes_the_unit(tmp_path):
    text = (DEPLOY / "lifecycle-connector.service").read_text()
    there = re.sub("ExecStart=.*", "ExecStart=/bin/true run", text)  # the program is elsewhere here
    file = tmp_path / "connector.service"
    for written, is_right in ((there, True), (there.replace("MemoryMax=", "MemoryMost="), False)):
        file.write_text(written)
        command = [tool("systemd-analyze"), "verify", "--man=no", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode == 0 and not done.stderr) is is_right, done.stderr


def test_compose_takes_the_file(tmp_path):
    tool = pytest.importorskip("check_jsonschema").main
    text, file = (DEPLOY / "compose.yaml").read_text(), tmp_path / "compose.yaml"
    for written, code in ((text, 0), (text.replace("cap_drop:", "cap_drops:"), 1)):
        file.write_text(written)
        done = CliRunner().invoke(tool, ["--builtin-schema", "vendor.compose-spec", str(file)])
        assert done.exit_code == code, done.output


def test_kubernetes_takes_the_manifests():
    tool = pytest.importorskip("kubernetes_validate")
    config, claim, deployment = documents("kubernetes.yaml")
    for each in (config, claim, deployment):
        tool.validate(each, tool.latest_version(), strict=True)
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    container["aliveProbe"] = container.pop("livenessProbe")
    with pytest.raises(tool.ValidationError, match="aliveProbe"):
        tool.validate(deployment, tool.latest_version(), strict=True)


def test_the_unit_is_exposed_as_little_as_can_be():
    unit = DEPLOY / "lifecycle-connector.service"
    command = [tool("systemd-analyze"), "security", "--offline=true", "--threshold=30", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-200:]


def test_the_container_writes_only_to_its_volume_and_is_one():
    claim, deployment = documents("kubernetes.yaml")[1:]
    spec = deployment["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]["type"]) == (1, "Recreate")
    assert claim["metadata"]["name"] == spec["volumes"][0]["persistentVolumeClaim"]["claimName"]
    assert {each["name"] for each in container["volumeMounts"]} == {each["name"] for each in spec["volumes"]}
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
