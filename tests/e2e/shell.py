"""Commands as a person or a script runs them, in this process."""

import json
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from connector import cli
from connector.commands.documents_more import documents

SHAPES = cache(documents)


def held_against_its_schema(text: str) -> str:
    """Which document it is; raises where it is not as docs/json.md says."""
    name = json.loads(text)["document"]
    SHAPES()[name].model_validate_json(text)
    return str(name)


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


class Shell:
    """Runs commands in an empty folder with an environment of its own: in this process, which is quick."""

    def __init__(self, folder: Path, monkeypatch, capfd) -> None:
        self.folder, self._monkeypatch, self._capfd = folder, monkeypatch, capfd
        self.env: dict[str, str] = {}

    def __call__(self, *words: str, **variables: str) -> Done:
        with self._monkeypatch.context() as patch:
            patch.chdir(self.folder)
            for name, value in (self.env | variables).items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["connector", *words])
            self._capfd.readouterr()
            with pytest.raises(SystemExit) as ended:
                cli.main()
            printed = self._capfd.readouterr()
        if "--json" in words and printed.out:
            held_against_its_schema(printed.out)
        return Done(int(ended.value.code or 0), printed.out, printed.err)
