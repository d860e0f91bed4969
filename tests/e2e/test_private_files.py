"""Whatever holds people is its owner's alone, also where the umask would show it to everybody."""

import os

from tests.e2e.shell import Shell


def test_every_file_and_folder_that_commands_make_is_its_owners_alone(site, shell: Shell, tmp_path):
    site.contacts(2)
    state, before = tmp_path / "made" / "state", os.umask(0o022)
    shell.env = site.practice.environment() | {"CONNECTOR_STATE": str(state / "connector.sqlite3")}
    try:
        assert shell("backfill", "--csv", "made/who.csv").returncode == 2  # there is no such folder
        assert shell("backfill").returncode == 0
        assert shell("sync", "--csv", str(state / "who.csv")).returncode == 0
        assert shell("backup", str(state / "copy.sqlite3")).returncode == 0
        assert shell("export", "--all", "--out", str(state / "out")).returncode == 0
        assert shell("report", "--csv", str(state / "report.csv")).returncode == 0
        assert shell("report", "--html", str(state / "page.html")).returncode == 0
    finally:
        os.umask(before)
    found = {str(each.relative_to(tmp_path)): each.stat().st_mode & 0o777 for each in (tmp_path / "made").rglob("*")}
    assert len(found) > 10
    wrong = {
        name: oct(mode) for name, mode in found.items() if mode != (0o700 if (tmp_path / name).is_dir() else 0o600)
    }
    assert wrong == {}
