"""Several currencies over HTTP: what an org has of them, and what it has not without them."""

from __future__ import annotations

from pathlib import Path

import pytest

from practice_org.errors import PracticeError
from practice_org.practice import use_currencies
from practice_org.salesforce.org import PracticeOrg
from tests.practice_org.practice_api import Api

DEAL = {"Name": "Big", "StageName": "Prospecting", "CloseDate": "2026-03-15"}


@pytest.fixture
def several(api: Api) -> Api:
    answer = api.call("POST", "/practice/currencies", json={"rates": {"EUR": 1, "JPY": 160}})
    assert answer.status_code == 204, answer.text
    return api


def created(api: Api, name: str, **row: object) -> str:
    answer = api.call("POST", f"sobjects/{name}", json=row)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_an_org_with_one_currency_has_neither_objects_nor_fields_of_several(api: Api) -> None:
    [refused] = api.get("query", q="SELECT IsoCode FROM CurrencyType").json()
    assert refused["errorCode"] == "INVALID_TYPE"
    [refused] = api.get("query", q="SELECT CurrencyIsoCode FROM Opportunity").json()
    assert refused["errorCode"] == "INVALID_FIELD"
    features = api.get("connect/organization").json()["features"]
    assert features == {"multiCurrency": False, "defaultCurrencyIsoCode": "USD"}
    api.call("POST", "/practice/currencies", json={"only": "EUR"})
    assert api.get("connect/organization").json()["features"]["defaultCurrencyIsoCode"] == "EUR"


def test_rates_are_units_of_a_currency_for_one_of_the_corporate_one(several: Api) -> None:
    soql = "SELECT IsoCode, ConversionRate, DecimalPlaces, IsActive, IsCorporate FROM CurrencyType ORDER BY IsoCode"
    rows = several.query(soql)["records"]
    assert [tuple(row.values())[1:] for row in rows] == [("EUR", 1.0, 2, True, True), ("JPY", 160.0, 0, True, False)]
    assert several.get("connect/organization").json()["features"]["multiCurrency"] is True


def test_a_record_has_the_corporate_currency_unless_it_says_another(several: Api) -> None:
    created(several, "Opportunity", **DEAL, Amount=100)
    created(several, "Opportunity", **DEAL, Amount=50000, CurrencyIsoCode="JPY")
    soql = "SELECT Amount, convertCurrency(Amount) ours, CurrencyIsoCode FROM Opportunity ORDER BY Amount"
    found = [(row["Amount"], row["ours"], row["CurrencyIsoCode"]) for row in several.query(soql)["records"]]
    assert found == [(100, 100, "EUR"), (50000, 312.5, "JPY")]


def test_a_currency_that_the_org_does_not_use_is_refused(several: Api) -> None:
    [refused] = several.call("POST", "sobjects/Opportunity", json={**DEAL, "CurrencyIsoCode": "CHF"}).json()
    assert refused["errorCode"] == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"


def test_dated_rates_convert_opportunities_by_their_close_date(several: Api) -> None:
    dated = {"JPY": {"2026-01-01": 150, "2026-04-01": 100}}
    several.call("POST", "/practice/currencies", json={"rates": {"EUR": 1, "JPY": 160}, "dated": dated})
    fields = "SELECT StartDate, NextStartDate, ConversionRate FROM DatedConversionRate"
    soql = f"{fields} WHERE IsoCode = 'JPY' ORDER BY StartDate"
    rows = [tuple(row.values())[1:] for row in several.query(soql)["records"]]
    assert rows == [
        ("1970-01-01", "2026-01-01", 160.0),
        ("2026-01-01", "2026-04-01", 150.0),
        ("2026-04-01", None, 100.0),
    ]
    created(several, "Opportunity", **DEAL, Amount=15000, CurrencyIsoCode="JPY")
    created(several, "Account", Name="Acme", AnnualRevenue=16000, CurrencyIsoCode="JPY")
    assert several.query("SELECT convertCurrency(Amount) FROM Opportunity")["records"][0]["Amount"] == 100
    assert several.query("SELECT convertCurrency(AnnualRevenue) FROM Account")["records"][0]["AnnualRevenue"] == 100


def test_an_org_that_was_left_has_its_currencies_when_it_is_opened_again(tmp_path: Path) -> None:
    first = PracticeOrg(str(tmp_path / "org"))
    first.create("Account", [{"Name": "Old"}])
    first.use_currencies({"EUR": 1, "JPY": 160}, {})
    first.define("Trial__c")
    first.close()
    again = PracticeOrg(str(tmp_path / "org"))
    assert again.rows("SELECT CurrencyIsoCode FROM Account") == [{"CurrencyIsoCode": "EUR"}]
    assert len(again.rows("SELECT Id FROM DatedConversionRate")) == 2
    again.create("Trial__c", [{"Name": "A trial", "CurrencyIsoCode": "JPY"}])
    again.close()


def test_an_option_gives_the_org_its_currencies() -> None:
    org = PracticeOrg()
    use_currencies(org, "USD,EUR,JPY=150")
    rows = org.rows("SELECT IsoCode, ConversionRate FROM CurrencyType ORDER BY IsoCode")
    assert [(row["IsoCode"], row["ConversionRate"]) for row in rows] == [
        ("EUR", 0.909091),
        ("JPY", 150),
        ("USD", 1),
    ]
    with pytest.raises(PracticeError, match="not understood"):
        use_currencies(org, "EUR;JPY")
    org.close()
