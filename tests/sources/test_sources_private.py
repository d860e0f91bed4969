"""What people sent is for the eyes of the connector's own user."""

from pathlib import Path

from connector.sources.webhook.inbox import Inbox


def test_the_inbox_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "inbox.sqlite3"
    path.touch(mode=0o644)
    Inbox(path).after(0, 1)
    assert {each.name: oct(each.stat().st_mode & 0o777) for each in tmp_path.iterdir()} == {path.name: "0o600"}
