"""The composition root: settings become a pipeline. Nothing else builds adapters."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from sqlalchemy.engine import make_url

from connector import mapping as mappings
from connector.clock import Clock, SystemClock
from connector.cycle import SALESFORCE, Pipeline, silent
from connector.facts import Activity, Row
from connector.lifecycle.activity import HasActivity
from connector.lifecycle.conditions import PEOPLE
from connector.mapping import Mapping
from connector.poll import PolledObject, Tell
from connector.salesforce import SalesforceClient, open_salesforce
from connector.salesforce.activities import (
    BOUNCE_FIELDS,
    CAMPAIGN_MEMBER_FIELDS,
    EVENT_FIELDS,
    EVENT_OPTIONAL_FIELDS,
    TASK_FIELDS,
    TASK_OPTIONAL_FIELDS,
    bounce_activity,
    campaign_member_activity,
    event_activity,
    task_activity,
)
from connector.settings import Settings
from connector.sources import open_sources
from connector.store import Store, copy_state, open_store

# In the order they are read: people first, so that a role never waits for its contact; roles in the second request.
OBJECTS = ("Account", "Contact", "Lead", "Opportunity", "OpportunityContactRole", "Task", "Event", "CampaignMember")
ACTIVITIES: dict[str, tuple[tuple[str, ...], Callable[[Row], Activity | None]]] = {
    "Task": (TASK_FIELDS, task_activity),
    "Event": (EVENT_FIELDS, event_activity),
    "CampaignMember": (CAMPAIGN_MEMBER_FIELDS, campaign_member_activity),
}
OPTIONAL = {"Task": TASK_OPTIONAL_FIELDS, "Event": EVENT_OPTIONAL_FIELDS}
# Read only when the mapping asks: accounts when a rule looks at their fields, members and bounces when one names their
# kind.
CAMPAIGN_RESPONSE, EMAIL_BOUNCE = "campaign_response", "email_bounce"
IDENTITY = {  # what the store needs of an object to know who is who, whatever the mapping says
    "Contact": ("AccountId", "Email", "MasterRecordId", "Name", "CreatedDate"),
    "Lead": (
        "Email",
        "MasterRecordId",
        "Name",
        "CreatedDate",
        "IsConverted",
        "ConvertedContactId",
        "ConvertedDate",
        "ConvertedOpportunityId",
    ),
    "Opportunity": ("AccountId", "Name", "StageName", "IsWon", "IsClosed", "CloseDate", "CreatedDate"),
    "OpportunityContactRole": ("OpportunityId", "ContactId", "Role", "IsPrimary", "CreatedDate"),
}


def load_mapping(settings: Settings) -> Mapping:
    return mappings.load(settings.mapping)


def polled_objects(mapping: Mapping) -> list[PolledObject]:
    """What to read of each object: what identity needs, and what the mapping's rules look at."""
    objects = []
    is_off, named = SALESFORCE in off(mapping), kinds_named(mapping, SALESFORCE)
    needless = set() if CAMPAIGN_RESPONSE in named else {"CampaignMember"}
    needless |= set() if mapping.reads.get("Account") else {"Account"}
    needless |= set(ACTIVITIES) if is_off else set()
    for name in (each for each in OBJECTS if each not in needless):
        asked = mapping.reads.get(name, frozenset())
        always, to_activity = ACTIVITIES.get(name, (IDENTITY.get(name, ()), None))
        optional = OPTIONAL.get(name, ())
        objects.append(PolledObject(name, tuple(sorted({*always, *asked})), to_activity, optional))
    if EMAIL_BOUNCE in named and not is_off:
        objects = [with_bounces(each) if each.name in PEOPLE else each for each in objects]
    return objects


def with_bounces(each: PolledObject) -> PolledObject:
    return replace(each, optional=(*each.optional, *BOUNCE_FIELDS), also=partial(bounce_activity, each.name))


