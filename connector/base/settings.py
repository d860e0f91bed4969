"""The only module that reads the environment. Prefix ``CONNECTOR_``; a ``.env`` in the working directory counts too,
where the environment says nothing. A secret may also be in a file, which ``<NAME>_FILE`` names.

Secrets are :class:`pydantic.SecretStr` and show as ``**********`` wherever they are printed.
"""

from __future__ import annotations

import difflib
import io
import os
import re
import ssl
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from dotenv.parser import Original, parse_stream
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from connector.base.errors import ConfigurationError
from connector.base.folders import state_folder
from connector.base.hiding import keep_hidden, secret_parts
from connector.base.web import check_database, check_url

_PREFIX, _ENV_FILE = "CONNECTOR_", ".env"
_DAYS = 36_525  # a century: longer ones leave the calendar when they are counted from today
_SECONDS = _DAYS * 86_400
_INJECTED = re.compile(r"_SERVICE_(HOST|PORT)(_|$)|_PORT_\d+_(TCP|UDP|SCTP)(_|$)")  # names that Kubernetes makes
_SHOWN_IN_PART = {"state", "warehouse_url"}  # the address of a database says which one it is
_OF_OTHERS = re.compile(r"_proxy$|^PGPASSWORD$", re.IGNORECASE)  # variables of libraries that hold secrets
_INJECTED_PORT = re.compile(r"(tcp|udp|sctp)://")  # and what it says in <SERVICE>_PORT
TOGETHER = (
    ("pardot_url", "pardot_business_unit_id"),
    ("warehouse_url", "warehouse_query_file"),
    ("marketo_url", "marketo_client_id"),
    ("marketo_url", "marketo_client_secret"),
)


class SignIn(StrEnum):
    JWT_BEARER = "jwt_bearer"
    CLIENT_CREDENTIALS = "client_credentials"
    ACCESS_TOKEN = "access_token"  # noqa: S105 - the name of a way to sign in


