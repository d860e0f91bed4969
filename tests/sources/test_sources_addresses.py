"""What comes from an address reaches whoever has it, in any system, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from connector.base.clock import FrozenClock
from connector.commands.explain import explain_people
from connector.commands.explain_text import explanation
from practice_org.salesforce.schema import FieldSpec
from tests.sources.test_sources_together import Site

WORK = {"email": "ann@work.example"}
FORM = {"type": "form_submit", "event_id": "1", "occurred_at": "2026-01-01T10:00:00Z"}
CLICK = {"type": "CLICK", "recipient": "ann@private.example"}


@pytest.fixture
def site(tmp_path: Path, clock: FrozenClock) -> Iterator[Site]:
    made = Site(tmp_path / "state.sqlite3", clock)
    made.org.update("Contact", [{"Id": made.ann, "Email": "ann@work.example"}])
    yield made
    made.close()


def drop(site: Site, name: str, *lines: Mapping[str, Any]) -> dict[str, Any]:
    """Lines for the files' source, and the settings that let it read them."""
    folder = site.state.parent / "drop"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("".join(json.dumps(each) + "\n" for each in lines))
    return {"activity_folder": folder}


@pytest.mark.situation(17)
def test_a_click_on_the_address_that_only_hubspot_knows_reaches_the_contact_it_is_tied_to(site: Site) -> None:
    site.hubspot.add_contacts([{"email": "ann@private.example", "salesforcecontactid": site.ann}])
    site.hubspot.add_email_events([CLICK])
    site.cycle()
    assert site.stage() == "Engaged"


@pytest.mark.situation(3)
def test_a_contact_is_found_by_the_second_address_that_hubspot_knows(site: Site) -> None:
    [known] = site.hubspot.add_contacts(
        [{"email": "ann@private.example", "hs_additional_emails": "old@x.example;ann@work.example"}]
    )
    site.hubspot.add_engagements("calls", [{"hs_call_direction": "INBOUND", "contacts": [known]}])
    site.cycle()
    assert site.stage() == "Engaged"


@pytest.mark.situation(3)
def test_a_merge_in_hubspot_that_keeps_the_other_address_takes_nothing_away(site: Site) -> None:
    work, private = site.hubspot.add_contacts([WORK, {"email": "ann@private.example"}])
    site.hubspot.add_engagements("calls", [{"hs_call_direction": "INBOUND", "contacts": [work]}])
    both = {"mapping": _mapping(site, "gate: {stage: {direction: both}}\n")}
    site.cycle(**both)
    assert site.stage() == "Engaged"
    site.hubspot.add_engagements("calls", [{"hs_call_direction": "INBOUND", "contacts": [private]}])
    site.hubspot.merge(private, work)
    _, known = site.cycle(**both)
    assert known == {"hubspot": 2}, "and nothing counts twice"
    assert site.stage() == "Engaged"


def known_in_three_places(site: Site) -> tuple[int, str]:
    """Ann is a contact whose Email was corrected, a prospect of HubSpot with two addresses more, and, not merged yet,
    another contact: the ids of the latter two."""
    known = {"email": "ann@private.example", "hs_additional_emails": "old@x.example", "salesforcecontactid": site.ann}
    [own] = site.hubspot.add_contacts([known])
    site.cycle()
    site.org.update("Contact", [{"Id": site.ann, "Email": "ann@new.example"}])
    [loser] = site.org.create("Contact", [{"LastName": "Ann", "Email": "ann@second.example"}])
    site.cycle()
    return own, loser


def test_explain_shows_all_ids_and_addresses_that_are_one_person_and_whence_they_are(site: Site) -> None:
    own, loser = known_in_three_places(site)
    site.org.merge("Contact", site.ann, [loser])
    site.cycle()
    [told] = explain_people(site.practice.settings(state=str(site.state)), "old@x.example")
    assert (told["person"], told["aliases"], told["prospects"]) == (site.ann, [loser], [f"hubspot:{own}"])
    assert told["addresses"] == {
        "ann@private.example": f"hubspot:{own}",
        "old@x.example": f"hubspot:{own}",
        "ann@work.example": "former",
        "ann@second.example": loser,
    }


def test_explain_shows_since_when_and_until_when_each_id_and_address_is_theirs(site: Site) -> None:
    own, loser = known_in_three_places(site)
    site.hubspot.update_contacts([{"id": own, "hs_additional_emails": ""}])
    site.org.merge("Contact", site.ann, [loser])
    site.cycle()
    [told] = explain_people(site.practice.settings(state=str(site.state)), site.ann)
    found = {each["value"]: each for each in told["identifiers"]}
    assert found.keys() == {
        site.ann, loser, f"hubspot:{own}",
        "ann@new.example", "ann@work.example", "ann@second.example", "ann@private.example", "old@x.example",
    }  # fmt: skip
    ended = {value for value, each in found.items() if each["until"]}
    assert ended == {loser, "ann@work.example", "ann@second.example", "old@x.example"}
    assert found["ann@work.example"]["until"] == found["ann@new.example"]["since"]
    assert found["ann@second.example"]["until"] == found[loser]["until"]
    assert found[f"hubspot:{own}"]["since"] == found["ann@private.example"]["since"] < found["old@x.example"]["until"]
    explanation(Console(width=400, file=(screen := StringIO())), told)
    assert "ann@work.example (former, since" in screen.getvalue()


@pytest.mark.situation(14)
def test_a_form_sent_from_another_address_field_is_found_where_the_mapping_names_the_field(site: Site) -> None:
    for name in ("Contact", "Lead"):
        site.org.define(name, [FieldSpec("Work_Email__c", "email")])
    site.org.update("Contact", [{"Id": site.ann, "Work_Email__c": "Ann@Second.example"}])
    files = drop(site, "forms.jsonl", {**FORM, "email": "ann@second.example"})
    site.cycle(**files)
    assert site.stage() == "Suspect"
    site.cycle(**files, mapping=_mapping(site, "identity: {addresses: [Email, Work_Email__c]}\n"))
    assert site.stage() == "Engaged", "found when the mapping names the field, also what was read before"


def test_a_form_by_an_address_that_only_the_senders_own_person_has_reaches_the_record_it_names(site: Site) -> None:
    person = {"type": "person", "event_id": "77", "email": "ann@private.example", "sf_contact_id": site.ann}
    site.cycle(**drop(site, "all.jsonl", {**FORM, "email": "ann@private.example"}, person))
    assert site.stage() == "Engaged"


def test_a_correction_of_an_address_takes_nothing_away_until_somebody_else_has_it(site: Site) -> None:
    site.hubspot.add_email_events([{"type": "CLICK", "recipient": "ann@work.example"}])
    site.cycle()
    site.org.update("Contact", [{"Id": site.ann, "Email": "ann@new.example"}])
    _, known = site.cycle()
    assert known == {"hubspot": 1}
    site.org.create("Contact", [{"LastName": "Bob", "Email": "ann@work.example"}])
    _, known = site.cycle()
    assert known == {}


def _mapping(site: Site, text: str) -> str:
    path = site.state.parent / "mine.yaml"
    path.write_text(f"include: lead-liaison\n{text}")
    return str(path)
