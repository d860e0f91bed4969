"""However many objects are read, a cycle in which nothing happened costs two calls."""

import pytest

from practice_org.salesforce.schema import FieldSpec
from tests.e2e.test_api_calls import clock_tick

COUNT = 10
NAMES = [f"Thing{number}__c" for number in range(COUNT)]
MAPPING = "\n".join(
    [
        "gate: {stage: {direction: both}}",
        "fields: {stage: {Contact: Lifecycle_Stage__c, Lead: Lifecycle_Stage__c}}",
        "records:",
        *(f"  {name}: {{person: Person__c}}" for name in NAMES),
        "stages:",
        "  - {name: Suspect, when: {email: present}}",
        *(
            f"  - {{name: {stage}, when: {{record: {name}}}}}"
            for name, stage in zip(NAMES[:2], ("Engaged", "Customer"), strict=True)
        ),
        "  - {name: Marketing Qualified, when: {all: [" + ", ".join(f"{{record: {name}}}" for name in NAMES) + "]}}",
    ]
)


@pytest.fixture
def place(site, tmp_path):
    """A mapping that looks at ten objects of the org's own, beside the ordinary ones."""
    for name in NAMES:
        site.org.define(name, [FieldSpec("Person__c", "reference", reference_to=("Contact",))])
    (tmp_path / "mine.yaml").write_text(MAPPING)
    site.mine = {"mapping": str(tmp_path / "mine.yaml")}
    return site


def test_ten_further_objects_cost_no_call_while_they_are_quiet_and_one_when_they_change(place):
    [ada] = place.contacts(1)
    place.sync(**place.mine)
    clock_tick(place)
    place.sync(**place.mine)
    clock_tick(place)
    assert place.calls_of(lambda: place.sync(**place.mine)) <= 2
    [one] = place.org.create(NAMES[0], [{"Name": "One", "Person__c": ada}])
    [last] = place.org.create(NAMES[-1], [{"Name": "Last", "Person__c": ada}])
    clock_tick(place)
    report = place.sync(**place.mine)
    assert place.stages()[ada] == "Engaged"
    assert (report.read[NAMES[0]], report.read[NAMES[-1]], report.api_calls["composite"]) == (
        1,
        1,
        4,
    )  # with a second look
    clock_tick(place)
    place.sync(**place.mine)  # the echo of the write
    assert place.calls_of(lambda: place.sync(**place.mine)) <= 2
    place.org.delete(NAMES[0], [one])
    clock_tick(place)
    place.sync(**place.mine)
    assert place.stages()[ada] == "Suspect"
    assert last


def test_a_change_that_commits_late_is_seen(place):
    [ada] = place.contacts(1)
    for _ in range(3):
        place.sync(**place.mine)
        tick(place)
    place.org.faults.on("late_commits", seconds=200, times=1)
    place.org.create(NAMES[0], [{"Name": "Late", "Person__c": ada}])
    tick(place)
    place.sync(**place.mine)
    assert place.stages()[ada] == "Suspect"
    tick(place, 200)
    for _ in range(2):
        place.sync(**place.mine)
        tick(place)
    assert place.stages()[ada] == "Engaged"


def tick(place, seconds=2):
    """Later, also for what waits to be committed."""
    clock_tick(place, seconds)
    place.org.db.clock = place.org.clock
