"""SOQL compiled to SQL."""
