"""Postgres: the one writer, checkpoints, the refresh queue. Knows no Shopify and no Dagster."""
