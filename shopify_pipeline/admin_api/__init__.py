"""Talks to Shopify's Admin API over GraphQL; knows no Postgres and no Dagster."""

from shopify_pipeline.admin_api.access import Access, check_access
from shopify_pipeline.admin_api.answers import Answer, Cost
from shopify_pipeline.admin_api.client import AdminApi
from shopify_pipeline.admin_api.credentials import ClientCredentials, Credentials, StaticToken
from shopify_pipeline.admin_api.errors import AdminApiError
from shopify_pipeline.admin_api.stats import Stats

__all__ = [
    "Access",
    "AdminApi",
    "AdminApiError",
    "Answer",
    "ClientCredentials",
    "Cost",
    "Credentials",
    "StaticToken",
    "Stats",
    "check_access",
]
