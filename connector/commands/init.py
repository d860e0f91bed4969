"""``connector init``: a mapping and a ``.env`` to begin with, in the working directory. Overwrites nothing."""

from __future__ import annotations

from pathlib import Path

from connector.base.errors import ConfigurationError
from connector.mapping.load import SHIPPED, shipped, shipped_names
from connector.mapping.mistakes import did_you_mean

_SCHEMA = "mapping.schema.json"  # what editors check a mapping against

ENVIRONMENT = """\
# Settings of the connector; docs/settings.md lists all. Lines that begin with # count for nothing.
CONNECTOR_MAPPING={mapping}

# How to sign in: one of these three. JWT bearer:
# CONNECTOR_SALESFORCE_CLIENT_ID=
# CONNECTOR_SALESFORCE_USERNAME=
# CONNECTOR_SALESFORCE_PRIVATE_KEY_FILE=
# Client credentials (the login address is your My Domain):
# CONNECTOR_SALESFORCE_CLIENT_ID=
# CONNECTOR_SALESFORCE_CLIENT_SECRET=
# CONNECTOR_SALESFORCE_LOGIN_URL=https://example.my.salesforce.com
# A ready token:
# CONNECTOR_SALESFORCE_ACCESS_TOKEN=
# CONNECTOR_SALESFORCE_INSTANCE_URL=https://example.my.salesforce.com

# A cycle that would change more people than this is held back until connector approve lets it pass:
# CONNECTOR_MAX_CHANGES=1000
"""


def run_init(name: str, folder: Path) -> list[Path]:
    """The files made. Raises ConfigurationError for a name that is not shipped, or where one of them is there."""
    found = shipped(name)
    if found is None:
        raise ConfigurationError(
            f"no mapping called {name} is shipped", did_you_mean(name, shipped_names()) or "; ".join(shipped_names())
        )
    schema = next(each / _SCHEMA for each in SHIPPED if (each / _SCHEMA).is_file())
    files = {
        folder / f"{name}.yaml": found.read_text(encoding="utf-8"),
        folder / _SCHEMA: schema.read_text(encoding="utf-8"),
        folder / ".env": ENVIRONMENT.format(mapping=f"{name}.yaml"),
    }
    if there := [path.name for path in files if path.exists() or path.is_symlink()]:
        raise ConfigurationError(
            f"{', '.join(there)} {'is' if len(there) == 1 else 'are'} here already; nothing was written",
            "go to an empty folder, or rename what is here",
        )
    try:
        for path, content in files.items():
            path.touch(mode=0o600 if path.name == ".env" else 0o644, exist_ok=False)
            path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be written: {error.strerror}", "go to another folder") from None
    return list(files)
