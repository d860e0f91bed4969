"""Salesforce's REST and Bulk APIs: requests as values, and who answers which."""
