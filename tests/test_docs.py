"""The documents say what the program does."""

import importlib.util
import re
from pathlib import Path

import typer

from connector.cli import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def commands():
    """Those that are shown."""
    return {name: each for name, each in typer.main.get_group(app).commands.items() if not each.hidden}


def generated():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_readme_lists_exactly_the_commands_there_are():
    table = README.split("<!-- commands")[1].split("\n\n")[0]
    assert set(re.findall(r"^\| `connector (\w+)`", table, re.M)) == set(commands())


def test_every_option_the_readme_shows_exists():
    shown = re.findall(r"^\s*connector (\w+)((?: --[\w-]+(?: [^\s#-]\S*)?)*)", README, re.M)
    assert shown
    for command, options in shown:
        known = {name for param in commands()[command].params for name in param.opts}
        assert set(re.findall(r"--[\w-]+", options)) <= known, command


def test_the_settings_page_is_the_generated_one():
    assert (ROOT / "docs" / "settings.md").read_text() == generated().settings_page()


def test_the_page_and_the_schemas_of_json_are_the_generated_ones():
    assert (ROOT / "docs" / "json.md").read_text() == generated().json_page()
    there = {each.name: each.read_text() for each in (ROOT / "docs" / "json").iterdir()}
    assert there == generated().json_schemas()


def test_every_setting_the_readme_names_exists():
    page = generated().settings_page()
    assert all(name in page for name in re.findall(r"CONNECTOR_[A-Z_]+[A-Z]", README))


def test_links_between_the_documents_lead_somewhere():
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} -> {target}"


def test_every_link_between_documents_leads_somewhere():
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    links = [
        (page, link)
        for page in pages
        for link in re.findall(r"\]\(([^)#\s]+)", page.read_text())
        if not link.startswith(("http", "mailto"))
    ]
    assert links
    assert [f"{page.name}: {link}" for page, link in links if not (page.parent / link).exists()] == []


def test_every_path_that_contributors_are_sent_to_is_there():
    pages = [ROOT / "CONTRIBUTING.md", ROOT / "docs" / "design.md", ROOT / "docs" / "glossary.md"]
    folders = "|".join(each.name for each in ROOT.iterdir() if each.is_dir() and each.name[0] != ".")
    paths = {path for page in pages for path in re.findall(rf"`((?:{folders})/[\w./-]*)`", page.read_text())}
    assert "connector/pipeline/cycle.py" in paths
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


def test_the_lock_files_name_no_registry_so_that_a_mirror_serves_as_well():
    locks = list((ROOT / "requirements").glob("*.lock"))
    assert locks
    assert [lock.name for lock in locks if "://" in lock.read_text()] == []
