"""Settings: what is accepted, and that what is wrong is said without showing a value."""

import os
from pathlib import Path

import pytest

from connector.base import heartbeat, settings
from connector.base.errors import ConfigurationError
from connector.base.web import is_loopback, is_this_machine

KEY = {"salesforce_client_id": "id", "salesforce_username": "u@example.com", "salesforce_private_key_file": "/key.pem"}
SECRET = {"salesforce_client_id": "id", "salesforce_client_secret": "hush"}
TOKEN = {"salesforce_access_token": "hush", "salesforce_instance_url": "https://acme.example"}


@pytest.mark.parametrize(
    ("given", "flow"), [(KEY, "jwt_bearer"), (SECRET, "client_credentials"), (TOKEN, "access_token")]
)
def test_the_way_to_sign_in_follows_from_what_is_set(given, flow):
    assert settings.explicit(**given).sign_in() == flow


@pytest.mark.parametrize("receipt", ["uv-receipt.toml", "pipx_metadata.json"])
def test_a_tool_keeps_its_state_with_its_user_unless_it_works_in_a_folder_of_a_project(receipt, tmp_path, monkeypatch):
    here, theirs = tmp_path / "here", tmp_path / "theirs"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("XDG_STATE_HOME", str(theirs))
    assert settings.load_settings().state == "sqlite:///state/connector.sqlite3", "no tool"
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    (tmp_path / receipt).touch()
    found, folder = settings.load_settings(), theirs / "lifecycle-connector"
    assert (found.state, found.taps_quarantine) == (f"sqlite:///{folder}/connector.sqlite3", folder / "quarantine")
    assert heartbeat.beside("postgresql://host/db") == folder / "connector.heartbeat"
    assert settings.load_settings(state="mine.sqlite3").state == "mine.sqlite3"
    (here / ".env").touch()
    assert settings.load_settings().state == "sqlite:///state/connector.sqlite3"
    (here / ".env").unlink()
    (here / "state").mkdir()
    assert heartbeat.beside("postgresql://host/db") == Path("state/connector.heartbeat")


@pytest.mark.parametrize("given", [KEY | SECRET, KEY | TOKEN, SECRET | TOKEN])
def test_two_ways_to_sign_in_are_an_error_that_names_both(given):
    with pytest.raises(ConfigurationError, match=r"more than one way.*, "):
        settings.explicit(**given).sign_in()


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, "no Salesforce credentials"),
        ({"salesforce_private_key_file": "/key.pem"}, "CLIENT_ID and CONNECTOR_SALESFORCE_USERNAME"),
        ({"salesforce_client_secret": "hush"}, "CONNECTOR_SALESFORCE_CLIENT_ID"),
        ({"salesforce_access_token": "hush"}, "CONNECTOR_SALESFORCE_INSTANCE_URL"),
    ],
)
def test_missing_credentials_are_named(given, missing):
    with pytest.raises(ConfigurationError, match=missing) as caught:
        settings.explicit(**given).sign_in()
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://acme.my.salesforce.com", "ftp://acme.example", "acme.example", "http://127.evil.com"]
)
def test_plain_http_is_for_this_machine_only(url):
    with pytest.raises(ConfigurationError):
        settings.explicit(salesforce_login_url=url)


@pytest.mark.parametrize("url", ["http://[::1", "https://acme.example:99999", "https://acme.example:a", "https://[a]"])
def test_an_address_that_is_none_is_told_as_such(url):
    with pytest.raises(ConfigurationError):
        settings.explicit(salesforce_login_url=url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8123", "http://localhost:1", "http://[::1]:5", "https://acme.example"]
)
def test_loopback_and_https_are_accepted(url):
    assert settings.explicit(salesforce_login_url=url).salesforce_login_url == url


@pytest.mark.parametrize("host", ["127.evil.com", "127.0.0.1.evil.com", "127.0.0.256", "::2", "10.0.0.1", ""])
def test_what_only_begins_like_this_machine_is_another(host):
    assert not is_this_machine(host)
    assert not is_loopback(f"http://{host}:80/x" if ":" not in host else f"http://[{host}]/x")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.5.6.7", "::1", "localhost", "LOCALHOST"])
def test_this_machine_is_known_by_its_name(host):
    assert is_this_machine(host)


