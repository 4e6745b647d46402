"""Says of the fields that an app may not read which they are, and what lets it read them."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shopify_pipeline.admin_api.answers import ErrorEntry
from shopify_pipeline.admin_api.errors import AccessDeniedError

ColumnsAt = Callable[[str, str], Sequence[str]]
"""The `entity.column` that may be left out, of an operation's label and a field's path."""

PROTECTED = "https://shopify.dev/docs/apps/launch/protected-customer-data"

_SCOPE = re.compile(r"`([a-z_]+)`")


def field_of(path: str) -> str:
    """The path of a field without the positions of nodes: `customers.nodes.email`."""
    return ".".join(step for step in path.split(".") if not step.isdecimal())


def access_denied(
    entries: Sequence[ErrorEntry],
    messages: Sequence[str],
    *,
    about: Mapping[str, Any],
    columns_at: ColumnsAt | None,
) -> AccessDeniedError:
    """The error of an answer with denied fields; `messages` are the entries', safe to show.

    An answer has an entry for each record: they are told once a field, with their number.
    """
    times = Counter(
        (field_of(entry.path), message) for entry, message in zip(entries, messages, strict=True)
    )
    listed = "; ".join(
        f"{field or 'the query'}{f' ({count} times)' if count > 1 else ''}: {message}"
        for (field, message), count in times.items()
    )
    fields = tuple(dict.fromkeys(field for field, _ in times))
    required = [str(e.extensions.get("requiredAccess") or e.message) for e in entries]
    scopes = tuple(sorted({scope for text in required for scope in _SCOPE.findall(text)}))
    columns = [
        column
        for field in fields
        for column in (columns_at(str(about["operation"]), field) if columns_at else ())
    ]
    remedies = []
    if scopes:
        remedies.append(f"grant the app {' or '.join(scopes)}")
    if not scopes or any("approved" in message for message in messages):
        remedies.append(f"apply for access to protected customer data ({PROTECTED})")
    if columns:
        listed_columns = ",".join(dict.fromkeys(columns))
        remedies.append(f"leave it out: add to SHOPIFY_OMIT_COLUMNS {listed_columns}")
    return AccessDeniedError(
        f"Shopify denied access to {listed.rstrip('.')}. Nothing of the answer was used. "
        f"Either {', or '.join(remedies)}",
        codes=tuple(entry.code for entry in entries),
        paths=tuple(entry.path for entry in entries),
        required_access=scopes,
        fields=fields,
        **about,
    )
