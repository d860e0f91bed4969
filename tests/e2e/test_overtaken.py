"""Somebody is quicker than we are: what they set between our read and our write stays, and is decided from."""

from dataclasses import replace

from connector.base.facts import Outcome, RecordChange, Result
from connector.commands.explain_text import said_of_entry
from connector.commands.reporting import Wanted, run_reports
from connector.pipeline.cycle import run_cycle
from connector.pipeline.report import CycleReport
from connector.pipeline.rollback import ToUndo, run_rollback
from tests.fakes import START

SOMEBODY = "005000000000002AAA"


def test_what_a_person_set_after_we_read_is_not_overwritten_and_is_theirs(site):
    ada, bob = site.contacts(2)

    def set_by_hand(what, _done, _total):
        if what == "deciding" and site.stages()[ada] is None:
            us, site.org.user_id = site.org.user_id, SOMEBODY
            site.org.update("Contact", [{"Id": ada, "Lifecycle_Stage__c": "Sales Qualified"}])
            site.org.user_id = us

    with site.pipeline() as pipeline:
        report = run_cycle(replace(pipeline, progress=set_by_hand))
        assert site.stages() == {ada: "Sales Qualified", bob: "Suspect"}
        assert (report.written, report.waiting, report.exit_code) == (1, 1, 0)
        assert pipeline.store.history(ada) == []
        assert run_cycle(pipeline).waiting == 0
        assert site.stages() == {ada: "Sales Qualified", bob: "Suspect"}
        assert pipeline.store.intents() == []


def test_who_set_the_same_as_we_would_is_waited_for_by_nobody(site):
    [ada] = site.contacts(1)

    def set_the_same(what, _done, _total):
        if what == "deciding":
            site.org.update("Contact", [{"Id": ada, "Lifecycle_Stage__c": "Suspect"}])

    with site.pipeline() as pipeline:
        report = run_cycle(replace(pipeline, progress=set_the_same))
        assert (site.stages()[ada], report.waiting) == ("Suspect", 0)


def test_a_record_that_is_gone_by_then_is_told_as_ever(site):
    [ada] = site.contacts(1)

    def delete(what, _done, _total):
        if what == "deciding":
            site.org.delete("Contact", [ada])

    with site.pipeline() as pipeline:
        report = run_cycle(replace(pipeline, progress=delete))
        assert dict(report.set_aside) == {"ENTITY_IS_DELETED": 1}


def test_only_the_mark_tells_who_was_quicker_whatever_salesforce_says():
    report = CycleReport(kind="sync", dry_run=False, started_at=START, mapping="m")
    change = RecordChange("003A", "Contact", "003A", ())
    report.outcome(Outcome(change, Result.WAITING, overtaken=True))
    assert (report.waiting, report.unanswered, report.exit_code) == (1, 0, 0)
    report.outcome(Outcome(change, Result.WAITING, "", "changed since it was read"))
    assert (report.waiting, report.unanswered, report.exit_code) == (2, 1, 3)


def assert_the_ledger_closes(site):
    (report,), _ = run_reports(site.settings(), ["ledger"], Wanted(verify=True))
    assert report.good, [each.rows for each in report.tables if each.name == "wrong"]


class Quick:
    """Somebody who is quicker than the write, and slower than the look before it."""

    def __init__(self, salesforce, site, row):
        self._salesforce, self._site, self._row = salesforce, site, row

    def __getattr__(self, name):
        return getattr(self._salesforce, name)

    def update(self, changes):
        us, self._site.org.user_id = self._site.org.user_id, SOMEBODY
        self._site.org.update("Contact", [self._row])
        self._site.org.user_id = us
        return self._salesforce.update(changes)


def test_what_was_set_in_the_moment_before_the_write_is_in_the_log_and_can_be_put_back(site):
    ada, bob = site.contacts(2)
    set_by_hand = {"Id": ada, "Lifecycle_Stage__c": "Sales Qualified"}
    with site.pipeline() as pipeline:
        report = run_cycle(replace(pipeline, salesforce=Quick(pipeline.salesforce, site, set_by_hand)))
        assert (report.written, report.exit_code) == (2, 0)
        assert site.stages() == {ada: "Suspect", bob: "Suspect"}
        [entry] = [each for each in pipeline.store.history(ada) if each["track"] == "stage"]
        assert (entry["old"], entry["new"]) == ("Sales Qualified", "Suspect")
        assert said_of_entry(entry) == f"written; replaced what {SOMEBODY} set a moment before"
        [other] = [each for each in pipeline.store.history(bob) if each["track"] == "stage"]
        assert (other["old"], other["message"]) == (None, "")
        assert_the_ledger_closes(site)
        run_rollback(pipeline, ToUndo(people=[ada]))
        assert site.stages() == {ada: "Sales Qualified", bob: "Suspect"}
        assert_the_ledger_closes(site)
        run_cycle(pipeline)
        assert site.stages() == {ada: "Sales Qualified", bob: "Suspect"}
        assert_the_ledger_closes(site)
        assert pipeline.store.intents() == []
