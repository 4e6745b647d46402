"""Shopify's webhooks: a receiver stores each durably, workers bring it to the tables."""
