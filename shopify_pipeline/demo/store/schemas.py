"""The schema that the store serves, one for each API version: a subset of Shopify's own."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from graphql import GraphQLSchema, build_schema

SHARED = ("root", "platform", "products", "customers", "orders", "neighbours")
SCHEMA_VERSIONS = ("2026-01", "2026-04", "2026-07", "2026-10")


def sdl_of(version: str) -> str:
    """The SDL of a version: what all versions share, and that version's own additions."""
    folder = files("shopify_pipeline.demo.store") / "schema"
    names = [*SHARED, version]
    return "\n".join((folder / f"{name}.graphql").read_text(encoding="utf-8") for name in names)


@cache
def schema_of(version: str) -> GraphQLSchema:
    """The schema that serves a version; release candidate and unstable get the newest."""
    known = version if version in SCHEMA_VERSIONS else SCHEMA_VERSIONS[-1]
    return build_schema(sdl_of(known), assume_valid=True)
