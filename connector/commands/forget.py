"""``connector forget``: a person's names, addresses and texts leave the state and what is beside it."""

from __future__ import annotations

from connector.base.clock import SystemClock
from connector.base.errors import ConfigurationError, StateError
from connector.base.ids import id18
from connector.base.json import JsonObject
from connector.base.settings import Settings
from connector.base.text import count, printable
from connector.commands.status import load_mapping_or_none
from connector.pipeline.forgetting import forget_people, kept_fields
from connector.store import Footprint, Store, open_store
from connector.wiring import beside_the_state, open_state, state_url


def run_forget(settings: Settings, query: str, *, doing: bool) -> JsonObject:
    """What is kept of them, and where. ``doing``: then it is gone, or the daemon that has the state does it in its
    next cycle. Raises ConfigurationError where nobody is known by that."""
    files, clock = beside_the_state(settings), SystemClock()
    with open_state(settings, writes=True) as store:
        who = _found(store, query)
        preview = _told(who, files.mentioning(who))
    if not doing:
        return preview | {"result": "preview"}
    try:
        with open_store(state_url(settings), clock=clock, exclusive=True, create=False) as store:
            keep = kept_fields(load_mapping_or_none(settings))
            forget_people(store, [who], keep, files.forget, clock.now())
    except StateError as error:
        if "in use by another" not in error.what:
            raise
        with open_state(settings, writes=True) as store:
            store.ask_to_forget([next(iter(who.records or who.prospects))], clock.now())
        return preview | {"result": "asked"}
    return preview | {"result": "forgotten"}


def _found(store: Store, query: str) -> Footprint:
    ids = store.find_people(id18(query) or query, ever=True)
    if not ids:
        raise ConfigurationError(
            f"the state knows nobody with the id or e-mail {query}", "check the spelling; it may be forgotten already"
        )
    return store.footprint(ids)


def _told(who: Footprint, files: list[str]) -> JsonObject:
    return {
        "records": list(who.records),
        "prospects": list(who.prospects),
        "addresses": list(who.addresses),
        "addresses_of_others_too": list(who.shared),
        "rows": dict(who.found),
        "files": files,
    }


_LISTS = ("records", "prospects", "addresses", "addresses_of_others_too", "files")
_RESULTS = {
    "preview": "nothing was changed; the same command with --yes forgets them, for good",
    "asked": "a connector has this state in use: it forgets them at the beginning of its next cycle",
    "forgotten": "forgotten: names, addresses and texts are gone; ids, stages, dates and counts stay",
}


def forget_text(told: JsonObject) -> str:
    told = {**told, **{name: [printable(each) for each in told[name]] for name in _LISTS}}
    rows = ", ".join(count(number, what.removesuffix("s"), what) for what, number in told["rows"].items() if number)
    lines = [f"known as {', '.join([*told['records'], *told['prospects'], *told['addresses']])}", f"kept: {rows}"]
    if told["addresses_of_others_too"]:
        lines.append(f"stays, since other records have it, too: {', '.join(told['addresses_of_others_too'])}")
    lines += [f"named in {each}" for each in told["files"]]
    return "\n".join([*lines, _RESULTS[told["result"]]])
