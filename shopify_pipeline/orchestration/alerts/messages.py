"""Puts what is to be told into one message, without personal data."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from shopify_pipeline.orchestration.alerts.episodes import Notice

SHOWN = 25
SUMMARY_LENGTH = 300


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message as it is sent."""

    level: Literal["failure", "warning", "success"]
    title: str
    body: str


def compose_each(notices: Sequence[Notice], *, shop: str) -> list[Message]:
    """A message for each, with the same title from the episode's beginning to its end."""
    return [
        replace(
            compose([notice], shop=shop),
            title=f"Shopify pipeline, {shop}: {notice.episode.subject}",
        )
        for notice in notices
    ]


def compose(notices: Sequence[Notice], *, shop: str) -> Message:
    """One message that tells all of it: what is wrong first, then what recovered."""
    wrong = [notice for notice in notices if notice.what != "ended"]
    ended = [notice for notice in notices if notice.what == "ended"]
    errors = [notice for notice in wrong if notice.episode.state == "error"]
    warnings = [notice for notice in wrong if notice.episode.state == "warning"]
    parts = [
        f"{len(found)} {word}{'s' if len(found) > 1 and word != 'recovered' else ''}"
        for found, word in ((errors, "error"), (warnings, "warning"), (ended, "recovered"))
        if found
    ]
    level: Literal["failure", "warning", "success"] = (
        "failure" if errors else "warning" if warnings else "success"
    )
    lines = [*_lines("ERROR", errors), *_lines("WARNING", warnings), *_lines("RECOVERED", ended)]
    return Message(
        level=level, title=f"Shopify pipeline, {shop}: {', '.join(parts)}", body="\n".join(lines)
    )


def _lines(word: str, notices: Sequence[Notice]) -> list[str]:
    together: dict[tuple[str, str], list[Notice]] = {}
    for notice in notices:
        # What one run left unevaluated is one thing to tell.
        together.setdefault((notice.episode.summary, notice.episode.link), []).append(notice)
    lines: list[str] = []
    for (summary, link), group in list(together.items())[:SHOWN]:
        subjects = [notice.episode.subject for notice in group]
        worse = " (worse than before)" if any(n.what == "worse" for n in group) else ""
        since = f"{group[0].episode.since:%Y-%m-%d %H:%M} UTC"
        named = ", ".join(subjects[:SHOWN])
        if len(subjects) > SHOWN:
            named += f" and {len(subjects) - SHOWN} more"
        said = " ".join(summary.split())
        said = said if len(said) <= SUMMARY_LENGTH else f"{said[:SUMMARY_LENGTH]} …"
        when = "failed since" if word == "RECOVERED" else "since"
        lines += [f"{word} {named}{worse}", f"  {said} ({when} {since})", f"  {link}", ""]
    if len(together) > SHOWN:
        lines.append(f"… and {len(together) - SHOWN} more")
    return lines
