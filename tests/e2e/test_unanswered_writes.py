"""Salesforce took it and its answer never came: over HTTP, as the network does it."""

from contextlib import closing, suppress
from dataclasses import replace

from connector.base.clock import FrozenClock
from connector.base.errors import ConnectorError
from connector.pipeline.cycle import run_cycle
from connector.salesforce import open_salesforce


def test_a_change_whose_answer_was_lost_every_time_is_in_the_log_and_ours(site):
    ada = site.contacts(1)[0]
    faults = site.org.faults

    with site.pipeline() as pipeline:
        nobody_waits = FrozenClock(pipeline.clock.now())
        with closing(open_salesforce(site.settings(), nobody_waits)) as salesforce, suppress(ConnectorError):
            update = salesforce.update

            def cut(changes):
                faults.on("cut_off")  # everything was read; from here on answers are cut off
                return update(changes)

            salesforce.update = cut  # type: ignore[method-assign]
            run_cycle(replace(pipeline, salesforce=salesforce))
        faults.off("cut_off")
        assert site.stages()[ada] == "Suspect"
        assert pipeline.store.history(ada) == []
        run_cycle(pipeline)
        (entry,) = pipeline.store.history(ada)
        assert (entry["track"], entry["new"], entry["result"]) == ("stage", "Suspect", "applied")
        assert pipeline.store.intents() == []
