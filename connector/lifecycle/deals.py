"""Which opportunities count for a person at all, before any condition looks at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from connector.base.facts import Activity, OpportunityRole
from connector.lifecycle.amounts import DEAL_KIND
from connector.lifecycle.opportunity import STATES, WHICH, HasOpportunity
from connector.lifecycle.values import number_of
from connector.lifecycle.view import View

DEFAULT_PRECEDENCE = ("won", "open", "lost")
POLICIES = ("ignore", "primary_contact", "active_contacts", "converted_lead")


@dataclass(frozen=True)
class DealPolicy:
    """``counts``: only opportunities that fit (None: all). ``precedence``: by default every opportunity counts, and the
    order of the stages ranks won above open above lost; in another order only those of the first state that there is
    count; ``primary`` and those of WHICH leave only that one. ``without_roles``: whom an opportunity moves that has no
    contact role."""

    counts: HasOpportunity | None = None
    precedence: tuple[str, ...] = DEFAULT_PRECEDENCE
    without_roles: tuple[str, ...] = ("ignore",)
    active_within: timedelta = timedelta(days=90)
    primary_contact_field: str | None = None

    @property
    def is_default(self) -> bool:
        return self.counts is None and self.precedence == DEFAULT_PRECEDENCE and self.without_roles == ("ignore",)


def counting(view: View, policy: DealPolicy) -> Sequence[OpportunityRole]:
    """The roles that count, by the policy."""
    roles = list(view.opportunities)
    if view.person.account_opportunities:
        roles += [role for role in view.person.account_opportunities if _moves(view, role, policy)]
    if policy.counts is not None:
        fits = policy.counts.fits()
        roles = [role for role in roles if fits(role, view)]
    return _preferred(roles, policy.precedence)


def _moves(view: View, role: OpportunityRole, policy: DealPolicy) -> bool:
    """Whether an opportunity without roles moves this person."""
    if role.role.get("Via") == "colleagues":
        return False
    if role.role.get("Via") == "conversion":
        return "converted_lead" in policy.without_roles
    if "primary_contact" in policy.without_roles and policy.primary_contact_field:
        primary = str(view.account.get(policy.primary_contact_field) or "")
        if primary and any(primary[:15] == each[:15] for each in (view.person.id, *view.person.aliases)):
            return True
    return "active_contacts" in policy.without_roles and _is_active(view, policy.active_within)


def _is_active(view: View, span: timedelta) -> bool:
    for activity in reversed(view.person.activities):
        if activity.occurred_at > view.now:
            view.look_again(activity.occurred_at)
            continue
        view.look_again(activity.occurred_at + span)
        return view.now < activity.occurred_at + span
    return False


def _preferred(roles: list[OpportunityRole], precedence: tuple[str, ...]) -> list[OpportunityRole]:
    if precedence == DEFAULT_PRECEDENCE or not roles:
        return roles
    if precedence == ("primary",):
        return [role for role in roles if role.role.get("IsPrimary")]
    if len(precedence) == 1:
        return WHICH[precedence[0]](roles)
    for state in precedence:
        found = [role for role in roles if STATES[state](role.opportunity)]
        if found:
            return found
    return []


def deal_ref(activity: Activity) -> str:
    """Which deal it is, in whatever state and for whomever it was told; "" for none, and for one that has one state."""
    own = activity.attributes.get("event_id") if activity.kind == DEAL_KIND else None
    return (
        ":".join(str(each) for each in (activity.source, activity.attributes.get("hook"), own) if each) if own else ""
    )


def as_opportunity(deal: Activity, source: str) -> OpportunityRole:
    """A deal of another system, as conditions on opportunities see it. Its attributes are fields under their own names
    and as Salesforce writes them: ``close_date`` is CloseDate. It has no role, and is neither primary nor not."""
    state, at = deal.attributes.get("state"), deal.occurred_at.isoformat()
    key = deal_ref(deal) or f"{deal.source}:{deal.id}"
    row = {_api_name(name): value for name, value in deal.attributes.items()} | dict(deal.attributes)
    row["Amount"] = number_of(row.get("Amount"))
    row.setdefault("CreatedDate", at)
    row.setdefault("CloseDate", at if state in {"won", "lost"} else None)
    row |= {"Id": key, "Name": deal.name or key, "StageName": deal.attributes.get("stage") or state}
    row |= {"IsWon": state == "won", "IsClosed": state in {"won", "lost"}}
    role = {"Via": source, "IsPrimary": "", "CreatedDate": row["CreatedDate"]}
    return OpportunityRole(key, key, role, row)


def _api_name(name: str) -> str:
    return name if name != name.lower() or "__" in name else "".join(part.capitalize() for part in name.split("_"))
