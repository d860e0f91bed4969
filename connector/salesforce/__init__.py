"""Salesforce: the only place that knows its REST API. See :class:`connector.base.ports.Salesforce` for the promises."""

from connector.salesforce.auth import Auth
from connector.salesforce.client import SalesforceClient, open_salesforce

__all__ = ["Auth", "SalesforceClient", "open_salesforce"]
