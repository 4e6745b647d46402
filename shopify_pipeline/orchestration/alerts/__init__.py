"""Alerts: what Dagster's event log says went wrong, sent once an episode, and its recovery."""
