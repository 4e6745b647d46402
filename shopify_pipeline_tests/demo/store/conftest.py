"""The store in this process, for tests that ask it very much."""

from collections.abc import Iterator

import pytest

from shopify_pipeline_tests.demo.store.in_process import Served, opened


@pytest.fixture
def served() -> Iterator[Served]:
    with opened() as store:
        yield store
