"""Where the connector keeps what it makes, unless settings say where."""

from __future__ import annotations

import sys
from pathlib import Path

from platformdirs import user_state_path

_NAME = "lifecycle-connector"
_RECEIPTS = ("uv-receipt.toml", "pipx_metadata.json")  # what uv tool and pipx leave in the environments that they make
_OF_A_PROJECT = (".env", "state")


def state_folder() -> Path:
    """The working directory's ``state``. For a tool that was installed for its user, who works in no folder of a
    project, the folder where such a user's programs keep theirs (XDG_STATE_HOME, ~/.local/state)."""
    is_tool = any((Path(sys.prefix) / each).is_file() for each in _RECEIPTS)
    if is_tool and not any(Path(each).exists() for each in _OF_A_PROJECT):
        return user_state_path(_NAME, appauthor=False)
    return Path("state")
