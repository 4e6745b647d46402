"""What a check says: whether rows are wrong, which, how to see more, or that it could not tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import dagster as dg

from shopify_pipeline.orchestration.metadata import table
from shopify_pipeline.warehouse.checks.offenders import Offenders

COULD_NOT = "could not be evaluated"


@dataclass
class Judgement:
    """What a check found; passed while nothing was added as an error or a warning."""

    numbers: dict[str, int | float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    tables: list[tuple[str, Sequence[Mapping[str, Any]]]] = field(default_factory=list)
    sql: list[str] = field(default_factory=list)
    errors: int = 0
    warnings: int = 0

    def offenders(self, what: str, found: Offenders, *, error: bool) -> None:
        """Take in what a query found."""
        self.numbers[what] = found.number
        self.sql.append(found.sql)
        if found:
            self.wrong(f"{what}: {found.number}", found.first, number=found.number, error=error)

    def wrong(
        self, what: str, rows: Sequence[Mapping[str, Any]] = (), *, number: int = 1, error: bool
    ) -> None:
        """Add something that is wrong, with the rows that show it; figures stand after a colon."""
        self.faults.append(what)
        if rows:
            self.tables.append((what.partition(":")[0], rows))
        if error:
            self.errors += number
        else:
            self.warnings += number

    def remark(self, what: str) -> None:
        """Say something without judging it."""
        self.remarks.append(what)

    def result(self, asset: dg.AssetKey, name: str) -> dg.AssetCheckResult:
        """The same for Dagster."""
        metadata: dict[str, Any] = dict(self.numbers)
        metadata["offenders"] = self.errors + self.warnings
        for title, rows in self.tables:
            metadata[f"first {title}"[:120]] = table(rows)
        if self.sql:
            code = "\n\n".join(dict.fromkeys(self.sql))
            metadata["see_more"] = dg.MetadataValue.md(f"```sql\n{code}\n```")
        return dg.AssetCheckResult(
            asset_key=asset,
            check_name=name,
            passed=not (self.errors or self.warnings),
            severity=dg.AssetCheckSeverity.ERROR if self.errors else dg.AssetCheckSeverity.WARN,
            description="; ".join([*self.faults, *self.remarks]) or None,
            metadata=metadata,
        )


def not_evaluated(asset: dg.AssetKey, name: str, why: str) -> dg.AssetCheckResult:
    """The result of a check that could not tell: a person should look."""
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name,
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{COULD_NOT}: {why}",
        metadata={"evaluated": False},
    )


def spoken(time: timedelta) -> str:
    """A span of time in hours and minutes, the longer the rougher."""
    hours, minutes = divmod(int(time.total_seconds()) // 60, 60)
    if hours >= 48:
        return f"{hours // 24} days"
    if hours >= 24 or (hours and not minutes):
        return f"{hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
