"""The way that the README shows at its top, command by command as it is printed there."""

import json
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import requests

from tests.e2e.test_daemon_process import lines_until
from tests.e2e.test_practice_command import started

ROOT = Path(__file__).parent.parent.parent
WAY = (ROOT / "README.md").read_text().split("The whole way", 1)[1].split("```sh\n", 1)[1].split("```", 1)[0]


def lines():
    """The commands, each with the variables before it: ({name: value}, words)."""
    found = []
    for line in WAY.splitlines():
        words = shlex.split(line, comments=True)
        given = dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
        found.append((given, words[len(given) :]))
    return found


def free_port() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return str(taken.getsockname()[1])


def test_the_way_at_the_top_works_as_printed(tmp_path):
    commands = [(given, words[1:]) for given, words in lines() if words[0] == "connector"]
    assert len(WAY.splitlines()) <= 10
    assert [words[0] for _, words in commands] == ["practice", "setup", "check", "backfill", "backfill", "run"]
    calm = [word for word in commands[0][1] if word not in {"--live", "5"}]  # what changes meanwhile is another test's
    with started(*calm, folder=tmp_path) as practice:
        practice.stdout.readline()
        text = ""
        while "connector setup --deploy" not in text:
            text += practice.stderr.readline()
        env = dict(re.findall(r"export (\w+)=(\S+)", text))
        for given, words in commands[1:-1]:
            known = {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT), **env, **given}
            done = subprocess.run(
                [sys.executable, "-m", "connector", *words],
                cwd=tmp_path, env=known, input="y\n", capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert done.returncode == 0, (words, done.stdout, done.stderr)
        given, words = commands[-1]
        port = free_port()
        assert given == {"CONNECTOR_HTTP_PORT": "8080"}
        with started(*words, folder=tmp_path, **env, CONNECTOR_HTTP_PORT=port) as daemon:
            cycle = lines_until(daemon, "cycle done")[-1]
            assert (cycle["set_aside"], cycle["waiting"]) == ({}, 0), json.dumps(cycle)
            page = requests.get(f"http://127.0.0.1:{port}/", timeout=60)
            assert page.status_code == 200 or "Retry-After" in page.headers, "served, or about to be computed"
            daemon.send_signal(signal.SIGTERM)
            daemon.communicate(timeout=30)
        assert daemon.returncode == 0
