"""A Singer tap for the tests, run as a program of its own: it reads rows from a file and does what it is told.

Its configuration names a folder: ``rows.jsonl`` has a record a line, and the file ``fault`` (looked for every hundred
records) says what it does instead of going on; what it does ``always`` it goes on after. Its STATE is how many rows it
gave.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

EVERY = 100  # records
STREAM = "submissions"
PROPERTIES = ("id", "at", "what", "contact", "note")


def say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")


def misbehave(how: str, secret: str) -> None:
    sys.stdout.flush()
    if how in {"dies", "down"}:
        sys.exit(f"Traceback\nValueError: cannot sign in with {secret}")
    if how == "killed":
        os.kill(os.getpid(), 9)
    if how == "hangs":
        time.sleep(600)
    if how == "floods":
        for _ in range(20_000):
            sys.stderr.write(f"INFO {secret} " * 5 + "\n")
    if how == "rubbish":
        sys.stdout.write('Fetching page 3 ...\n{"type": "REC\n[1, 2]\n{"type": "HELLO"}\n{"stream": "x"}\n\n')
        sys.stdout.flush()
        sys.stdout.buffer.write(b"\xff\xfe\n")


def main() -> None:
    given = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=False))
    config = json.loads(Path(given["--config"]).read_text())
    folder, key = Path(config["folder"]), config.get("key", ["id"])
    fault = folder / "fault"
    if fault.exists() and fault.read_text() == "down":
        sys.exit("cannot reach the service")
    schema = {"type": "object", "properties": {name: {} for name in PROPERTIES}}
    stream = {"tap_stream_id": STREAM, "stream": STREAM, "schema": schema, "key_properties": key, "metadata": []}
    if "--discover" in sys.argv:
        say({"streams": [stream]})
        return
    if fault.exists() and fault.read_text() == "hangs at once":
        time.sleep(600)
    [chosen] = json.loads(Path(given["--catalog"]).read_text())["streams"]
    if not chosen["schema"].get("selected"):
        return
    done = json.loads(Path(given["--state"]).read_text())["done"] if "--state" in given else 0
    say({"type": "SCHEMA", "stream": STREAM, "schema": schema, "key_properties": key})
    with (folder / "rows.jsonl").open() as rows:
        for number, row in enumerate(rows, 1):
            if number <= done:
                continue
            sys.stdout.write(row)
            if number % EVERY == 0:
                say({"type": "STATE", "value": {"done": number}})
                for each in config.get("always", ()):
                    misbehave(each, config["api_key"])
                if fault.exists():
                    misbehave(fault.read_text(), config["api_key"])
            done = number
    say({"type": "STATE", "value": {"done": done}})


main()
