"""Queries that find rows that cannot be right; each returns the offenders and how to see more."""
