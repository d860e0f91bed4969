"""Salesforce: the rows of an org, and everything that reads and writes them."""
