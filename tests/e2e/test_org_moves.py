"""The org gets another address while the daemon runs: one new sign-in, the new address, no cycle lost."""

import pytest

from connector.pipeline.cycle import run_cycle


@pytest.mark.situation(4)
@pytest.mark.parametrize("status", [302, 307, 401])
def test_a_move_costs_one_sign_in_and_no_cycle(site, status):
    ada = site.contacts(1)[0]
    with site.pipeline() as pipeline:
        run_cycle(pipeline)
        old = pipeline.salesforce.address()
        new = old.replace("127.0.0.1", "localhost")
        site.org.faults.on("moved", to=new, status=status)
        [ben] = site.org.create("Contact", [{"LastName": "Ben", "Email": "ben@example.com"}])
        report = run_cycle(pipeline)
        assert (report.result, report.exit_code) == ("done", 0)
        assert pipeline.salesforce.address() == new
    assert {site.stages()[each] for each in (ada, ben)} == {"Suspect"}
