"""A company lives, the org and the network fail now and then, the process dies: in the end every stage is right.

The oracle below says what each stage must be from the fake org's own rows, in a few lines that share nothing with the
rules, the store or the poll.
"""

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from connector.base.clock import FrozenClock
from connector.base.errors import ConnectorError
from connector.pipeline import object_reader
from connector.store import open_store
from tests.cases import cases
from tests.fakes import START
from tests.pipeline.conftest import World

ORDER = ["Anonymous", "Suspect", "Engaged", "Opportunity", "Customer"]
EMAILS = ["ada@example.com", "bob@example.com", "eve@example.com"]


class Died(BaseException):
    """The process ends here."""


class Living(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.state = self.folder / "state.sqlite3"
        clock = FrozenClock(START)
        self.world = World(open_store(f"sqlite:///{self.state}", clock=clock), clock=clock)
        self.world.org.page_size = 3
        self.page, object_reader.POLL_PAGE = object_reader.POLL_PAGE, 2  # so that a few rows crowd the overlap
        self.world.pack = 2
        self.clicked: set[str] = set()

    def teardown(self):
        object_reader.POLL_PAGE = self.page
        self.world.store.close()
        shutil.rmtree(self.folder)

    # -- what happens in the company

    @initialize(emails=st.lists(st.sampled_from([*EMAILS, None]), min_size=1, max_size=5))
    def people(self, emails):
        for email in emails:
            self.world.contact(email)

    @rule(email=st.sampled_from([*EMAILS, None]), late=st.booleans())
    def somebody_appears(self, email, late):
        row = {"Id": self.world.id("Contact"), "Email": email, "Name": "New", "MasterRecordId": None, "AccountId": None}
        self.world.org.put("Contact", row, visible_in=timedelta(minutes=4 if late else 0))
        self.world.wait(30)  # so that a cycle may come between its stamp and its commit

    @rule(won=st.booleans())
    def a_deal_opens(self, won):
        self.world.deal(won=won)

    @rule(data=st.data())
    def a_role_is_added(self, data):
        if deals := self.ids("Opportunity"):
            self.world.role(data.draw(st.sampled_from(self.ids("Contact"))), data.draw(st.sampled_from(deals)))

    @rule(data=st.data(), hard=st.booleans())
    def a_role_is_removed(self, data, hard):
        if roles := self.ids("OpportunityContactRole"):
            self.world.org.remove("OpportunityContactRole", data.draw(st.sampled_from(roles)), hard=hard)

    @rule(data=st.data())
    def a_deal_is_won(self, data):
        if deals := self.ids("Opportunity"):
            self.world.win(data.draw(st.sampled_from(deals)))

    @rule(data=st.data(), email=st.sampled_from([*EMAILS, None]))
    def an_address_changes(self, data, email):
        self.world.org.put("Contact", {"Id": data.draw(st.sampled_from(self.ids("Contact"))), "Email": email})

    @rule(email=st.sampled_from(EMAILS))
    def somebody_clicks(self, email):
        self.world.click(email)
        self.clicked.add(email)

    # -- what the connector goes through

    @rule()
    def a_cycle(self):
        self.cycle()

    @rule(after=st.integers(0, 6))
    def the_org_fails_in_the_middle(self, after):
        calls = iter(range(after))
        self.world.org.fail = lambda _kind: next(calls, None) is None
        self.cycle()
        self.world.org.fail = lambda _kind: False

    @rule(after=st.integers(0, 3))
    def the_process_dies_between_two_writes(self, after):
        update, sent = self.world.org.update, iter(range(after))

        def dies(changes):
            if next(sent, None) is None:
                raise Died
            return update(changes)

        self.world.org.update = dies  # type: ignore[method-assign]  # for once
        self.cycle()
        self.world.org.update = update  # type: ignore[method-assign]
        self.world.restart(self.state)

    @rule()
    def locators_expire(self):
        self.world.org._locators.clear()

    @rule(minutes=st.integers(1, 60))
    def time_passes(self, minutes):
        self.world.wait(60 * minutes)

    @rule()
    def the_source_is_down_for_a_cycle(self):
        self.world.source.fail = True
        self.cycle()
        self.world.source.fail = False

    @precondition(lambda self: self.ids("Contact"))
    @rule()
    def things_settle(self):
        """No fault any more, and long enough for every late row: now it must be right, and stay."""
        self.world.wait(5 * 60)
        self.cycle()
        assert self.stages() == {each: self.due(each) for each in self.ids("Contact")}
        self.world.org.updates.clear()
        for _ in range(2):
            assert self.world.cycle().written == 0
        assert self.world.org.updates == []

    @invariant()
    def no_change_is_in_the_history_twice(self):
        for person in self.ids("Contact"):
            moves = [each["new"] for each in self.world.store.history(person) if each["track"] == "stage"]
            assert len(moves) == len(set(moves)), moves

    @invariant()
    def nobody_ever_moved_back(self):
        for person in self.ids("Contact"):
            moves = [ORDER.index(e["new"]) for e in self.world.store.history(person) if e["track"] == "stage"]
            assert moves == sorted(moves, reverse=True)  # newest first

    # -- steps

    def cycle(self):
        try:
            self.world.cycle()
        except (ConnectorError, Died):
            self.world.wait(60)

    def ids(self, object_name):
        rows = self.world.org.rows.get(object_name, {})
        return sorted(i for i, row in rows.items() if not row["IsDeleted"])

    def stages(self):
        return {each: self.world.stage(each) for each in self.ids("Contact")}

    def now_due(self, person) -> int:
        row = self.world.org.rows["Contact"][person]
        deals = self.world.org.rows.get("Opportunity", {})
        mine = [
            deals[role["OpportunityId"]]
            for role in self.world.org.rows.get("OpportunityContactRole", {}).values()
            if role["ContactId"] == person and not role["IsDeleted"]
        ]
        if any(deal["IsWon"] for deal in mine):
            return 4
        if mine:
            return 3
        return 0 if row["Email"] is None else 2 if row["Email"] in self.clicked else 1

    def due(self, person):
        """Forward only from what stands there."""
        standing = {each["new"] for each in self.world.store.history(person) if each["track"] == "stage"}
        furthest = max([self.now_due(person), *(ORDER.index(each) for each in standing)])
        return ORDER[furthest]


Living.TestCase.settings = settings(
    max_examples=cases(10), stateful_step_count=25, suppress_health_check=list(HealthCheck)
)
TestLiving = Living.TestCase
