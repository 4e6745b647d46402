"""Dagster's side of the pipeline: assets, jobs, schedules, sensors, resources."""
