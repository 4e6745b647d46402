"""The SQL of webhooks, by name, from `statements.sql`."""

import re
from importlib import resources

_TEXT = resources.files(__package__).joinpath("statements.sql").read_text(encoding="utf-8")

STATEMENTS: dict[str, str] = {
    name: text.strip().removesuffix(";")
    for name, text in re.findall(r"(?ms)^-- name: (\w+)\n(.*?)(?=^-- name: |\Z)", _TEXT)
}
"""Every statement, with placeholders as psycopg writes them: `%(name)s`, `%(name)b` for binary."""
