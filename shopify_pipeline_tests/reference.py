"""Shopify's own schema and recordings, beside the checkout; tests skip where they are absent."""

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLSchema, build_schema

DATA = Path(__file__).resolve().parents[2] / "shared" / "reference" / "data"

VERSIONS = ("2026-01", "2026-04", "2026-07", "2026-10")

needs_reference = pytest.mark.skipif(
    not DATA.is_dir(), reason="Shopify's schema and recordings are not beside this checkout"
)


@cache
def schema(version: str) -> GraphQLSchema:
    """Shopify's Admin API schema of a version."""
    sdl = gzip.decompress((DATA / "schema" / f"admin-{version}.graphql.gz").read_bytes()).decode()
    return build_schema(sdl, assume_valid=True)


def recordings() -> list[tuple[str, Any]]:
    """Every recorded JSON document, by its name."""
    if not DATA.is_dir():
        return []
    return [
        (str(path.relative_to(DATA / "recorded")), json.loads(path.read_text()))
        for path in sorted((DATA / "recorded").rglob("*.json"))
    ]
