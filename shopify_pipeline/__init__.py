"""Shopify to Postgres, kept true by Dagster."""