def test_a_wrong_value_is_named_by_its_variable_and_not_shown(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONNECTOR_INTERVAL", "hush-not-a-number")
    monkeypatch.setenv("CONNECTOR_LOG_FORMAT", "xml")
    with pytest.raises(ConfigurationError) as caught:
        settings.load_settings()
    assert "CONNECTOR_INTERVAL" in str(caught.value)
    assert "CONNECTOR_LOG_FORMAT" in str(caught.value)
    assert "hush" not in str(caught.value)


SPANS = [name for name, each in settings.Settings.model_fields.items() if each.annotation in (float, float | None)]


@pytest.mark.parametrize("name", SPANS)
@pytest.mark.parametrize("value", ["1e30", "inf", "nan", "-1"])
def test_a_span_that_no_calendar_holds_is_a_wrong_value(monkeypatch, folder, name, value):
    monkeypatch.setenv(f"CONNECTOR_{name.upper()}", value)
    with pytest.raises(ConfigurationError, match=f"CONNECTOR_{name.upper()}"):
        settings.load_settings()


def test_secrets_do_not_show_when_settings_are_printed():
    assert "hush" not in repr(settings.explicit(**SECRET))


def test_a_misspelt_variable_is_an_error_with_the_right_name(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("CONNECTOR_SALESFORCE_USER=x\n")
    with pytest.raises(ConfigurationError, match=r"CONNECTOR_SALESFORCE_USER.*CONNECTOR_SALESFORCE_USERNAME"):
        settings.load_settings()


def test_a_dotenv_file_counts_and_the_environment_wins(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("CONNECTOR_INTERVAL=5\nCONNECTOR_MAPPING=mine.yaml\nOTHER=1\n")
    monkeypatch.setenv("CONNECTOR_INTERVAL", "7")
    loaded = settings.load_settings()
    assert (loaded.interval, loaded.mapping) == (7, "mine.yaml")


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """An empty working directory, and nothing of ours in the environment."""
    for name in [each for each in os.environ if each.startswith("CONNECTOR_")]:  # noqa: TID251 - a test's own
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_kubernetes_injects_for_a_service_of_that_name_is_not_ours(folder, monkeypatch):
    for name in ("CONNECTOR_PORT", "CONNECTOR_SERVICE_HOST", "CONNECTOR_SERVICE_PORT", "CONNECTOR_SERVICE_PORT_HTTP"):
        monkeypatch.setenv(name, "tcp://10.0.0.1:80")
    monkeypatch.setenv("CONNECTOR_PORT_80_TCP_ADDR", "10.0.0.1")
    settings.load_settings()
    assert settings.strangers() == []


def test_a_port_that_kubernetes_injects_for_a_service_called_connector_webhook_is_no_port_of_ours(folder, monkeypatch):
    monkeypatch.setenv("CONNECTOR_WEBHOOK_PORT", "tcp://10.0.0.2:8080")
    monkeypatch.setenv("CONNECTOR_WEBHOOK_SERVICE_PORT", "8080")
    monkeypatch.setenv("CONNECTOR_WEBHOOK_PORT_8080_TCP_ADDR", "10.0.0.2")
    assert settings.load_settings().webhook_port is None
    (folder / ".env").write_text("CONNECTOR_WEBHOOK_PORT=8081\n")
    assert settings.load_settings().webhook_port == 8081
    assert settings.strangers() == []


def test_a_name_that_is_like_none_of_ours_is_not_guessed_at(folder, monkeypatch):
    monkeypatch.setenv("CONNECTOR_X", "1")
    assert settings.strangers() == ["there is no setting CONNECTOR_X; it is ignored"]


def test_a_variable_that_is_empty_counts_as_not_set(folder, monkeypatch):
    (folder / ".env").write_text("CONNECTOR_INTERVAL=30\nCONNECTOR_API_DAILY_BUDGET=\n")
    monkeypatch.setenv("CONNECTOR_INTERVAL", "")
    monkeypatch.setenv("CONNECTOR_NOTHING", "")
    loaded = settings.load_settings()
    assert (loaded.interval, loaded.api_daily_budget, settings.strangers()) == (30, None, [])


def test_names_count_in_small_letters_too(folder, monkeypatch):
    (folder / ".env").write_text("connector_mapping=states\n")
    monkeypatch.setenv("connector_interval", "30")
    loaded = settings.load_settings()
    assert (loaded.interval, loaded.mapping) == (30, "states")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"CONNECTOR_MAPPING=m\xfcller\n", r"\.env cannot be read: it is not text"),
        (b"CONNECTOR_INTERVAL=60\n\nnot a line\n", r"\.env:3 is not a setting"),
        (b"CONNECTOR_INTERVAL='60\n", r"\.env:1 is not a setting"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_with_the_line(folder, content, said):
    (folder / ".env").write_bytes(content)
    with pytest.raises(ConfigurationError, match=said):
        settings.load_settings()


def test_a_file_as_a_windows_editor_saves_it_counts(folder):
    (folder / ".env").write_bytes(b"\xef\xbb\xbfCONNECTOR_MAPPING=states\r\nCONNECTOR_INTERVAL=5\r\n")
    loaded = settings.load_settings()
    assert (loaded.mapping, loaded.interval) == ("states", 5)


def test_a_folder_of_that_name_is_somebodys_virtual_environment(folder):
    (folder / ".env").mkdir()
    assert settings.load_settings().interval == 60


def test_an_unknown_variable_of_the_environment_is_told_and_no_error(folder, monkeypatch):
    monkeypatch.setenv("CONNECTOR_INTERVALL", "60")
    settings.load_settings()
    assert settings.strangers() == [
        "there is no setting CONNECTOR_INTERVALL; did you mean CONNECTOR_INTERVAL? it is ignored"
    ]


def test_an_unknown_variable_in_the_file_is_an_error(folder):
    (folder / ".env").write_text("# how often\n\nCONNECTOR_INTERVALL=60\n")
    with pytest.raises(ConfigurationError, match=r"\.env:3: there is no setting CONNECTOR_INTERVALL; did you mean"):
        settings.load_settings()


@pytest.mark.parametrize("name", settings.secrets())
def test_every_secret_may_be_in_a_file(folder, monkeypatch, name):
    (folder / "secret").write_text("sqlite:///hush\n")
    monkeypatch.setenv(f"CONNECTOR_{name.upper()}_FILE", str(folder / "secret"))
    together = {"marketo_client_secret": "CONNECTOR_MARKETO_URL", "warehouse_url": "CONNECTOR_WAREHOUSE_QUERY_FILE"}
    if name in together:
        monkeypatch.setenv(together[name], "https://acme.mktorest.com")
        monkeypatch.setenv("CONNECTOR_MARKETO_CLIENT_ID", "id")
        monkeypatch.setenv("CONNECTOR_MARKETO_URL", "https://acme.mktorest.com")
        if name == "warehouse_url":
            monkeypatch.setenv("CONNECTOR_MARKETO_CLIENT_SECRET", "other")
    value = getattr(settings.load_settings(), name)
    assert (value if isinstance(value, str) else value.get_secret_value()) == "sqlite:///hush"


def test_a_secret_that_is_set_twice_or_whose_file_cannot_be_read_is_named_not_shown(folder, monkeypatch):
    monkeypatch.setenv("CONNECTOR_HUBSPOT_TOKEN_FILE", str(folder / "none"))
    with pytest.raises(ConfigurationError, match="CONNECTOR_HUBSPOT_TOKEN_FILE cannot be read: No such file"):
        settings.load_settings()
    monkeypatch.setenv("CONNECTOR_HUBSPOT_TOKEN", "hush")
    with pytest.raises(ConfigurationError, match="both set") as caught:
        settings.load_settings()
    assert "hush" not in str(caught.value)


def test_a_secret_in_an_empty_file_is_a_mistake(folder, monkeypatch):
    (folder / "secret").write_text("\n")
    monkeypatch.setenv("CONNECTOR_HUBSPOT_TOKEN_FILE", str(folder / "secret"))
    with pytest.raises(ConfigurationError, match="CONNECTOR_HUBSPOT_TOKEN_FILE is empty"):
        settings.load_settings()


def test_the_reference_names_the_file_of_every_secret():
    page = (Path(__file__).parents[1] / "docs" / "settings.md").read_text()
    assert [name for name in settings.secrets() if f"`{settings.variable_of(name)}_FILE`" not in page] == []


@pytest.mark.parametrize(("content", "why"), [(None, "No such file"), ("no certificate", "it holds no certificate")])
def test_a_file_of_authorities_that_cannot_be_used_is_told_before_anybody_is_asked(folder, monkeypatch, content, why):
    if content:
        (folder / "ca.pem").write_text(content)
    monkeypatch.setenv("CONNECTOR_CA_BUNDLE", "ca.pem")
    with pytest.raises(ConfigurationError, match=f"CONNECTOR_CA_BUNDLE: the file ca.pem cannot be used: {why}"):
        settings.load_settings()


@pytest.mark.parametrize("address", ["https://ann:pw-5ecret@host.example", "https://host.example/?token=pw-5ecret"])
@pytest.mark.parametrize(
    "name", ["salesforce_login_url", "salesforce_instance_url", "pardot_url", "marketo_url", "hubspot_url"]
)
def test_an_address_with_a_secret_in_it_is_refused_and_not_shown(name, address):
    with pytest.raises(ConfigurationError) as refused:
        settings.explicit(**{name: address})
    assert "pw-5ecret" not in str(refused.value)
    assert name.upper() in str(refused.value)


@pytest.mark.parametrize("name", ["state", "warehouse_url"])
@pytest.mark.parametrize("password", ["pw@5ecret", "@5ecret", "pw@5ec@ret", "p/w?x@5ecret"])
def test_a_password_of_a_database_with_a_bare_at_is_refused_and_not_shown(name, password):
    with pytest.raises(ConfigurationError, match="has an @") as refused:
        settings.explicit(**{name: f"postgresql+psycopg://ann:{password}@db.example/x"})
    assert "5ec" not in str(refused.value)
    assert name.upper() in str(refused.value)


@pytest.mark.parametrize(
    "url",
    ["postgresql+psycopg://ann:pw%405ecret@db/x", "postgresql://ann@db/x?options=a@b", "/srv/a@b@c.sqlite3", "a@b@c"],
)
def test_other_addresses_of_databases_with_an_at_are_taken(url):
    assert settings.explicit(state=url).state == url
