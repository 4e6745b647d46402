"""What Shopify counts for a filter, exactly."""

from typing import Any, NamedTuple

from shopify_pipeline.admin_api import AdminApi, Answer
from shopify_pipeline.entities import Entity
from shopify_pipeline.sync.queries import Filter, count_query


class InexactCountError(Exception):
    """Shopify gave a lower bound where the exact count was asked for."""


class ExactCount(NamedTuple):
    """A count and the answer that brought it."""

    records: int
    answer: Answer


def exact(entity: Entity, found: dict[str, Any]) -> int:
    """The number in a `Count` that was asked for with `limit: null`.

    Raises:
        InexactCountError: its precision is not EXACT.
    """
    if found["precision"] != "EXACT":
        raise InexactCountError(
            f"{entity.name}: Shopify counted {found['precision']} {found['count']} where an exact "
            "count was asked for; without it completeness cannot be proved. Nothing was accepted."
        )
    return int(found["count"])


def count(api: AdminApi, entity: Entity, filtered: Filter) -> ExactCount:
    """How many records match the filter.

    Raises:
        InexactCountError: Shopify would not count to the end.
        AdminApiError: it could not be asked, or ignored a part of the filter.
    """
    answer = api.execute(count_query(entity), {"counted": filtered.variables["counted"]})
    return ExactCount(exact(entity, answer.data["count"]), answer)