def kinds_named(mapping: Mapping, source: str | None = None) -> frozenset[str]:
    """The activity kinds that the mapping names: in conditions, and of its sources (of one only, when one is given)."""
    asked = {kind for each in mapping.model.walk() if isinstance(each, HasActivity) for kind in each.kinds}
    declared = [each for each in mapping.model.sources if source in (None, each.name) and not each.but]
    return frozenset(asked.union(*(each.kinds or () for each in declared)))


def off(mapping: Mapping) -> frozenset[str]:
    """The sources that the mapping switches off."""
    return frozenset(each.name for each in mapping.model.sources if each.is_off)


def state_url(settings: Settings) -> str:
    """The state as a SQLAlchemy URL; a plain path means a SQLite file."""
    return settings.state if "://" in settings.state else f"sqlite:///{settings.state}"


@contextmanager
def open_pipeline(
    settings: Settings,
    *,
    clock: Clock | None = None,
    tell: Tell = silent,
    stop: Callable[[], bool] = lambda: False,
    dry_run: bool = False,
) -> Iterator[Pipeline]:
    """Everything a cycle needs. The mapping and the credentials are checked before the state is touched; a dry run
    works on a copy of the state that is thrown away."""
    clock = clock or SystemClock(stop)
    mapping = load_mapping(settings)
    settings.sign_in()  # says what is missing before anything is opened
    with _open_state(settings, clock, dry_run) as store, open_client(settings, clock, store) as salesforce:
        yield Pipeline(
            mapping=mapping,
            store=store,
            salesforce=salesforce,
            sources=open_sources(settings, salesforce.auth, clock, kinds_named(mapping), off(mapping)),
            objects=polled_objects(mapping),
            clock=clock,
            overlap=timedelta(seconds=settings.overlap),
            pack=settings.write_pack,
            max_changes=settings.max_changes,
            tell=tell,
            stop=stop,
        )


@contextmanager
def open_client(settings: Settings, clock: Clock, store: Store | None = None) -> Iterator[SalesforceClient]:
    """A client that signs in when first used. With a store, each call is counted there as it is made, so that the daily
    budget also holds over restarts and crashes."""

    def left() -> int | None:
        if settings.api_daily_budget is None or store is None:
            return None
        return settings.api_daily_budget - sum(store.calls_on(clock.now().date()).get(SALESFORCE, {}).values())

    def made(kind: str) -> None:
        if store is not None:
            store.add_calls(clock.now().date(), {kind: 1}, source=SALESFORCE)

    salesforce = open_salesforce(settings, clock, budget=left, on_call=made)
    try:
        yield salesforce
    finally:
        salesforce.close()


@contextmanager
def open_state(settings: Settings, clock: Clock | None = None, *, exclusive: bool = False) -> Iterator[Store]:
    """The state as it is, for reading it; never creates one."""
    with open_store(state_url(settings), clock=clock or SystemClock(), exclusive=exclusive, create=False) as store:
        yield store


@contextmanager
def _open_state(settings: Settings, clock: Clock, dry_run: bool) -> Iterator[Store]:
    url = state_url(settings)
    if not dry_run:
        with open_store(url, clock=clock, exclusive=True) as store:
            yield store
        return
    with tempfile.TemporaryDirectory(prefix="connector-dry-run-") as folder:
        copy = Path(folder) / "state.sqlite3"
        copy_state(url, copy)
        with open_store(f"sqlite:///{copy}", clock=clock) as store:
            yield store


def open_copy(settings: Settings, clock: Clock) -> AbstractContextManager[Store]:
    """A copy of the state to try something with, thrown away afterwards."""
    return _open_state(settings, clock, dry_run=True)


def heartbeat_file(settings: Settings) -> Path:
    """Beside a SQLite state; otherwise in the working directory's state folder."""
    parsed = make_url(state_url(settings))
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        return Path(parsed.database + ".heartbeat")
    return Path("state") / "connector.heartbeat"
