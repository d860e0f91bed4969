"""What is installed is written down and can be audited: by what is locked, and whatever the net says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKED = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)


@pytest.fixture
def advisories() -> Iterator[Callable[[int, dict[str, str]], str]]:
    """A service of advisories: with which status it answers, and what is known of which package. Its address."""
    known: dict[str, str] = {}
    status = [200]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = asked["package"]["name"]
            vulns = [{"id": known[name], "aliases": [], "summary": "bad", "affected": []}] if name in known else []
            body = json.dumps({"vulns": vulns} if vulns else {}).encode()
            self.send_response(status[0])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def say(code: int, what: dict[str, str]) -> str:
        status[0] = code
        known.clear()
        known.update(what)
        return f"http://127.0.0.1:{server.server_port}/v1/query"

    yield say
    server.shutdown()
    server.server_close()


def audited(lock: Path, url: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools" / "audit.py"), str(lock), "--osv-url", url]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


def test_a_known_weakness_fails_and_an_outage_is_said_and_does_not(advisories, tmp_path):
    lock, text = tmp_path / "some.lock", (ROOT / "requirements" / "run.lock").read_text()
    lock.write_text(text[: text.index("\ncertifi==")] + "\n")  # a few are enough
    names = [name for name, _ in LOCKED.findall(lock.read_text())]
    assert len(names) > 2
    fine = audited(lock, advisories(200, {}))
    assert (fine.returncode, fine.stdout) == (0, f"{len(names)} locked packages audited, 0 known weaknesses\n")
    bad = audited(lock, advisories(200, {names[1]: "PYSEC-2026-1"}))
    assert (bad.returncode, f"{names[1]} " in bad.stdout, "PYSEC-2026-1" in bad.stdout) == (1, True, True)
    for url in (advisories(503, {}), "http://127.0.0.1:9/none"):
        out = audited(lock, url)
        assert (out.returncode, out.stdout[:12]) == (0, "NOT AUDITED:")


def test_the_bill_of_materials_names_every_locked_package_with_its_hashes(tmp_path):
    """cyclonedx-py validates it against CycloneDX's schema, and fails where it does not hold."""
    (line,) = re.findall(r"\$\(BIN\)/(cyclonedx-py .*)", (ROOT / "Makefile").read_text())
    words = line.replace("$@", str(tmp_path / "sbom.json")).split()
    done = subprocess.run(
        [sys.executable, "-m", "cyclonedx_py", *words[1:]],
        cwd=ROOT, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "sbom.json").read_text())
    locked = set(LOCKED.findall((ROOT / "requirements" / "run.lock").read_text()))
    assert {(each["name"], each["version"]) for each in told["components"]} == locked
    assert all(reference["hashes"] for each in told["components"] for reference in each["externalReferences"])
    assert (told["bomFormat"], told["metadata"]["component"]["name"]) == ("CycloneDX", "lifecycle-connector")