class Settings(BaseModel):
    """Each field is one variable; its description is the reference (``docs/settings.md`` is generated from here)."""

    model_config = ConfigDict(extra="forbid")

    mapping: str = Field("lead-liaison", description="Mapping file, or the name of one that is shipped.")
    state: str = Field(
        default_factory=lambda: f"sqlite:///{state_folder() / 'connector.sqlite3'}",
        repr=False,  # a URL may hold a password
        description="SQLAlchemy URL of the state, on SQLite or PostgreSQL; a plain path means a SQLite file.",
    )
    interval: float = Field(60.0, ge=1, le=_SECONDS, description="Seconds from one cycle's start to the next.")
    log_format: Literal["console", "json"] = Field("console", description="Log lines on stderr.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least important line shown.")
    ca_bundle: Path | None = Field(None, description="PEM file of authorities to trust instead of the usual ones.")
    api_daily_budget: int | None = Field(
        None, ge=1, description="Salesforce API calls a day (UTC) this connector may make."
    )
    overlap: float = Field(
        600.0, ge=0, le=_SECONDS, description="Seconds re-read behind the cursor, for rows that commit late."
    )
    reconcile_interval: float = Field(
        86400.0,
        ge=0,
        le=_SECONDS,
        description="Seconds between two comparisons of all that is known with the org; 0: never.",
    )
    reconcile_calls: int = Field(
        20, ge=5, description="About how many API calls of one cycle go into that; what is left goes on in the next."
    )
    max_changes: int | None = Field(
        None, ge=0, description="A cycle that would change more people and accounts than this stops before it writes."
    )
    forget_deleted_days: float | None = Field(
        None,
        ge=0,
        le=_DAYS,
        description="Days after a person's deletion in Salesforce until they are forgotten; unset: never.",
    )
    sweep_days: float = Field(
        7.0, ge=0, le=_DAYS, description="Days between two comparisons of a source with what is known of it; 0: never."
    )
    evidence_days: float = Field(
        1095.0,
        ge=0,
        le=_DAYS,
        description="Days every activity is kept; an older one while a rule can see it; 0: for ever.",
    )
    write_pack: int = Field(1200, ge=1, le=1200, description="Rows looked at in one request; written 400 a request.")

    salesforce_login_url: str = Field("https://login.salesforce.com", description="Where to sign in.")
    salesforce_instance_url: str | None = Field(None, description="The org's My Domain; needed with an access token.")
    salesforce_access_token: SecretStr | None = Field(None, description="A ready access token.")
    salesforce_client_id: str | None = Field(None, description="Consumer key of the connected app.")
    salesforce_client_secret: SecretStr | None = Field(None, description="Consumer secret: client credentials flow.")
    salesforce_username: str | None = Field(None, description="Integration user: JWT bearer flow.")
    salesforce_private_key_file: Path | None = Field(None, description="PEM private key: JWT bearer flow.")
    salesforce_api_version: str = Field("67.0", description="At least 62.0.")

    pardot_url: str | None = Field(None, description="Account Engagement host, e.g. https://pi.pardot.com; unset: off.")
    pardot_business_unit_id: str | None = Field(None, description="18 characters, starts with 0Uv.")
    marketo_url: str | None = Field(
        None, description="Marketo's address, e.g. https://123-ABC-456.mktorest.com; unset: off."
    )
    marketo_client_id: str | None = Field(None, description="Client id of Marketo's custom service.")
    marketo_client_secret: SecretStr | None = Field(None, description="Client secret of Marketo's custom service.")
    marketo_extracts: bool = Field(
        True, description="Read Marketo's history by bulk extracts, whose queue and daily quota others share."
    )
    hubspot_token: SecretStr | None = Field(None, description="HubSpot service key or private app token; unset: off.")
    hubspot_url: str = Field("https://api.hubapi.com", description="HubSpot's address.")
    hubspot_api_version: str = Field(
        "v3", pattern=r"^(v3|\d{4}-\d{2})$", description="v3, or the month in HubSpot's dated paths, e.g. 2026-03."
    )
    hubspot_reads: str = Field(
        "calls,meetings,emails,communications,tasks,email_events",
        description="What is read beside contacts; there is deals too.",
    )
    hubspot_score: str = Field("hubspotscore", description="Contact property that holds the score.")
    hubspot_crm_ids: str = Field(
        "salesforcecontactid,salesforceleadid", description="Contact properties that hold Salesforce ids."
    )
    hubspot_properties: str = Field("", description="More contact properties to read, separated by commas.")
    activity_folder: Path | None = Field(None, description="Folder with CSV and JSONL files of activities; unset: off.")
    activity_columns: str = Field(
        "", description="What columns of CSV files are called elsewhere, e.g. Email Address=email, Date=occurred_at."
    )
    activity_time_format: str | None = Field(
        None,
        description="Times in files that are not ISO 8601: %m/%d/%Y %I:%M %p; a bar divides several.",
    )
    activity_time_zone: str | None = Field(
        None, description="Zone of times in files and warehouse that have no offset, e.g. Europe/Berlin."
    )
    warehouse_url: SecretStr | None = Field(
        None, description="SQLAlchemy URL of a database that holds activities; unset: off."
    )
    warehouse_query_file: Path | None = Field(None, description="File with the SQL query that gives the activities.")
    taps_file: Path | None = Field(None, description="YAML file that names Singer taps to read; unset: off.")
    taps_quarantine: Path = Field(
        default_factory=lambda: state_folder() / "quarantine",
        description="Folder for lines of taps that cannot be understood.",
    )
    webhook_port: int | None = Field(
        None, ge=0, le=65535, description="Port on which the daemon takes activities over HTTP; unset: off."
    )
    webhook_host: str = Field("127.0.0.1", description="Address it listens on; put a TLS proxy before any other.")
    webhook_secret: SecretStr | None = Field(
        None, description="Standard Webhooks secrets of senders that sign, each as hook:whsec_..., or for any hook."
    )
    webhook_token: SecretStr | None = Field(None, description="Token of senders that cannot sign.")
    webhook_inbox: Path = Field(
        Path("state/webhooks.sqlite3"), description="Where messages are kept until they are recorded."
    )
    alert_webhook_url: SecretStr | None = Field(None, description="Where notices of trouble are posted; unset: off.")
    alert_webhook_secret: SecretStr | None = Field(
        None, description="Standard Webhooks secret that signs these notices: whsec_ and base64."
    )
    alerts: SecretStr | None = Field(
        None, description="Apprise addresses to which notices of trouble go, separated by spaces; unset: off."
    )
    contested_rounds: int = Field(
        3, ge=0, description="How often in a week somebody sets a value back before it is left to them; 0: never."
    )
    alert_refused: int = Field(50, ge=1, description="Refused records at once from which on there is a notice.")
    ping_url: SecretStr | None = Field(
        None, description="Address that is asked after each good cycle, for a service that misses it when none comes."
    )
    http_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port on which the daemon serves the reports, /metrics, /healthz and /readyz; unset: off.",
    )
    http_host: str = Field(
        "127.0.0.1", description="Address it listens on; any other than this machine's needs a token."
    )
    http_token: SecretStr | None = Field(
        None, description="Token that the reports and /metrics ask for, as a bearer's or a password."
    )
    ready_within: float = Field(
        600.0, gt=0, le=_SECONDS, description="Seconds since the last good cycle up to which /readyz is 200."
    )

    def sign_in(self) -> SignIn:
        """Which flow the settings choose. Raises ConfigurationError when none or more than one is set."""
        has_token = self.salesforce_access_token is not None
        has_secret = self.salesforce_client_secret is not None
        has_key = self.salesforce_private_key_file is not None
        chosen = [
            flow
            for flow, is_set in (
                (SignIn.ACCESS_TOKEN, has_token),
                (SignIn.CLIENT_CREDENTIALS, has_secret),
                (SignIn.JWT_BEARER, has_key),
            )
            if is_set
        ]
        if not chosen:
            raise ConfigurationError(
                "no Salesforce credentials are set",
                "set CONNECTOR_SALESFORCE_CLIENT_ID with CONNECTOR_SALESFORCE_USERNAME and"
                " CONNECTOR_SALESFORCE_PRIVATE_KEY_FILE (JWT bearer), or with"
                " CONNECTOR_SALESFORCE_CLIENT_SECRET (client credentials), or"
                " CONNECTOR_SALESFORCE_ACCESS_TOKEN with CONNECTOR_SALESFORCE_INSTANCE_URL",
            )
        if len(chosen) > 1:
            raise ConfigurationError(
                "more than one way to sign in is set: " + ", ".join(chosen),
                "unset all but one of CONNECTOR_SALESFORCE_ACCESS_TOKEN,"
                " CONNECTOR_SALESFORCE_CLIENT_SECRET and CONNECTOR_SALESFORCE_PRIVATE_KEY_FILE",
            )
        needed = {
            SignIn.ACCESS_TOKEN: ("salesforce_instance_url",),
            SignIn.CLIENT_CREDENTIALS: ("salesforce_client_id",),
            SignIn.JWT_BEARER: ("salesforce_client_id", "salesforce_username"),
        }[chosen[0]]
        missing = [variable_of(name) for name in needed if not getattr(self, name)]
        if missing:
            raise ConfigurationError(
                f"signing in by {chosen[0].replace('_', ' ')} also needs {' and '.join(missing)}",
                "set " + " and ".join(missing),
            )
        return chosen[0]

    def has_credentials(self) -> bool:
        return any(
            (
                self.salesforce_access_token,
                self.salesforce_client_secret,
                self.salesforce_private_key_file,
            )
        )


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment. Raises ConfigurationError naming each wrong variable, never its value."""
    given = {**_file(), **_environment()}
    values = {name: given[variable] for name in Settings.model_fields if (variable := variable_of(name)) in given}
    try:
        settings = Settings(**{**values, **_from_files(given), **overrides})
    except ValidationError as error:
        wrong = [
            f"{variable_of('_'.join(str(part) for part in item['loc']))}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False)
        ]
        raise ConfigurationError("settings are wrong: " + "; ".join(wrong), "see docs/settings.md") from None
    return _checked(settings)


def as_given(name: str) -> str | None:
    """What the environment says of one setting, right or wrong."""
    return {**_file(), **_environment()}.get(variable_of(name))


def explicit(**values: Any) -> Settings:
    """Settings from these values and defaults alone, whatever the environment says: for the demo and for tests."""
    return _checked(Settings(**values))


def _checked(settings: Settings) -> Settings:
    """From here on nothing shows what is secret in them, or in the addresses of proxies."""
    for name in secrets():
        given = getattr(settings, name)
        text = given.get_secret_value() if isinstance(given, SecretStr) else given or ""
        keep_hidden(secret_parts(text, is_whole=name not in _SHOWN_IN_PART))
    for name, text in os.environ.items():  # noqa: TID251 - the one place
        if _OF_OTHERS.search(name):
            keep_hidden(secret_parts(text, is_whole="://" not in text))
    _check(settings)
    return settings


def variable_of(setting: str) -> str:
    return _PREFIX + setting.upper()


def secrets() -> list[str]:
    """The settings that may also be read from a file: all that hold a secret, as the address of a state may."""
    return [name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)] + ["state"]


def strangers() -> list[str]:
    """What to say of variables in the environment that begin like ours and are none."""
    return [f"{_no_such(name)} it is ignored" for name in sorted(_environment().keys() - _known())]


def surroundings() -> dict[str, str]:
    """The environment that a program of others is given: all but what is ours, which holds secrets."""
    return {name: value for name, value in os.environ.items() if not name.upper().startswith(_PREFIX)}  # noqa: TID251


def _environment() -> dict[str, str]:
    """The variables that begin like ours and are not empty, their names in capitals, but for those that Kubernetes
    sets for a Service whose name begins like ours."""
    return {
        name.upper(): value
        for name, value in os.environ.items()  # noqa: TID251 - the one place
        if name.upper().startswith(_PREFIX) and value and not _INJECTED.search(name) and not _INJECTED_PORT.match(value)
    }


def _file() -> dict[str, str]:
    """The same of ``.env``. A misspelt variable would be ignored in silence there, so it is a mistake."""
    try:
        text = Path(_ENV_FILE).read_text(encoding="utf-8-sig")
    except (FileNotFoundError, IsADirectoryError):  # a folder: somebody's virtual environment
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{_ENV_FILE} cannot be read: {_why(error)}", "save it as UTF-8 text") from None
    for line in parse_stream(io.StringIO(text)):
        where = f"{_ENV_FILE}:{_line(line.original)}"
        if line.error:
            raise ConfigurationError(f"{where} is not a setting", "write it like CONNECTOR_INTERVAL=60")
        name = (line.key or "").upper()
        if name.startswith(_PREFIX) and name not in _known():
            raise ConfigurationError(f"{where}: {_no_such(name).rstrip(';')}", "remove it, or see docs/settings.md")
    values = dotenv_values(stream=io.StringIO(text))
    return {name.upper(): value for name, value in values.items() if name.upper() in _known() and value}


def _line(original: Original) -> int:
    """Where it begins; the parser takes empty lines before it for its own."""
    blank = original.string[: len(original.string) - len(original.string.lstrip())]
    return original.line + blank.count("\n")


def _from_files(given: Mapping[str, str]) -> dict[str, str]:
    """The secrets that files hold. Raises ConfigurationError for one that is also set, or whose file cannot be read."""
    found = {}
    for name in secrets():
        variable = variable_of(name)
        if (path := given.get(f"{variable}_FILE")) is None:
            continue
        if variable in given:
            raise ConfigurationError(f"{variable} and {variable}_FILE are both set", "unset one of them")
        try:
            found[name] = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"the file {path} of {variable}_FILE cannot be read: {_why(error)}",
                "check its path, and that the user running the connector may read it",
            ) from None
        if not found[name]:
            raise ConfigurationError(f"the file {path} of {variable}_FILE is empty", "write the value into it")
    return found


def _why(error: OSError | UnicodeDecodeError) -> str:
    return str(error.strerror) if isinstance(error, OSError) else "it is not text"


def _known() -> set[str]:
    return {*map(variable_of, Settings.model_fields)} | {f"{variable_of(name)}_FILE" for name in secrets()}


def _no_such(variable: str) -> str:
    known = [each.removeprefix(_PREFIX) for each in _known()]  # without what is alike in all
    near = difflib.get_close_matches(variable.removeprefix(_PREFIX), known, n=1)
    return f"there is no setting {variable};" + (f" did you mean {_PREFIX}{near[0]}?" if near else "")


def _check(settings: Settings) -> None:
    for name in ("salesforce_login_url", "salesforce_instance_url", "pardot_url", "marketo_url", "hubspot_url"):
        if url := getattr(settings, name):
            check_url(url, variable_of(name))
            if urlsplit(url).query:
                raise ConfigurationError(
                    f"{variable_of(name)} has parameters, and is shown and stored", "write it like https://host"
                )
    check_database(settings.state, variable_of("state"))
    warehouse = settings.warehouse_url
    check_database(warehouse.get_secret_value() if warehouse else "", variable_of("warehouse_url"))
    if settings.ca_bundle is not None:
        _check_authorities(settings.ca_bundle)
    if not re.fullmatch(r"\d{2,3}\.0", version := settings.salesforce_api_version):
        raise ConfigurationError(f"CONNECTOR_SALESFORCE_API_VERSION is not a version: {version}", "write it like 67.0")
    for one, other in TOGETHER:
        if bool(getattr(settings, one)) != bool(getattr(settings, other)):
            raise ConfigurationError(f"{variable_of(one)} and {variable_of(other)} go together", "set both, or neither")


def _check_authorities(bundle: Path) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(bundle)
    except (ssl.SSLError, OSError) as error:
        why = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigurationError(
            f"CONNECTOR_CA_BUNDLE: the file {bundle} cannot be used: {why}", "name a file in PEM form"
        ) from None
