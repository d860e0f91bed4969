"""The practice org by itself: its README's snippets run, and its page shows what is there."""

from __future__ import annotations

import json
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
