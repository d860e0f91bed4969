"""What looks like engagement and is nobody's is left out, in any order of arrival, unless the mapping counts it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.base.facts import Circle, Direction, Prospect
from connector.lifecycle import decide
from connector.lifecycle.noise import Noise
from connector.mapping import MappingInvalid, loads
from tests.cases import cases
from tests.lifecycle.someone import NOW, did, person, stage_of

LADDER = """
stages:
  - {name: Known, when: always}
  - {name: Engaged, when: {activity: email_click}}
"""
SECOND = timedelta(seconds=1)


def mapping(activities=""):
    return loads(LADDER + (f"activities: {activities}\n" if activities else ""))


def told(kind, seconds=0.0, key="", source="pardot", **attributes):
    return replace(did(kind, key=key or f"{kind} {seconds}", source=source, **attributes), occurred_at=at(seconds))


def at(seconds):
    return NOW - timedelta(days=2) + seconds * SECOND


def engaged(activities, *doings, **fields):
    return stage_of(person(did=doings, **fields), mapping(activities)) == "Engaged"


def clicks(count, apart=0.0, after=3600.0, **more):
    return [told("email_click", after + n * apart, key=f"c{n}", **more) for n in range(count)]


@pytest.mark.parametrize(
    ("activities", "seconds", "counts"),
    [
        ("", 10, False), ("", 11, True), ("", 0, False), ("", -1, True), ("{scanners: count}", 0, True),
        ("{scanners: {after_send: none}}", 0, True), ("{scanners: {after_send: 60s}}", 11, False),
    ],
)  # fmt: skip
def test_a_click_within_seconds_of_the_send_is_a_scanners(activities, seconds, counts):
    assert engaged(activities, told("email_sent"), told("email_click", seconds)) is counts


@pytest.mark.parametrize(
    ("mail", "click", "counts"),
    [
        ({"listEmailId": 5}, {"listEmailId": 5}, False),
        ({"listEmailId": 5}, {"listEmailId": 6}, True),
        ({"listEmailId": 5, "emailId": 9}, {"listEmailId": 6, "emailId": "9"}, False),
        ({"listEmailId": 5}, {}, False),
    ],
)
def test_a_click_in_another_mail_has_nothing_to_do_with_the_send(mail, click, counts):
    assert engaged("", told("email_sent", **mail), told("email_click", 5, **click)) is counts


def test_the_send_of_another_system_tells_nothing():
    assert engaged("", told("email_sent", source="marketo"), told("email_click", 1))


def test_a_click_that_says_itself_when_the_mail_was_sent_needs_no_send():
    assert not engaged("", told("email_click", 4, sent_at=at(0).isoformat()))
    assert engaged("", told("email_click", 40, sent_at=at(0).isoformat()))


@pytest.mark.parametrize(
    ("activities", "doings", "counts"),
    [
        ("", clicks(3, 0.5), False),
        ("", clicks(3, 0.6), True),
        ("", clicks(2), True),
        ("", clicks(6, url="https://example.com/one"), True),
        ("{scanners: {burst: none}}", clicks(6), True),
        ("{scanners: {burst: 2}}", clicks(2), False),
        ("{scanners: {within: 5s}}", clicks(3, 2), False),
        ("{scanners: count}", clicks(6), True),
    ],
)
def test_clicks_on_many_links_at_once_are_a_scanners(activities, doings, counts):
    assert engaged(activities, *doings) is counts


def test_a_real_click_after_the_scanners_counts():
    assert engaged("", told("email_sent"), *clicks(6, 0.1, after=2), told("email_click", 900, key="real"))


@pytest.mark.parametrize("flag", [{"filteredEvent": True}, {"Bot Activity": "true"}, {"is_bot": "yes"}])
def test_what_a_source_takes_for_a_machine_is_left_out_unless_the_mapping_counts_it(flag):
    machine = replace(told("email_click", 900, **flag), direction=Direction.OUTBOUND)
    assert not engaged("", machine)
    assert engaged("{scanners: {flagged: false}}", machine)
    inbound = loads(LADDER.replace("email_click", "inbound") + "activities: {scanners: count}\n")
    assert stage_of(person(did=[machine]), inbound) == "Engaged"
    assert engaged("", told("email_click", 900, **dict.fromkeys(flag, "false")))


def test_times_without_seconds_prove_nothing():
    days = [replace(each, source="files") for each in (told("email_sent"), *clicks(6, after=0))]
    assert engaged("", *days)
    assert not engaged("", *(replace(each, occurred_at=each.occurred_at + 7 * SECOND) for each in days))


@pytest.mark.parametrize(
    ("activities", "email", "counts"),
    [
        ("", "ann@acme.com", True),
        ("{ourselves: acme.com}", "Ann@ACME.com", False),
        ("{ourselves: [acme.com]}", "ann@mail.acme.com", True),
        ("{ourselves: [.acme.com]}", "ann@mail.acme.com", False),
        ("{ourselves: [qa@gmail.com]}", "qa@gmail.com", False),
        ("{ourselves: [qa@gmail.com]}", "ann@gmail.com", True),
        ("", "test@acme.com", False),
        ("", "test12@acme.com", False),
        ("", "ann+test@acme.com", False),
        ("", "ann@shop.test", False),
        ("", "tess@acme.com", True),
        ("", "attest@acme.com", True),
        ("{tests: count}", "test@acme.com", True),
        ("", None, True),
    ],
)
def test_what_we_and_test_addresses_do_does_not_count(activities, email, counts):
    assert engaged(activities, told("email_click"), email=email) is counts


def test_an_own_address_of_somebody_else_leaves_out_what_came_from_it_alone():
    ours = replace(told("email_click"), email="ann@acme.com")
    assert not engaged("{ourselves: acme.com}", ours)
    assert engaged("{ourselves: acme.com}", ours, replace(told("email_click", 900), email="ann@example.com"))
    known = replace(person(did=[told("email_click")], email=None), prospects=(Prospect("pardot", "1", "x@acme.com"),))
    assert stage_of(known, mapping("{ourselves: acme.com}")) == "Known"


def test_what_was_done_to_us_stays():
    calls = loads(LADDER.replace("email_click", "call") + "activities: {ourselves: [example.com]}\n")
    assert stage_of(person(did=[told("call")]), calls) == "Engaged"


def test_colleagues_scanners_do_not_make_an_account_active():
    active = loads(LADDER.replace("activity: email_click", "account: {people: {count: 2, activity: email_click}}"))
    some = [replace(person(did=clicks(6, after=n)), id=f"00300000000000{n}AAA") for n in range(3)]
    someone = replace(some[0], colleagues=Circle(some))
    assert stage_of(someone, active) == "Known"
    real = [replace(each, activities=(told("email_click"),)) for each in some]
    assert stage_of(replace(real[0], colleagues=Circle(real)), active) == "Engaged"


def test_a_filter_of_sends_hides_no_send_from_the_scanners():
    only = loads(LADDER + "sources: {pardot: {kinds: [email_click]}}\n")
    assert stage_of(person(did=[told("email_sent"), told("email_click", 1)]), only) == "Known"


def test_senders_own_words_for_clicks_and_sends_are_understood_first():
    types = "{types: {Klick: email_click, Versand: email_sent}}"
    assert not engaged(types, told("versand"), told("klick", 1))
    assert engaged(types, told("versand"), told("klick", 60))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{scanners: {after_send: 10}}", "10 is not some seconds"),
        ("{scanners: {burst: 1}}", "1 is not"),
        ("{scanners: off}", "count"),
        ("{ourselves: [acme]}", "acme is not a domain, or an e-mail address"),
        ("{tests: no}", "ignore"),
    ],
)
def test_mistakes_are_told(text, says):
    with pytest.raises(MappingInvalid) as caught:
        mapping(text)
    assert says in str(caught.value)


DOINGS = st.lists(
    st.tuples(st.sampled_from(["email_sent", "email_click", "email_open"]), st.integers(0, 30), st.integers(0, 2)),
    max_size=12,
)


@given(DOINGS, st.randoms(use_true_random=False))
@settings(max_examples=cases(40), deadline=None)
def test_the_order_in_which_it_is_told_changes_nothing(doings, random):
    """As the store hands it out: by time, whatever came first."""
    made = [told(kind, half / 2, key=f"{n}", url=link) for n, (kind, half, link) in enumerate(doings)]
    program = mapping().programs["Contact"]
    found = set(program.noise.of(person(did=made)))
    random.shuffle(made)
    again = person(did=made)
    assert set(program.noise.of(again)) == found
    assert decide(again, mapping(), NOW) == decide(person(did=made[::-1]), mapping(), NOW)
    by_hand = {
        (one.source, one.id)
        for one in made
        if one.kind != "email_sent"
        and any(s.kind == "email_sent" and 0 <= (one.occurred_at - s.occurred_at).total_seconds() <= 10 for s in made)
    }
    clicked = [each for each in made if each.kind == "email_click"]
    for one in clicked:
        near = [each for each in clicked if 0 <= (each.occurred_at - one.occurred_at).total_seconds() <= 1]
        if len({each.attributes["url"] for each in near}) >= 3:
            by_hand |= {(each.source, each.id) for each in near}
    assert found == by_hand


class Asking(Noise):
    """Looks at everything closely, whoever it is."""

    def _may_be_scanned(self, doings, person):
        return True


@given(DOINGS)
@settings(max_examples=cases(60), deadline=None)
def test_who_is_passed_over_at_first_sight_has_nothing_of_a_scanner(doings):
    somebody = person(did=[told(kind, half / 2, key=f"{n}", url=link) for n, (kind, half, link) in enumerate(doings)])
    assert Noise().of(somebody) == Asking().of(somebody)
    assert Noise(burst=None).of(somebody) == Asking(burst=None).of(somebody)
    assert Noise(after_send=None).of(somebody) == Asking(after_send=None).of(somebody)
