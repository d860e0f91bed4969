"""Every invariant of `make torture` can fail: what it watches for is done here by hand, and it says so."""

from dataclasses import replace

from sqlalchemy import delete, update
from sqlalchemy.engine import make_url

from connector.store.dialect import WRITES, make_engine
from connector.store.schema import LOG, STAY
from tests.torture.apart import apart
from tests.torture.crash import case
from tests.torture.invariants import INVARIANTS, Seen, cursors_of, wrong


def test_each_invariant_sees_what_it_is_there_for():
    assert apart(_told) == set(INVARIANTS)


def _told():
    """The invariants that said something once it was true."""
    with case("backfill", 1) as ready:
        made = ready.made
        ended = made.run("backfill")
        assert ended.code == 0, ended.printed
        cursors = [cursors_of(made), cursors_of(made)]
        seen = Seen(made, made.values(), cursors)
        assert wrong(seen) == []
        state = make_engine(make_url(f"sqlite:///{made.state}")).execution_options(**{WRITES: True})
        told = {}

        def look(name):
            told[name] = list(INVARIANTS[name](replace(seen)))

        made.printed += made.practice.org.credentials.client_secret + "\nTraceback (most recent call last)"
        look("no secret is printed")
        look("no traceback is printed")

        cursors.append({name: each | {"through": "2001"} for name, each in cursors[0].items()})
        look("cursors never go back")

        with state.begin() as connection:
            connection.execute(update(STAY).where(STAY.c.by == "rule").values(by="person"))
        look("nothing is by hand that no hand did")

        with state.begin() as connection:
            connection.execute(update(STAY).where(STAY.c.stage == "Suspect").values(stage="Customer"))
        look("the ledger closes")

        with state.begin() as connection:
            connection.execute(delete(LOG))
        look("every value of ours is in the log once")

        ours = next(place for place, value in made.values().items() if value == "Suspect")
        made.by_hand[ours] = "Evangelist"
        look("what people set stands, or is in the log")

        made.practice.org.create("Contact", [{"LastName": "New", "Email": "new@example.com"}])
        look("a second look changes nothing")
        look("the values are those of a run in which nothing broke")
        return {name for name, said in told.items() if said}
