"""The Python handle of a practice org: what a loader, a test or a living company works with.

The same rows are served over HTTP. Through this handle everything is trusted: ids, audit fields and derived fields may
be given, and no validation, field-level security or assignment rule applies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from practice_org.clock import Clock
from practice_org.salesforce import founding
from practice_org.salesforce.core import OrgCore
from practice_org.salesforce.credentials import Credentials
from practice_org.salesforce.jobs import BulkLimits, Job, Open
from practice_org.salesforce.problems import no_such_field
from practice_org.salesforce.schema import FieldSpec, ObjectSpec, Value
from practice_org.salesforce.soql import functions
from practice_org.salesforce.soql import run as soql_run
from practice_org.salesforce.writing import currency, dml, persons, relations, removal
from practice_org.salesforce.writing.record_types import RECORD_TYPE_ID

_MATCHED = 500  # ids in one query
_RIGHTS = {"createable": "c", "updateable": "u", "deletable": "d"}


class PracticeOrg(OrgCore):
    """An org with its first rows, and with what is under way: locators and bulk jobs."""

    def __init__(self, path: str = ":memory:", *, clock: Clock | None = None, seed: int = 0) -> None:
        super().__init__(path, clock=clock, seed=seed)
        self.matching = self._matching
        functions.teach(self.db.connection)
        self.locators: dict[str, Open] = {}
        self.jobs: dict[str, Job] = {}
        self.bulk = BulkLimits()
        self.deployments: dict[str, dict[str, Any]] = {}  # of metadata, as they ended
        if not self.db.read("SELECT Id FROM Organization"):
            founding.found(self)
        relations.restore(self)
        persons.restore(self)
        currency.restore(self)
        self.organization_id = str(self.db.read("SELECT Id FROM Organization")[0][0])
        queue = self.db.read("SELECT Id FROM \"Group\" WHERE DeveloperName = 'Inbound_Leads'")
        self.assignment["Lead"] = str(queue[0][0])
        self.credentials = Credentials(self.organization_id, self.user_id, founding.USERNAME, self.clock)

    def accepts(self, token: str) -> bool:
        """Whether an access token holds; using it extends the session."""
        return self.credentials.accepts(token)

    # -- rows ----------------------------------------------------------------------------------------------------

    def create(self, object_name: str, rows: Sequence[Mapping[str, Any]], *, at: datetime | None = None) -> list[str]:
        """The ids of the new rows, in order. One transaction, one stamp (``at``, else now). Raises the first problem
        of any row, and then nothing is written."""
        return dml.add(self, object_name, rows, at=at)

    def update(self, object_name: str, rows: Sequence[Mapping[str, Any]], *, at: datetime | None = None) -> None:
        """Each row with its Id and the fields to set."""
        dml.change(self, object_name, rows, at=at)

    def delete(self, object_name: str, wanted: Sequence[str], *, hard: bool = False) -> None:
        dml.all_or_raise(removal.delete(self, self.schema.get(object_name), wanted, hard=hard))

    def undelete(self, object_name: str, wanted: Sequence[str]) -> None:
        removal.undelete(self, self.schema.get(object_name), wanted)

    def merge(self, object_name: str, winner: str, losers: Sequence[str]) -> None:
        removal.merge(self, self.schema.get(object_name), winner, losers)

    def convert_lead(
        self,
        lead_id: str,
        *,
        opportunity: bool | Mapping[str, Any] = True,
        account_id: str | None = None,
        contact_id: str | None = None,
    ) -> dict[str, str | None]:
        """See :func:`practice_org.salesforce.writing.removal.convert_lead`."""
        return removal.convert_lead(
            self, lead_id, opportunity=opportunity, account_id=account_id, contact_id=contact_id
        )

    def define(self, object_name: str, fields: Iterable[FieldSpec] = (), *, prefix: str = "") -> ObjectSpec:
        """See :meth:`OrgCore.define`; a field of Contact is one of person accounts, too."""
        spec = super().define(object_name, fields, prefix=prefix)
        persons.restore(self)
        return spec

    def enable_person_accounts(self, writes: persons.Way = "contact") -> None:
        """An account with a last name is a person from now on; its custom fields are written through ``writes``."""
        persons.enable(self, writes)

    def share_activities(self, *, on: bool = True) -> None:
        """Shared activities: a task or event with several people. Off in a new org."""
        relations.share(self, on=on)

    def use_currencies(self, rates: Mapping[str, float], dated: currency.Dated | None = None) -> None:
        """See :func:`practice_org.salesforce.writing.currency.use`. A new org has but one."""
        currency.use(self, rates, dated)

    def set_only_currency(self, code: str) -> None:
        """That of an org which has but one; USD in a new org."""
        currency.set_only(self, code)

    def rows(self, text: str, *, all_rows: bool = False) -> list[dict[str, Any]]:
        """The records of a SOQL query, all of them, without their ``attributes`` at the top level."""
        result = soql_run.run(self, text, all_rows=all_rows, trusted=True, page=1 << 40)
        return [{key: value for key, value in record.items() if key != "attributes"} for record in result.first]

    def _matching(self, object_name: str, condition: str, wanted: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for start in range(0, len(wanted), _MATCHED):
            listed = ", ".join(f"'{one}'" for one in wanted[start : start + _MATCHED])
            rows = self.rows(f"SELECT Id FROM {object_name} WHERE ({condition}) AND Id IN ({listed})")
            found.update(row["Id"] for row in rows)
        return found

    def set_object_access(self, object_name: str, **rights: bool) -> None:
        """Object rights of the user the API runs as: ``readable``, ``createable``, ``updateable``, ``deletable``."""
        spec = self.schema.get(object_name)
        for right, on in rights.items():
            if right == "readable":
                (self.schema.hidden.discard if on else self.schema.hidden.add)(spec.name)
            else:
                flag = _RIGHTS[right]
                spec.flags = spec.flags.replace(flag, "") + (flag if on else "")
        self.schema_changed = self.clock.now()

    def set_picklist(self, object_name: str, field: str, labels: Sequence[str], *, restricted: bool = False) -> None:
        """The values of a picklist. Those of a status or stage are records: the ones that are missing are added."""
        spec = self.schema.get(object_name)
        found = spec.find(field)
        if found is None:
            raise no_such_field(field, spec.name)
        if found.values_from:
            known = self.metadata(found.values_from).rows
            new = [label for label in labels if label.lower() not in known]
            rows = [{"MasterLabel": v, "ApiName": v, "SortOrder": i} for i, v in enumerate(new, len(known) + 1)]
            self.create(found.values_from, rows)
            return
        self.define(object_name, [replace(found, values=tuple(Value(v, v) for v in labels), restricted=restricted)])

    def set_record_type(self, object_name: str, developer_name: str, picklists: Mapping[str, Sequence[str]]) -> str:
        """The id of a new record type, whose records may have these values; a picklist that is not named keeps all. It
        is known until the org is closed. An object that had none gets the field."""
        spec = self.schema.get(object_name)
        if spec.find(RECORD_TYPE_ID) is None:
            self.define(spec.name, [FieldSpec(RECORD_TYPE_ID, "reference", reference_to=("RecordType",))])
        row = {"Name": developer_name, "DeveloperName": developer_name, "SobjectType": spec.name, "IsActive": True}
        [made] = self.create("RecordType", [row])
        self.record_types[made] = {name: tuple(each) for name, each in picklists.items()}
        return made
