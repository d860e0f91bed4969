"""Keeps the lifecycle stage and lead status of every person in Salesforce true, and says why.

Start reading at :mod:`connector.pipeline.cycle`: its body is the way the data takes.
"""

__version__ = "0.1.0"
