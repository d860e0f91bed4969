"""Writes the pages that are made from code: ``python docs/generate.py``. A test fails while they differ."""

from pathlib import Path

from pydantic_core import PydanticUndefined

from connector.base.settings import Settings, secrets, variable_of

DOCS = Path(__file__).parent


def settings_page() -> str:
    lines = [
        "# Settings",
        "",
        "<!-- made by docs/generate.py from connector/base/settings.py -->",
        "",
        "From the environment, or from a `.env` file in the working directory; the environment comes first. A variable",
        "in `.env` that is not listed here is a mistake; one in the environment is told once and ignored, since others",
        "set such: Kubernetes does, for a Service called `connector`.",
        "",
        "Secrets belong here, or in a file named here, and nowhere else: never in a mapping, never in a log line,",
        "never in the state. Each setting that holds one may be in a file instead, as Docker and Kubernetes mount",
        "them: the second name then holds its path, and a line break at the end of the file does not count.",
        "",
        "| variable | default | what |",
        "|---|---|---|",
    ]
    for name, each in Settings.model_fields.items():
        unset = each.default is None or each.default is PydanticUndefined
        default = "" if unset else f"`{each.default:g}`" if isinstance(each.default, float) else f"`{each.default}`"
        names = f"`{variable_of(name)}`" + (f" or `{variable_of(name)}_FILE`" if name in secrets() else "")
        lines.append(f"| {names} | {default} | {each.description} |")
    lines += [
        "",
        "Signing in takes exactly one of: a private key file with client id and username (JWT bearer), a client secret",
        "with client id (client credentials, on your My Domain), or an access token with the instance URL. Plain",
        "`http` is accepted for this machine only.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    (DOCS / "settings.md").write_text(settings_page())
